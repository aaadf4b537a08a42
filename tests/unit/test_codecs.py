"""conversion/containers/accepted.py: what is parsed, and that what it names really becomes the right sound."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from functions.convert.conversion.containers.accepted import CODECS, FORMATS, REFUSED_CODECS, REFUSED_FORMATS
from functions.convert.plain import convert
from tests.unit.conversions import decoded, joined, plan_of, probed

SECONDS, TONE = 3, 440
# Of a sine of ffmpeg, which becomes stereo at -3 dB.
PEAKS = {1: 0.125, 2: 0.0884}
# What an ffmpeg command may have where PyAV has FFmpeg's own decoder.
STAND_INS = {"libopus", "libvorbis", "libspeex", "libopencore_amrnb", "libopencore_amrwb"}
TELEPHONE = ("-ar", "8000", "-ac", "1")
CD, STUDIO = ("-ar", "44100", "-ac", "2"), ("-ar", "48000", "-ac", "2")
PICTURE = ("-s", "160x128", "-r", "30")

# Name → codec as FFmpeg calls it, and the encoder's words. Of what else is accepted there is no encoder.
SOUNDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "smpte302m.ts": ("s302m", ("-c:a", "s302m", "-strict", "-2", *STUDIO)),
    "g722.wav": ("adpcm_g722", ("-c:a", "g722", "-ar", "16000", "-ac", "1")),
    "g722.mkv": ("adpcm_g722", ("-c:a", "g722", "-ar", "16000", "-ac", "1")),
    "g726.wav": ("adpcm_g726", ("-c:a", "g726", *TELEPHONE)),
    "g723_1.wav": ("g723_1", ("-c:a", "g723_1", "-b:a", "6300", *TELEPHONE)),
    "g723_1.mkv": ("g723_1", ("-c:a", "g723_1", "-b:a", "6300", *TELEPHONE)),
    "real_144.rm": ("ra_144", ("-c:a", "real_144", *TELEPHONE)),
    "real_144.mkv": ("ra_144", ("-c:a", "real_144", *TELEPHONE)),
    "ima.wav": ("adpcm_ima_wav", ("-c:a", "adpcm_ima_wav", *CD)),
    "ms.wav": ("adpcm_ms", ("-c:a", "adpcm_ms", *CD)),
    "yamaha.wav": ("adpcm_yamaha", ("-c:a", "adpcm_yamaha", *CD)),
    "swf.flv": ("adpcm_swf", ("-c:a", "adpcm_swf", *CD)),
    "ima.mov": ("adpcm_ima_qt", ("-c:a", "adpcm_ima_qt", *CD)),
    "adx.adx": ("adpcm_adx", ("-c:a", "adpcm_adx", *CD)),
    "ringtone.mmf": ("adpcm_yamaha", ("-c:a", "adpcm_yamaha", "-ar", "22050", "-ac", "1")),
    "nellymoser.flv": ("nellymoser", ("-c:a", "nellymoser", "-ar", "22050", "-ac", "1")),
    "flash.swf": ("mp3", ("-c:a", "libmp3lame", *CD)),
    "mlp.mlp": ("mlp", ("-c:a", "mlp", "-strict", "-2", *STUDIO)),
    "truehd.thd": ("truehd", ("-c:a", "truehd", "-strict", "-2", "-f", "truehd", *STUDIO)),
    "dts.dts": ("dts", ("-c:a", "dca", "-strict", "-2", *STUDIO)),
    "receiver.spdif": ("ac3", ("-c:a", "ac3", "-f", "spdif", *STUDIO)),
    "latm.latm": ("aac_latm", ("-c:a", "aac", "-f", "latm", *CD)),
    "television.wtv": ("mp2", ("-c:a", "mp2", *CD)),
    "blaster.voc": ("pcm_s16le", ("-c:a", "pcm_s16le", *CD)),
    "studio.gxf": ("pcm_s16le", ("-c:a", "pcm_s16le", "-ar", "48000", "-ac", "1")),
    "ircam.sf": ("pcm_s16le", ("-c:a", "pcm_s16le", "-f", "ircam", *CD)),
    "sox.sox": ("pcm_s32le", ("-f", "sox", *CD)),
    "phone.amr": ("amr_nb", ("-c:a", "libopencore_amrnb", *TELEPHONE)),
    "game.roq": ("roq_dpcm", ("-c:a", "roq_dpcm", "-ar", "22050", "-ac", "2", "-c:v", "roqvideo", *PICTURE)),
    "game.cpk": ("pcm_s16be_planar", ("-f", "film_cpk", "-c:v", "cinepak", "-c:a", "pcm_s16be_planar", *CD)),
    "bluray.m2ts": (
        "pcm_bluray",
        ("-c:a", "pcm_bluray", "-f", "mpegts", "-mpegts_m2ts_mode", "1", *STUDIO),
    ),
    "dvd.vob": ("pcm_dvd", ("-c:a", "pcm_dvd", "-f", "vob", *STUDIO)),
    "bits.nut": ("dfpwm", ("-c:a", "dfpwm", *CD)),
    **{
        f"{name}.nut": (name, ("-c:a", name, *CD))
        for name in (
            *("pcm_s8", "pcm_s8_planar", "pcm_s16le_planar", "pcm_s16be_planar", "pcm_s24le_planar"),
            *("pcm_s32le_planar", "pcm_u16le", "pcm_u24be", "pcm_u32le", "pcm_s64be", "pcm_s64le", "pcm_f64be"),
        )
    },
}
# Delays of codecs and padding of their last blocks, in seconds. A GXF has whole fields of pictures that it has not.
LENGTH, LENGTHS = 0.12, {"studio.gxf": 0.5}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sounds are kept, each made once."""
    return tmp_path_factory.mktemp("codecs")


def made(directory: Path, name: str) -> Path:
    path, words = directory / name, SOUNDS[name][1]
    picture = ("-f", "lavfi", "-i", f"testsrc=rate=25:duration={SECONDS}") if "-c:v" in words else ()
    sound = ("-f", "lavfi", "-i", f"sine=frequency={TONE}:sample_rate=44100:duration={SECONDS}")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *picture, *sound, *words, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def audio_decoders() -> set[str]:
    found = set()
    for name in av.codec.codecs_available:
        try:
            found |= {name} if av.Codec(name, "r").type == "audio" else set()
        except ValueError:
            # It only encodes.
            continue
    return found


def demuxers() -> set[str]:
    return {name for names in av.format.formats_available for name in names.split(",")}


def words(table: dict[str, str]) -> set[str]:
    return {word for names in table for word in names.split()}


def test_every_audio_decoder_of_the_library_is_accepted_or_refused_with_a_reason() -> None:
    accepted = set(CODECS.split(","))
    assert audio_decoders() - STAND_INS <= accepted | words(REFUSED_CODECS)
    assert not accepted & words(REFUSED_CODECS)
    assert accepted - audio_decoders() <= STAND_INS
    assert len(accepted) == len(CODECS.split(","))
    assert all(reason and len(REFUSED_CODECS) < 10 for reason in REFUSED_CODECS.values())


def test_every_demuxer_that_is_accepted_is_there_and_none_that_is_refused() -> None:
    accepted = FORMATS.split(",")
    assert set(accepted) <= demuxers()
    assert len(set(accepted)) == len(accepted)
    assert not set(accepted) & words(REFUSED_FORMATS)


def test_what_reads_other_files_or_pictures_or_scripts_is_not_accepted() -> None:
    dangerous = {"concat", "hls", "image2", "lavfi", "rtsp", "sdp", "vobsub", "mlv", "sbg", "webm_dash_manifest", "tty"}
    accepted = set(FORMATS.split(","))
    assert not accepted & dangerous
    assert not [name for name in accepted if name.endswith("_pipe")]


@pytest.mark.parametrize("name", SOUNDS)
def test_it_sounds(directory: Path, name: str) -> None:
    path = made(directory, name)
    (track,) = probed(path).tracks
    assert track.codec == SOUNDS[name][0]
    plan = plan_of(path)
    heard = joined(decoded(path, plan)[0])
    rate = plan.shape.sample_rate
    assert heard.shape[1] / rate == pytest.approx(SECONDS, abs=LENGTHS.get(name, LENGTH))
    middle = heard[:, rate // 2 : 5 * rate // 2]
    for channel in middle:
        spectrum = np.abs(np.fft.rfft(channel))
        assert np.argmax(spectrum) * rate / len(channel) == pytest.approx(TONE, abs=2)
        assert np.sqrt(2 * np.mean(channel**2)) == pytest.approx(
            PEAKS[track.channels], rel=0.5 if "amr" in name else 0.3
        )


@pytest.mark.parametrize("name", ["smpte302m.ts", "g726.wav", "pcm_s16le_planar.nut"])
def test_the_ffmpeg_command_takes_them_too(directory: Path, tmp_path: Path, name: str) -> None:
    _, seconds = convert(made(directory, name), tmp_path, {}, lambda _: None)
    assert seconds == pytest.approx(SECONDS, abs=LENGTH)
