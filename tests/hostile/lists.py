"""Texts that name other files, or the network: playlists, concat scripts, SDP; and media that name them inside."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.hostile.forms import id3, mkv, mov, mp3
from tests.hostile.hostile import BROKEN, MP3, NO_MEDIA, Hostile, box, chunk, element, text, wav

__all__ = ["lists", "references"]

_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
_DASH = (
    "<?xml version='1.0'?>\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' mediaPresentationDuration='PT2S' "
    "profiles='urn:mpeg:dash:profile:isoff-on-demand:2011'><Period><AdaptationSet mimeType='audio/wav'>"
    "<Representation id='1' bandwidth='1'><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
# What FFmpeg would follow. Each is refused by what it is.
_FOLLOWED = {
    "ffconcat": "ffconcat version 1.0\nfile '{}'\n",
    "ffconcat with options": "ffconcat version 1.0\nfile '{}'\noption protocol_whitelist file,http,tcp\n",
    "hls": _HLS,
    "hls with a key": _HLS.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXTINF'),
    "hls with a map": _HLS.replace("#EXTINF", '#EXT-X-MAP:URI="{}"\n#EXTINF'),
    "hls of lists": '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="{}"\n',
    "dash": _DASH,
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    "pls": "[playlist]\nFile1={}\nNumberOfEntries=1\n",
    "asx": "<asx version='3.0'><entry><ref href='{}'/></entry></asx>",
    "smil": "<smil><body><audio src='{}'/></body></smil>",
    "reference": "[Reference]\nRef1={}\n",
    "smooth streaming": "<SmoothStreamingMedia><StreamIndex Type='audio' Url='{}'/></SmoothStreamingMedia>",
    "rtsp text": "RTSPtext{}\r\n",
    "address": "{}\n",
}
# What it has no demuxer for, or does not know by its content: a text.
_TEXTS = {
    "xspf": "<?xml version='1.0'?><playlist xmlns='http://xspf.org/ns/0/'><trackList><track><location>{}</location>"
    "</track></trackList></playlist>",
    "wpl": "<?wpl version='1.0'?><smil><body><seq><media src='{}'/></seq></body></smil>",
    "quicktime link": "<?xml version='1.0'?><?quicktime type='application/x-quicktime-media-link'?><embed src='{}'/>",
    "imf": "<?xml version='1.0'?><CompositionPlaylist xmlns='http://www.smpte-ra.org/schemas/2067-3/2016'><Id>{}</Id>"
    "</CompositionPlaylist>",
    "billion laughs": "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a '{}'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
    "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><x>&c;</x>",
    "external entity": "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM '{}'>]><x>&a;</x>",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg'><image href='{}'/></svg>",
    "lavfi": "amovie={}",
    "avisynth": 'DirectShowSource("{}")\n',
    "vapoursynth": "import vapoursynth\nclip = vapoursynth.core.ffms2.Source('{}')\nclip.set_output()\n",
    "metadata": ";FFMETADATA1\ntitle={}\n[CHAPTER]\nSTART=0\nEND=9\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\n{}\n",
    "styled subtitles": "[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,,{}\n",
    "web subtitles": "WEBVTT\n\n00:00.000 --> 00:01.000\n{}\n",
    "microdvd": "{{1}}{{25}}{}\n",
    "shell": "#!/bin/sh\ncat {}\n",
    "script behind an HTML page": "<!doctype html><script src='{}'></script>",
    "cue sheet": 'FILE "{}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
}
_SCHEMES = (
    *("http://127.0.0.1:{port}/x.wav", "https://127.0.0.1:{port}/x.wav", "tcp://127.0.0.1:{port}"),
    *("udp://127.0.0.1:{port}", "rtp://127.0.0.1:{port}", "rtsp://127.0.0.1:{port}/x", "rtmp://127.0.0.1:{port}/x/y"),
    *("ftp://127.0.0.1:{port}/x.wav", "gopher://127.0.0.1:{port}/x", "mmsh://127.0.0.1:{port}/x"),
    *("icecast://127.0.0.1:{port}/x", "srt://127.0.0.1:{port}", "tls://127.0.0.1:{port}", "crypto:{secret}"),
    *("file:{secret}", "{secret}", "concat:{secret}|{secret}", "subfile,,start,0,end,9999999,,:{secret}"),
    *("async:{secret}", "cache:http://127.0.0.1:{port}/x.wav", "unix:{secret}", "pipe:0", "data:audio/wav,x"),
    *("httpproxy://127.0.0.1:{port}/x", "concatf:{secret}", "secret.wav", "/proc/self/environ", "/dev/zero"),
)  # fmt: skip


def lists(port: int, secret: str) -> Iterator[Hostile]:
    """Each form with an address of each protocol in turn: at that port of this machine, or that file."""
    named = [scheme.format(port=port, secret=secret) for scheme in _SCHEMES]
    for forms, right in ((_FOLLOWED, frozenset({"refused-format"})), (_TEXTS, NO_MEDIA)):
        for at, (name, form) in enumerate(forms.items()):
            target = named[at % len(named)]
            yield Hostile(f"{name} of {target.partition(':')[0]}", _written(form, target, port), right)
    for at, target in enumerate(named):
        form = _HLS if at % 2 else _FOLLOWED["ffconcat"]
        right = frozenset({"refused-format"})
        yield Hostile(
            f"list of {target}", _written(form, target, port), right, ("talk.m3u8", "talk.mp4", "x.ffconcat")[at % 3]
        )
    for name, mark in (("a byte order mark", b"\xef\xbb\xbf"), ("lines", b"\r\n\n"), ("spaces", b" \t ")):
        content = mark + _written(_HLS, named[0], port)
        yield Hostile(f"hls after {name}", content, frozenset({"refused-format"}), "talk.mkv")
    for name, codec in (("UTF-16", "utf-16"), ("UTF-32", "utf-32")):
        yield Hostile(f"hls in {name}", _written(_HLS, named[0], port).decode().encode(codec), NO_MEDIA)


def _written(form: str, target: str, port: int) -> bytes:
    return form.replace("{port}", str(port)).replace("{{", "{").replace("}}", "}").replace("{}", target).encode()


def references(port: int, secret: str) -> Iterator[Hostile]:
    """Media that name another file inside: what they hold themselves is converted, what they name is not looked at."""
    url = f"http://127.0.0.1:{port}/x"
    # "url " says that the samples lie elsewhere: those at the same places of this file are what can come of it.
    right, nothing = frozenset({MP3}), BROKEN - {"too-long"}
    for target in (url, f"file://{secret}", secret):
        yield Hostile(
            f"mp4 whose samples lie at {target}", mov(box(b"url ", bytes(4) + target.encode() + b"\0")), nothing
        )
        link = box(
            b"rmda", box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(target) + 1) + target.encode() + b"\0")
        )
        yield Hostile(
            f"reference movie to {target}", box(b"ftyp", b"qt  \0\0\0\0") + box(b"moov", box(b"rmra", link)), nothing
        )
        yield Hostile(
            f"mp3 whose cover lies at {target}", id3(b"APIC", b"\0-->\0\3\0" + target.encode()) + mp3(), right, "x.mp3"
        )
        yield Hostile(f"mp3 with a link to {target}", id3(b"WXXX", b"\0\0" + target.encode()) + mp3(), right, "x.mp3")
        yield Hostile(
            f"wav with a list of {target}", wav(chunks=chunk(b"LIST", b"INFO" + chunk(b"IURL", target.encode()))), right
        )
        yield Hostile(f"mkv that goes on in {target}", mkv(info=_linked(target)), right, "x.mkv")


def _linked(target: str) -> bytes:
    """What says that another file goes before a Matroska, and another one after it (RFC 9559, section 17)."""
    name = target.encode()
    ids = element(0x3CB923, bytes(16)) + element(0x3EB923, bytes(16)) + element(0x73A4, bytes(16))
    return text(0x3C83AB, name) + text(0x3E83BB, name) + ids
