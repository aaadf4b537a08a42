"""Files in trouble, as people have them: each has a tone that rises, so that what is heard tells when it was."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.unit.clocks import AAC, FIRST, RISE, chirped, moved, words
from tests.unit.endings import box

__all__ = ["SECONDS", "TROUBLES", "Trouble"]

SECONDS, RATE = 6, 44100
Maker = Callable[[Path], bytes]


class Trouble(NamedTuple):
    """A file, how long its MP3 has to be, and what is heard when: the time in the tone, or None for silence.

    `differs` is why plain ffmpeg makes something else of it.
    """

    made: Maker
    seconds: float
    heard: dict[float, float | None]
    differs: str = ""
    warnings: tuple[str, ...] = ()


ONCE: dict[float, float | None] = {1: 1, 5: 5}
TWICE: dict[float, float | None] = {1: 1, 5: 5, 7: 1, 11: 5}


def samples(
    seconds: float = SECONDS, rate: float = RATE, start: float = 0.0
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """The tone of chirped(), from a time on."""
    time = np.arange(round(seconds * rate)) / rate + start
    return (0.3 * np.sin(2 * np.pi * (FIRST + RISE / 2 * time) * time) * 32767).astype("<i2")


def video(directory: Path, name: str, *sound: str) -> bytes:
    """A video with that tone, made once."""
    path = directory / name
    return (path if path.exists() else chirped(path, *(sound or AAC), seconds=SECONDS)).read_bytes()


def audio(directory: Path, name: str, *sound: str) -> bytes:
    """A file of sound alone with that tone, made once."""
    path = directory / name
    if not path.exists():
        source = directory / "source.wav"
        source.write_bytes(wav(samples().tobytes()))
        words("-i", str(source), *sound, str(path))
    return path.read_bytes()


def wav(data: bytes, *, riff: int | None = None, size: int | None = None, before: bytes = b"") -> bytes:
    """A WAV of these samples, which states those sizes; with other bytes before the chunk with the samples."""
    about = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + before
    body = b"WAVE" + about + b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def large_wav_without_lengths(_: Path) -> bytes:
    data = samples().tobytes()
    about = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    lengths = b"ds64" + struct.pack("<IQQQI", 28, 0, 0, 0, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + lengths + about + b"data\xff\xff\xff\xff" + data


def wav_with_its_highest_bytes_first(_: Path) -> bytes:
    data = samples().astype(">i2").tobytes()
    body = (
        b"WAVEfmt " + struct.pack(">IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + b"data" + struct.pack(">I", len(data))
    )
    return b"RIFX" + struct.pack(">I", len(body) + len(data)) + body + data


def patched(data: bytes, mark: bytes, offset: int, new: bytes, *, last: bool = False) -> bytes:
    """With other bytes so far behind a mark."""
    at = (data.rindex(mark) if last else data.index(mark)) + len(mark) + offset
    return data[:at] + new + data[at + len(new) :]


def aiff(directory: Path, *codec: str, frames: int | None = None, sound: int | None = None) -> bytes:
    """An AIFF that states another number of frames, or another length of its sound."""
    data = audio(directory, f"a{''.join(codec[1:])}.aiff", *codec)
    data = data if frames is None else patched(data, b"COMM", 6, frames.to_bytes(4, "big"))
    return data if sound is None else patched(data, b"SSND", 0, sound.to_bytes(4, "big"))


def five_hours_ahead(directory: Path) -> bytes:
    """Large for so little sound, and its clock jumps in the middle."""
    source, target = directory / "large.nut", directory / "ahead.nut"
    chirped(source, "-c:a", "pcm_s32le", seconds=SECONDS)
    return moved(source, target, lambda time: time if time < SECONDS / 2 else time + 20_000).read_bytes()


def w64(directory: Path, *, share: float) -> bytes:
    """A Wave64 that states only a share of its sound."""
    data = audio(directory, "a.w64")
    at = data.index(b"data") + 16
    stated = round(int.from_bytes(data[at : at + 8], "little") * share)
    return data[:at] + stated.to_bytes(8, "little") + data[at + 8 :]


def mp3_in_half_a_wav(directory: Path) -> bytes:
    """A WAV of MP3 with a variable bitrate, of which it says nothing, and with half the length."""
    data = audio(directory, "m.wav", "-c:a", "libmp3lame", "-q:a", "4")
    at = data.index(b"data") + 4
    return data[:at] + (int.from_bytes(data[at : at + 4], "little") // 2).to_bytes(4, "little") + data[at + 4 :]


def voc(*blocks: tuple[int, bytes]) -> bytes:
    """A Creative Voice file of these blocks."""
    made = b"".join(bytes([kind]) + len(content).to_bytes(3, "little") + content for kind, content in blocks)
    return b"Creative Voice File\x1a\x1a\0\x0a\x01\x29\x11" + made + b"\0"


def voice(divisor: int, seconds: float, start: float) -> bytes:
    """A block of 8-bit samples at 1,000,000 / (256 - divisor) Hz."""
    return bytes([divisor, 0]) + (samples(seconds, 1e6 / (256 - divisor), start) // 256 + 128).astype("u1").tobytes()


def with_double_duration(directory: Path) -> bytes:
    return patched(video(directory, "a.mkv"), bytes.fromhex("448988"), 0, struct.pack(">d", 2000.0 * SECONDS))


def with_endless_pages(directory: Path) -> bytes:
    """An Ogg whose last page says that it comes after 3 million years."""
    data = bytearray(audio(directory, "a.ogg", "-c:a", "libvorbis"))
    last = data.rindex(b"OggS")
    data[last + 6 : last + 14] = struct.pack("<q", 2**62)
    data[last + 22 : last + 26] = bytes(4)
    data[last + 22 : last + 26] = struct.pack("<I", _ogg_checksum(bytes(data[last:])))
    return bytes(data)


def _ogg_checksum(page: bytes) -> int:
    """RFC 3533, 6: a CRC of 32 bits by 0x04c11db7, without anything before or after."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def asf_of_double_size(directory: Path) -> bytes:
    data = video(directory, "a.wmv", "-c:a", "wmav2")
    return patched(data, bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"), 24, struct.pack("<Q", 2 * len(data)))


def with_one_wrong_cluster(directory: Path) -> bytes:
    """A Matroska in which a bit was lost of the time that a cluster has for its packets: it is 4 s too late."""
    video(directory, "a.mkv")
    path = directory / "clusters.mkv"
    words("-i", str(directory / "a.mkv"), "-c", "copy", "-cluster_time_limit", "500", str(path))
    data, mark = path.read_bytes(), bytes.fromhex("1f43b675")
    places = [at for at in range(len(data) - 4) if data.startswith(mark, at)]
    time = data.index(b"\xe7", places[len(places) // 2]) + 1
    size = data[time] & 0x7F
    right = int.from_bytes(data[time + 1 :][:size], "big")
    return data[: time + 1] + (right + 4000).to_bytes(size, "big") + data[time + 1 + size :]


def scrambled_for_a_while(directory: Path) -> bytes:
    """A transport stream whose sound is encrypted for a fifth of it."""
    data, chance = bytearray(video(directory, "scrambled.ts", "-c:a", "aac")), random.Random(1)
    sound = [at for at in range(0, len(data), 188) if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == 0x101]
    for at in sound[len(sound) * 2 // 5 : len(sound) * 3 // 5]:
        start = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        data[at + 3] |= 0x80
        data[start : at + 188] = chance.randbytes(at + 188 - start)
    return bytes(data)


def in_segments_with_tags(directory: Path) -> bytes:
    """The sound of a live stream in segments, each of which begins with an ID3 tag (RFC 8216, 3.4)."""
    data = audio(directory, "a.aac", "-c:a", "aac", "-aac_pns", "0")
    frames, at = [], 0
    while at < len(data):
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames.append(data[at : at + size])
        at += size
    content = b"com.apple.streaming.transportStreamTimestamp\0" + bytes(8)
    frame = b"PRIV" + len(content).to_bytes(4, "big") + bytes(2) + content
    tag = b"ID3\x04\0\0\0\0\0" + bytes([len(frame)]) + frame
    return b"".join(tag + b"".join(frames[first : first + 43]) for first in range(0, len(frames), 43))


def with_quiet_pauses(directory: Path) -> bytes:
    """Opus that sends nothing in pauses: a hole of 400 ms in each second."""
    video(directory, "a.webm", "-c:a", "libopus")
    return moved(
        directory / "a.webm", directory / "pauses.webm", lambda time: None if 0.3 < time % 1 < 0.7 else time
    ).read_bytes()


def from_a_later_time(directory: Path, name: str, seconds: float, *options: str) -> bytes:
    """A copy whose clock begins at another time."""
    video(directory, f"a{Path(name).suffix}")
    source = directory / f"a{Path(name).suffix}"
    words(
        "-i", str(source), "-c", "copy", "-copyts", "-output_ts_offset", str(seconds), *options, str(directory / name)
    )
    return (directory / name).read_bytes()


def with_edits(directory: Path, *edits: tuple[float, float | None]) -> bytes:
    """An MP4 whose sound is played by this list: each for so long, from there on (None: nothing), in seconds."""
    data = bytearray(video(directory, "a.mp4"))
    movie = data.index(b"moov") - 4
    track = data.index(b"trak", data.index(b"trak") + 4) - 4
    old = data.index(b"edts", track) - 4
    entries = [
        struct.pack(">IiI", round(1000 * long), -1 if start is None else round(RATE * start), 0x10000)
        for long, start in edits
    ]
    new = box(b"edts", box(b"elst", bytes(4) + len(entries).to_bytes(4, "big") + b"".join(entries)))
    more = len(new) - int.from_bytes(data[old : old + 4], "big")
    data[old : old + len(new) - more] = new
    for at in (movie, track):
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + more).to_bytes(4, "big")
    return bytes(data)


def joined(*names: tuple[str, tuple[str, ...]]) -> Maker:
    """Videos end to end."""
    return lambda directory: b"".join(video(directory, name, *sound) for name, sound in names)


STEREO = ("-c:a", "aac", "-aac_pns", "0", "-ar", "48000", "-ac", "2")
ITS_LENGTH = "it believes the length that is stated"
ITS_TRACKS = "it takes the tracks of the first recording for those of both"
ITS_SEARCH = "it does not find the sound"
ITS_CLOCK = "it strings the sound together"
BOTH = ("recordings",)
TROUBLES = {
    "wav, sizes never written": Trouble(lambda _: wav(samples().tobytes(), riff=0, size=0), SECONDS, ONCE),
    "wav, a chunk without its last byte": Trouble(
        lambda _: wav(samples().tobytes(), before=b"LIST\x13\0\0\0INFOISFT\7\0\0\0Lavf58\0"), SECONDS, ONCE, ITS_SEARCH
    ),
    "wav, zeros before the sound": Trouble(
        lambda _: wav(samples().tobytes(), before=bytes(100)), SECONDS, ONCE, ITS_SEARCH
    ),
    "rf64, lengths never written": Trouble(large_wav_without_lengths, SECONDS, ONCE, ITS_LENGTH),
    "rifx": Trouble(wav_with_its_highest_bytes_first, SECONDS, ONCE, "it takes the bytes in the wrong order: noise"),
    "aiff, length of the sound never written": Trouble(lambda d: aiff(d, sound=0), SECONDS, ONCE, ITS_LENGTH),
    "aiff, half the sound stated": Trouble(lambda d: aiff(d, sound=RATE * SECONDS), SECONDS, ONCE, ITS_LENGTH),
    "aiff, twice the frames stated": Trouble(lambda d: aiff(d, frames=2 * RATE * SECONDS), SECONDS, ONCE),
    "aiff of mu-law, ten times the frames stated": Trouble(
        lambda d: aiff(d, "-c:a", "pcm_mulaw", frames=10 * RATE * SECONDS), SECONDS, ONCE
    ),
    "nut, five hours ahead": Trouble(five_hours_ahead, SECONDS, ONCE),
    "au, length 0": Trouble(lambda d: patched(audio(d, "a.au"), b".snd", 4, bytes(4)), SECONDS, ONCE),
    "caf, half the sound stated": Trouble(
        lambda d: patched(audio(d, "a.caf"), b"data", 0, (RATE * SECONDS).to_bytes(8, "big")), SECONDS, ONCE, ITS_LENGTH
    ),
    "wmv, twice the size stated": Trouble(asf_of_double_size, SECONDS, ONCE),
    "mkv, twice the duration stated": Trouble(with_double_duration, SECONDS, ONCE),
    "mkv, one cluster at a wrong time": Trouble(with_one_wrong_cluster, SECONDS, {1: 1, 3: 3, 5: 5}),
    "ogg, ages stated": Trouble(with_endless_pages, SECONDS, ONCE),
    "voc with a silence": Trouble(
        lambda _: voc((1, voice(166, 3, 0)), (3, struct.pack("<HB", 22221, 166)), (1, voice(166, 3, 3))),
        8,
        {1: 1, 4: None, 7: 5},
        ITS_CLOCK,
    ),
    "voc with a repeat": Trouble(
        lambda _: voc(
            (1, voice(166, 2, 0)),
            (6, b"\2\0"),
            (1, voice(166, 2, 2)),
            (7, b""),
            (6, b"\xff\xff"),
            (1, voice(166, 2, 4)),
            (7, b""),
        ),
        10,
        {1: 1, 3: 3, 5: 3, 7: 3, 9: 5},
        "it plays once what is repeated",
    ),
    "voc of two rates": Trouble(
        lambda _: voc((1, voice(166, 3, 0)), (1, voice(211, 3, 3))), SECONDS, ONCE, ITS_TRACKS, BOTH
    ),
    "w64, a tenth stated": Trouble(lambda d: w64(d, share=0.1), SECONDS, ONCE, ITS_LENGTH),
    "mp3 in a wav, half of it stated": Trouble(mp3_in_half_a_wav, SECONDS, ONCE, ITS_LENGTH, ("states-less",)),
    "mp4 and mkv": Trouble(joined(("a.mp4", ()), ("s.mkv", STEREO)), 12, TWICE, ITS_TRACKS, BOTH),
    "mp4 and avi": Trouble(joined(("a.mp4", ()), ("p.avi", ("-c:a", "pcm_s16le"))), 12, TWICE, ITS_TRACKS, BOTH),
    "mkv and mp4": Trouble(joined(("s.mkv", STEREO), ("a.mp4", ())), 12, TWICE, ITS_TRACKS, BOTH),
    "mkv and mkv of another rate": Trouble(joined(("a.mkv", ()), ("s.mkv", STEREO)), 12, TWICE, ITS_TRACKS, BOTH),
    "webm and webm of another codec": Trouble(
        joined(("v.webm", ("-c:a", "libvorbis")), ("a.webm", ("-c:a", "libopus"))), 12, TWICE, ITS_TRACKS, BOTH
    ),
    "avi and avi of another codec": Trouble(
        joined(("m.avi", ("-c:a", "libmp3lame")), ("p.avi", ("-c:a", "pcm_s16le"))), 12, TWICE, ITS_TRACKS, BOTH
    ),
    "wavpack and wavpack, with tags": Trouble(
        lambda d: 2 * audio(d, "a.wv", "-metadata", "title=One"), 12, TWICE, "it ends at the tag of the first", BOTH
    ),
    "flac in ogg, twice": Trouble(lambda d: 2 * audio(d, "f.ogg", "-c:a", "flac"), 12, TWICE),
    "ts, scrambled for a while": Trouble(
        scrambled_for_a_while, SECONDS, {1: 1, 3: None, 5: 5}, ITS_CLOCK, ("undecodable",)
    ),
    "aac in segments with tags": Trouble(in_segments_with_tags, SECONDS, ONCE),
    "webm, nothing sent in pauses": Trouble(with_quiet_pauses, SECONDS, {1.1: 1.1, 2.5: None, 5.1: 5.1}, ITS_CLOCK),
    "mp4 in fragments from 100 h on": Trouble(
        lambda d: from_a_later_time(d, "late.mp4", 360_000, "-movflags", "frag_keyframe+empty_moov"), SECONDS, ONCE
    ),
    "ts over the end of its clock": Trouble(lambda d: from_a_later_time(d, "late.ts", 95440.0), SECONDS, ONCE),
    "mp4, a part cut out": Trouble(lambda d: with_edits(d, (2, 0), (2, 4)), 4, {1: 1, 3: 5}),
    "mp4, nothing played at first": Trouble(lambda d: with_edits(d, (2, None), (3, 2)), 5, {1: None, 3: 3}, ITS_CLOCK),
    "mp4, the end played first": Trouble(lambda d: with_edits(d, (2, 4), (2, 0)), 4, {1: 5, 3: 1}),
}
