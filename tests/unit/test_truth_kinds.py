"""functions/convert/conversion: why there is no sound to be had, in words that fit what the file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.convert.conversion.containers.encryption import (
    is_scrambled,
    may_have_encrypted_samples,
    protected_tracks,
)
from functions.convert.conversion.containers.kinds import check_kind
from functions.convert.conversion.source import RangeFile
from functions.shared.reasons import HINTS, REASONS, Failure, hint_of
from tests import media
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.endings import box, ended, ffmpeg, joined_boxes

TONE = ("-f", "lavfi", "-i", "sine=440:duration=3")
PICTURE = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=3")
KEYS = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6" * 8, "-encryption_kid", "a7e6" * 8)
PARTIAL = pytest.mark.parametrize("options", [{}, {"partial": True}], ids=str)


@pytest.fixture(scope="module")
def m4a(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return ffmpeg(tmp_path_factory.mktemp("kinds") / "tone.m4a", *TONE, "-c:a", "aac").read_bytes()


@PARTIAL
@pytest.mark.parametrize(
    ("entry", "brand"), [(b"aavd", b"aax "), (b"aavd", b"M4A "), (b"mp4a", b"aaxc"), (b"drms", b"M4A ")]
)
def test_audiobooks_and_songs_under_protection_are_encrypted(
    m4a: bytes, options: dict[str, bool], entry: bytes, brand: bytes
) -> None:
    found = ended(m4a.replace(b"mp4a", entry, 1).replace(b"ftypM4A ", b"ftyp" + brand), options)
    assert found.code == "encrypted"


@PARTIAL
@pytest.mark.parametrize("shape", ["whole", "fragments", "no sinf", "no senc"])
def test_common_encryption_is_known_with_and_without_its_boxes(
    tmp_path: Path, options: dict[str, bool], shape: str
) -> None:
    flags = (
        ("-movflags", "+frag_keyframe+empty_moov", "-frag_duration", "500000")
        if shape in ("fragments", "no senc")
        else ()
    )
    data = ffmpeg(tmp_path / "a.mp4", *TONE, "-c:a", "aac", *KEYS, *flags).read_bytes()
    assert b"enca" in data
    if shape == "no sinf":
        data = data.replace(b"sinf", b"free")
    if shape == "no senc":
        data = data.replace(b"senc", b"free").replace(b"saiz", b"free").replace(b"saio", b"free")
    assert ended(data, options).code == "encrypted"


def test_sound_that_is_free_beside_encrypted_pictures_is_converted(tmp_path: Path) -> None:
    data = ffmpeg(tmp_path / "a.mp4", *TONE, *PICTURE, "-c:a", "aac", "-c:v", "mpeg4").read_bytes()
    found = ended(data.replace(b"mp4v", b"encv"))
    assert (found.code, found.tones(1, 2)) == ("done", [440, 440])


def test_one_free_track_beside_an_encrypted_one_leaves_the_file_usable(tmp_path: Path) -> None:
    words = (*TONE, "-f", "lavfi", "-i", "sine=880:duration=3", "-map", "0", "-map", "1", "-c:a", "aac")
    data = ffmpeg(tmp_path / "two.m4a", *words).read_bytes()
    first, _, rest = data.partition(b"mp4a")
    locked = first + b"enca" + rest
    assert protected_tracks(RangeFile(Bytes(locked)), 2) == (True, False)
    assert ended(locked, {"track": 0}).code == "encrypted"
    found = ended(locked, {"track": 1})
    assert (found.code, found.tones(1)) == ("done", [880])


@PARTIAL
def test_matroska_that_is_encrypted_is_told_without_a_key_id(tmp_path: Path, options: dict[str, bool]) -> None:
    """RFC 9559, 5.1.4.1.31: ContentEncodings, with an encryption (AES) that names no key."""
    data = ffmpeg(tmp_path / "a.mkv", *TONE, "-c:a", "libopus", "-write_crc32", "0").read_bytes()
    encryption = b"\x50\x35\x83\x47\xe1\x05".replace(b"\x83\x47\xe1\x05", b"\x84\x47\xe1\x81\x05")
    encoding = b"\x62\x40" + bytes([0x80 | len(b"\x50\x33\x81\x01" + encryption)]) + b"\x50\x33\x81\x01" + encryption
    encodings = b"\x6d\x80" + bytes([0x80 | len(encoding)]) + encoding
    # It goes where the track's name of its codec is, whose element becomes one of the track's with nothing in it.
    at = data.index(b"\xae\x01") if b"\xae\x01" in data else data.index(b"\xae")
    length_at = at + 1
    width = 9 - data[length_at].bit_length()
    size = int.from_bytes(data[length_at : length_at + width], "big") & ((1 << 7 * width) - 1)
    entry = data[length_at + width : length_at + width + size] + encodings
    track = b"\xae" + (len(entry) | 1 << 28).to_bytes(4, "big") + entry
    tracks_at = data.index(b"\x16\x54\xae\x6b")
    tracks = b"\x16\x54\xae\x6b" + (len(track) | 1 << 28).to_bytes(4, "big") + track
    segment = data.index(b"\x18\x53\x80\x67")
    unknown = data[: segment + 4] + b"\x01" + b"\xff" * 7
    rest = data[length_at + width + size :]
    locked = unknown + tracks + rest
    assert tracks_at < at
    assert ended(locked, options).code == "encrypted"


@PARTIAL
@pytest.mark.parametrize(
    "mark",
    ["fbb3112223bdd211b4b700a0c955fc6e", "14e68a292226174cb935dae07ee9289c", "338505438169e6499b74ad12cb86d58c"],
)
def test_windows_media_under_protection_is_encrypted(tmp_path: Path, options: dict[str, bool], mark: str) -> None:
    data = ffmpeg(tmp_path / "a.wma", *TONE, "-c:a", "wmav2").read_bytes()
    # Secret data, type of protection, key and address of the licence, each with its length.
    content = bytes(4) + b"\4\0\0\0DRM\0" + b"\4\0\0\0abc\0" + b"\4\0\0\0htt\0"
    inner = bytes.fromhex(mark) + (24 + len(content)).to_bytes(8, "little") + content
    size = int.from_bytes(data[16:24], "little") + len(inner)
    count = int.from_bytes(data[24:28], "little") + 1
    head = data[:16] + size.to_bytes(8, "little") + count.to_bytes(4, "little") + data[28:30] + inner
    assert ended(head + data[30:], options).code == "encrypted"


def test_a_scrambled_transport_stream_is_encrypted(tmp_path: Path) -> None:
    data = bytearray(ffmpeg(tmp_path / "a.ts", *TONE, "-c:a", "mp2").read_bytes())
    assert not is_scrambled(RangeFile(Bytes(bytes(data))))
    for at in range(0, len(data), 188):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == 0x100:
            data[at + 3] |= 0x80
            data[at + 4 : at + 188] = bytes((byte * 7 + 13) % 256 for byte in data[at + 4 : at + 188])
    assert ended(bytes(data)).code == "encrypted"


def test_sound_of_which_a_transport_stream_says_that_it_is_encrypted_is_not_noise(tmp_path: Path) -> None:
    data = bytearray(ffmpeg(tmp_path / "a.ts", *TONE, "-c:a", "aac").read_bytes())
    clear = bytes(data)
    for at in range(0, len(data), 188):
        name = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        if name == 0x1000:
            data[at + 17] = 0xCF
            data[at + 22 : at + 26] = _checksum(bytes(data[at + 5 : at + 22])).to_bytes(4, "big")
        elif name == 0x100:
            start = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0) + 40
            data[start : at + 188] = bytes(byte ^ 0x5A for byte in data[start : at + 188])
    assert [ended(bytes(data), options).code for options in ({}, {"partial": True})] == ["encrypted", "encrypted"]
    assert not may_have_encrypted_samples(RangeFile(Bytes(clear)))
    # Who decrypts it may leave in place what it says.
    for at in range(0, len(data), 188):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == 0x100:
            data[at : at + 188] = clear[at : at + 188]
    assert ended(bytes(data)).code == "done"


def _checksum(section: bytes) -> int:
    """ISO/IEC 13818-1, annex A."""
    value = 0xFFFF_FFFF
    for byte in section:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFF_FFFF
    return value


def test_an_empty_track_alone_is_no_audio(tmp_path: Path) -> None:
    words = (*PICTURE, *TONE, "-c:v", "mpeg4", "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov")
    boxes = joined_boxes(ffmpeg(tmp_path / "a.mp4", *words).read_bytes())
    alone = b"".join(whole for kind, whole in boxes if kind in (b"ftyp", b"moov"))
    for options in ({}, {"partial": True}):
        assert ended(alone + box(b"mdat", b""), options).code == "no-audio"


@PARTIAL
def test_an_mp4_without_its_index_gets_advice_that_can_help(m4a: bytes, options: dict[str, bool]) -> None:
    for data in (m4a[: len(m4a) * 2 // 3], m4a[: m4a.index(b"moov") - 4]):
        found = ended(data, options)
        assert (found.code, found.hint) == ("truncated", "no-index")
        detail = Failure(found.code, found.hint).detail
        assert "partial" not in detail
        assert "repaired" in detail


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif", b"crx "])
def test_a_picture_in_boxes_is_a_picture(brand: bytes) -> None:
    data = box(b"ftyp", brand + bytes(4) + brand) + box(b"meta", bytes(400)) + box(b"mdat", bytes(5000))
    with pytest.raises(Failure) as caught:
        check_kind(RangeFile(Bytes(data)))
    assert (caught.value.code, caught.value.hint) == ("not-media", "picture")
    assert "Playlists" not in caught.value.detail


@pytest.mark.parametrize("form", ["png", "jpg", "gif", "bmp", "tiff", "ppm", "pgm", "pcx", "dpx", "exr", "jp2"])
def test_a_picture_is_told_that_it_is_one(tmp_path: Path, form: str) -> None:
    path = ffmpeg(tmp_path / f"a.{form}", "-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-frames:v", "1")
    found = ended(path)
    assert (found.code, found.hint) == ("not-media", "picture")


@pytest.mark.parametrize("size", [256, 2560])
def test_a_box_whose_length_looks_like_a_picture_is_none(m4a: bytes, size: int) -> None:
    first = joined_boxes(m4a)[0][1]
    longer = box(b"ftyp", first[8:16] + b"isom" * ((size - 16) // 4))
    assert len(longer) == size
    check_kind(RangeFile(Bytes(longer + m4a[len(first) :])))


def test_video_without_sound_is_no_audio_and_not_a_picture(tmp_path: Path) -> None:
    assert ended(ffmpeg(tmp_path / "a.mp4", *PICTURE, "-c:v", "mpeg4")).code == "no-audio"


def test_video_of_a_rare_format_is_refused_as_a_format(tmp_path: Path) -> None:
    assert ended(ffmpeg(tmp_path / "a.y4m", *PICTURE, "-pix_fmt", "yuv420p")).code == "refused-format"


def test_tracks_of_a_plain_file_are_not_protected(tmp_path: Path, m4a: bytes) -> None:
    assert protected_tracks(RangeFile(Bytes(m4a)), 1) == (False,)
    for name, codec in (("a.mkv", "libopus"), ("a.wma", "wmav2"), ("a.ogg", "libvorbis")):
        assert protected_tracks(file_of(ffmpeg(tmp_path / name, *TONE, "-c:a", codec)), 1) == (False,)


@pytest.mark.parametrize(("entries", "code"), [((b"enca", b"mp4a"), "encrypted"), ((b"mp4a", b"enca"), "done")])
def test_of_two_indexes_the_first_tells_what_is_encrypted(m4a: bytes, entries: tuple[bytes, bytes], code: str) -> None:
    """It is the one that FFmpeg takes."""
    moov = next(whole for kind, whole in joined_boxes(m4a) if kind == b"moov")
    assert m4a.endswith(moov)
    first, second = (moov.replace(b"mp4a", entry, 1) for entry in entries)
    assert ended(m4a.removesuffix(moov) + first + second).code == code


@pytest.mark.parametrize("hint", HINTS)
def test_every_hint_belongs_to_a_reason_and_says_what_to_do(hint: str) -> None:
    code, text = HINTS[hint]
    assert hint_of(code, text) == hint
    failure = Failure(code, hint)
    assert (failure.title, failure.detail) == (REASONS[code][0], text)
    assert text.endswith(".")


# Before these, FFmpeg knows no ID3 tag; before the last two it does.
TAGGED = {
    "a.wav": (),
    "a.aiff": (),
    "a.caf": (),
    "a.au": (),
    "a.wv": (),
    "a.mkv": ("-c:a", "aac"),
    "a.m4a": ("-c:a", "aac"),
    "a.flv": ("-c:a", "aac"),
    "a.wma": ("-c:a", "wmav2"),
    "a.rm": ("-c:a", "ac3"),
    "a.flac": (),
    "a.mp3": ("-c:a", "libmp3lame"),
}


@pytest.mark.parametrize("name", TAGGED)
def test_an_id3_tag_in_front_hides_no_sound(tmp_path: Path, name: str) -> None:
    tag = b"ID3\4\0\0\0\0\x08\0" + bytes(1024)
    found = ended(tag + ffmpeg(tmp_path / name, *TONE, *TAGGED[name]).read_bytes())
    assert (found.code, found.codes, found.tones(0.5, 2.5)) == ("done", [], [440, 440])
    assert found.seconds == pytest.approx(3, abs=0.1)


def test_two_recordings_behind_an_id3_tag_are_both_taken(tmp_path: Path) -> None:
    tag = b"ID3\4\0\0\0\0\x08\0" + bytes(1024)
    whole = ffmpeg(tmp_path / "a.m4a", *TONE, "-c:a", "aac").read_bytes()
    found = ended(tag + whole + whole)
    assert (found.codes, found.tones(0.5, 5.5)) == (["recordings"], [440, 440])
    assert found.seconds == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.0107, 2.3331, 3.019])
def test_opus_in_webm_ends_with_the_last_sample(tmp_path: Path, seconds: float) -> None:
    """Its last packet is padded, and states by how much (DiscardPadding)."""
    sound = f"sine=440:sample_rate=48000:duration={seconds}"
    path = ffmpeg(tmp_path / "a.webm", "-f", "lavfi", "-i", sound, "-c:a", "libopus")
    theirs = media.samples(path, 1, "-ar", "48000")
    assert ended(path).seconds * 48000 == pytest.approx(theirs.shape[1], abs=0.5)
    assert theirs.shape[1] == pytest.approx(seconds * 48000, abs=1)


def test_a_demuxer_that_fails_at_the_end_of_the_file_leaves_nothing_unread(tmp_path: Path) -> None:
    words = ("-ar", "22050", "-ac", "2", "-c:a", "roq_dpcm")
    found = ended(ffmpeg(tmp_path / "a.roq", *TONE, *words))
    assert (found.code, found.codes, found.tones(0.5, 2.5)) == ("done", [], [440, 440])
