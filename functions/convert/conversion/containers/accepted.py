"""What is parsed at all: lists of FFmpeg's demuxers and audio decoders, the same for both converters.

Everything else is refused, and named here with the reason where people may miss it. What is accepted reads its one
file, computes, and writes samples: whatever it does beyond that, the sandbox is there for.
"""

from __future__ import annotations

__all__ = ["CODECS", "FORMATS", "MAX_RATE", "REFUSED_CODECS", "REFUSED_FORMATS"]

# What phones, cameras, recorders, broadcasters, discs, games and old computers leave behind.
_FORMATS = """
mov mp4 m4a 3gp 3g2 mj2 matroska webm avi mpegts mpeg flv live_flv kux asf asf_o ogg mxf gxf lxf rm ivr nut dv swf
wtv ty pva nsv nuv dhav ifv lvf vivo r3d pmp mtv

wav w64 aiff au caf flac mp3 aac loas ac3 eac3 dts dtshd truehd mlp spdif s337m amr amrnb amrwb ape wv tta tak shn
mpc mpc8 oma aea iff dsf wsd vqf xwma voc sox ircam nistsphere avr pvf paf epaf hcom sds qcp act dss mmf ilbc gsm
iamf qoa osq bonk rka wavarc

4xm adx bink binka brstm bfstm ea film_cpk hca psxstr roq smjpeg smk thp usm vag xa
"""
FORMATS = ",".join(_FORMATS.split())
# Why the others are refused. (Besides, there are pictures, subtitles, bare video streams, and what single games and
# consoles had: nobody has that on a phone or a disc.)
REFUSED_FORMATS: dict[str, str] = {
    "concat hls dash imf sdp rtsp rtp sap webm_dash_manifest mlv vobsub": "they open other files, or the network",
    "image2 image2pipe": "they open one file for each number",
    "alsa fbdev kmsgrab lavfi oss v4l2 x11grab": "they are devices, or make sound from a script",
    "sbg": "it is a script, from which sound is made up",
    "alaw f32be f32le f64be f64le mulaw s16be s16le s24be s24le s32be s32le s8 u16be u16le u24be u24le u32be u32le u8 "
    "vidc g722 g723_1 g726 g726le g728 g729 aptx aptx_hd codec2raw daud dfpwm rso sbc sln data": "nothing in a file "
    "tells that it is one",
    "aa": "protected audiobooks",
    "codec2 lc3": "only an external library decodes what is in them",
}

# In Hz. The most that there is, of DSD, is half of it; for much more a resampler wants memory that no machine has.
MAX_RATE = 50_000_000

# Every audio decoder of the library, but for those below. After the plain samples: what is computed from the sample
# before; what music and films have; speech; games and old computers; and the libraries that an ffmpeg command may have
# in place of FFmpeg's own decoders.
_CODECS = """
pcm_alaw pcm_bluray pcm_dvd pcm_f16le pcm_f24le pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_lxf pcm_mulaw pcm_s16be
pcm_s16be_planar pcm_s16le pcm_s16le_planar pcm_s24be pcm_s24daud pcm_s24le pcm_s24le_planar pcm_s32be pcm_s32le
pcm_s32le_planar pcm_s64be pcm_s64le pcm_s8 pcm_s8_planar pcm_sga pcm_u16be pcm_u16le pcm_u24be pcm_u24le pcm_u32be
pcm_u32le pcm_u8 pcm_vidc

adpcm_4xm adpcm_adx adpcm_afc adpcm_agm adpcm_aica adpcm_argo adpcm_ct adpcm_dtk adpcm_ea adpcm_ea_maxis_xa
adpcm_ea_r1 adpcm_ea_r2 adpcm_ea_r3 adpcm_ea_xas adpcm_ima_acorn adpcm_ima_alp adpcm_ima_amv adpcm_ima_apc
adpcm_ima_apm adpcm_ima_cunning adpcm_ima_dat4 adpcm_ima_dk3 adpcm_ima_dk4 adpcm_ima_ea_eacs adpcm_ima_ea_sead
adpcm_ima_iss adpcm_ima_moflex adpcm_ima_mtf adpcm_ima_oki adpcm_ima_qt adpcm_ima_rad adpcm_ima_smjpeg adpcm_ima_ssi
adpcm_ima_wav adpcm_ima_ws adpcm_ima_xbox adpcm_ms adpcm_mtaf adpcm_psx adpcm_sanyo adpcm_sbpro_2 adpcm_sbpro_3
adpcm_sbpro_4 adpcm_swf adpcm_thp adpcm_thp_le adpcm_vima adpcm_xa adpcm_xmd adpcm_yamaha adpcm_zork g722 g726
g726le cbd2_dpcm derf_dpcm gremlin_dpcm interplay_dpcm roq_dpcm sdx2_dpcm sol_dpcm wady_dpcm xan_dpcm

aac aac_latm ac3 alac als amrnb amrwb ape atrac1 atrac3 atrac3al atrac3plus atrac3plusal atrac9 cook dca dolby_e
dsd_lsbf dsd_lsbf_planar dsd_msbf dsd_msbf_planar dst dvaudio eac3 flac mlp mp1 mp1float mp2 mp2float mp3 mp3adu
mp3adufloat mp3float mp3on4 mp3on4float mpc7 mpc8 opus ralf real_144 real_288 s302m shorten sipr tak truehd tta
vorbis wavpack wmalossless wmapro wmav1 wmav2 wmavoice xma1 xma2

acelp.kelvin dss_sp evrc g723_1 g728 g729 gsm gsm_ms ilbc msnsiren nellymoser qcelp siren speex truespeech misc4

8svx_exp 8svx_fib apac aptx aptx_hd binkaudio_dct binkaudio_rdft bmv_audio bonk dfpwm dsicinaudio fastaudio ftr hca
hcom iac imc interplayacm mace3 mace6 metasound on2avc osq paf_audio qdm2 qdmc qoa rka sbc smackaud twinvq vmdaudio
wavarc ws_snd1

libopus libvorbis libspeex libopencore_amrnb libopencore_amrwb
"""
CODECS = ",".join(_CODECS.split())
REFUSED_CODECS: dict[str, str] = {
    "aac_fixed": "the same as aac, in whole numbers",
    "ac3_fixed": "the same as ac3, in whole numbers",
    "anull": "it decodes nothing",
    "comfortnoise": "noise that telephones make up, which no file holds",
    "wavesynth": "sound that is made up from a script",
}
