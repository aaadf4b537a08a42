"""conversion/tracks/outcome.py: judged is how much sound is missing, not what a file states of itself."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from functions.convert.conversion.containers.cut_off import MISSING_SECONDS, ending
from functions.convert.conversion.source import RangeFile
from tests import media
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.conversions import decoded, joined
from tests.unit.endings import ended, ffmpeg, joined_boxes

SECONDS = 8
TONE = ("-f", "lavfi", "-i", f"sine=440:sample_rate=44100:duration={SECONDS}")
PICTURE = ("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={SECONDS}")
MPEG4 = (*PICTURE, *TONE, "-c:v", "mpeg4", "-g", "25")
FRAGMENTS = (*MPEG4, "-c:a", "aac", "-movflags")
# Name → how it is made. What ends in the middle of a piece, or before the end that is stated, is cut off for sure.
KINDS = {
    "fast.mp4": (*MPEG4, "-c:a", "aac", "-movflags", "+faststart"),
    "mp3.mp4": (*MPEG4, "-c:a", "libmp3lame", "-movflags", "+faststart"),
    "fragments.mp4": (*FRAGMENTS, "+frag_keyframe+empty_moov"),
    "no-mark.mp4": (*FRAGMENTS, "+frag_keyframe+empty_moov+default_base_moof+skip_trailer"),
    "index.mp4": (*FRAGMENTS, "+dash+frag_keyframe+global_sidx"),
    "a.mkv": (*MPEG4, "-c:a", "libopus"),
    "mp3.mkv": (*MPEG4, "-c:a", "libmp3lame"),
    "a.flv": (*PICTURE, *TONE, "-c:v", "flv", "-c:a", "libmp3lame"),
    "mp3.avi": (*MPEG4, "-c:a", "libmp3lame"),
    "pcm.avi": (*MPEG4, "-c:a", "pcm_s16le"),
    "a.wmv": (*PICTURE, *TONE, "-c:v", "wmv2", "-c:a", "wmav2"),
    "a.ogg": (*TONE, "-c:a", "libvorbis", "-page_duration", "200000"),
    "a.opus": (*TONE, "-c:a", "libopus"),
    "a.mp3": (*TONE, "-c:a", "libmp3lame"),
    "a.wav": TONE,
    "rf64.wav": (*TONE, "-rf64", "always"),
    "a.w64": TONE,
    "a.aiff": TONE,
    "a.au": TONE,
    "a.caf": TONE,
    "a.flac": TONE,
    "a.tta": TONE,
    "a.wv": TONE,
}
# Nobody knows of these whether there was more.
OPEN_ENDED = {
    "live.mkv": (*MPEG4, "-c:a", "libopus", "-live", "1"),
    "a.ts": (*PICTURE, *TONE, "-c:v", "mpeg2video", "-c:a", "mp2"),
    "a.mpg": (*PICTURE, *TONE, "-c:v", "mpeg2video", "-c:a", "mp2"),
    "a.aac": (*TONE, "-c:a", "aac"),
    "a.ac3": (*TONE, "-c:a", "ac3"),
    "no-header.mp3": (*TONE, "-c:a", "libmp3lame", "-write_xing", "0"),
}
# These state where they end, too; FFmpeg reads no second one behind them.
SINGLE = {
    "a.mxf": (*PICTURE, *TONE, "-c:v", "mpeg2video", "-ar", "48000", "-c:a", "pcm_s16le"),
    "a.sox": TONE,
    "a.rm": (*TONE, "-c:a", "ac3"),
    "a.adx": TONE,
    "a.swf": (*PICTURE, *TONE, "-c:v", "flv", "-c:a", "libmp3lame"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endings")


def made(directory: Path, name: str) -> bytes:
    path = directory / name
    return (path if path.exists() else ffmpeg(path, *(KINDS | OPEN_ENDED | SINGLE)[name])).read_bytes()


@pytest.mark.parametrize("name", KINDS | OPEN_ENDED | SINGLE)
def test_a_whole_file_is_done_without_a_word_of_being_cut(directory: Path, name: str) -> None:
    found = ended(made(directory, name))
    assert (found.code, found.tones(1, 7)) == ("done", [440, 440])
    assert found.seconds == pytest.approx(SECONDS, abs=0.07)
    assert found.codes == (["end-unknown"] if name == "no-mark.mp4" else [])


@pytest.mark.parametrize("share", [0.4, 0.7, 0.93])
@pytest.mark.parametrize("name", KINDS | SINGLE)
def test_a_file_that_was_cut_off_is_truncated_and_partial_takes_what_there_is(
    directory: Path, name: str, share: float
) -> None:
    whole = made(directory, name)
    cut = whole[: int(len(whole) * share)]
    assert ended(cut).code == "truncated"
    found = ended(cut, {"partial": True})
    assert (found.code, found.codes, found.tones(1)) == ("done", ["ends-early"], [440])
    assert SECONDS * (share - 0.2) < found.seconds < SECONDS * (share + 0.1)


@pytest.mark.parametrize("share", [0.4, 0.7])
@pytest.mark.parametrize("name", OPEN_ENDED)
def test_what_nobody_can_know_is_done(directory: Path, name: str, share: float) -> None:
    whole = made(directory, name)
    found = ended(whole[: int(len(whole) * share)])
    assert found.code == "done"
    assert SECONDS * (share - 0.2) < found.seconds < SECONDS * (share + 0.1)


def test_a_transport_stream_that_ends_in_the_middle_of_a_packet_is_remarked(directory: Path) -> None:
    assert ended(made(directory, "a.ts")[:-50]).codes == ["end-unknown"]


def test_an_flv_that_ends_between_two_tags_before_the_end_that_it_states_is_remarked(directory: Path) -> None:
    data, stop = made(directory, "a.flv"), 13
    while stop < len(data) / 2:
        stop += 11 + int.from_bytes(data[stop + 1 : stop + 4], "big") + 4
    found = ended(data[:stop])
    assert (found.code, found.codes) == ("done", ["states-more"])
    assert found.warnings[0].values == {"stated": 8.0, "held": pytest.approx(found.seconds, abs=0.1)}


@pytest.mark.parametrize("missing", ["all of it", "a half"])
def test_an_avi_that_lacks_only_its_index_is_whole(directory: Path, missing: str) -> None:
    whole = made(directory, "mp3.avi")
    index = whole.rindex(b"idx1")
    found = ended(whole[: index if missing == "all of it" else (index + len(whole)) // 2])
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.07)


def test_a_nut_without_the_index_that_comes_last_is_remarked(directory: Path) -> None:
    whole = ffmpeg(directory / "a.nut", *MPEG4, "-c:a", "ac3").read_bytes()
    assert ended(whole).codes == []
    found = ended(whole[: len(whole) * 2 // 3])
    assert (found.code, found.codes[0], found.tones(1)) == ("done", "end-unknown", [440])


def test_a_television_recording_that_lost_its_index_is_truncated(directory: Path) -> None:
    whole = ffmpeg(directory / "a.wtv", *PICTURE, *TONE, "-c:v", "mpeg2video", "-c:a", "mp2").read_bytes()
    assert (ended(whole).code, ended(whole).codes) == ("done", [])
    assert [ended(whole[: len(whole) * share // 3]).code for share in (1, 2)] == ["truncated", "truncated"]


def fragments(data: bytes, keep: int) -> bytes:
    """The file up to a number of fragments."""
    kept, seen = b"", 0
    for kind, whole in joined_boxes(data):
        seen += kind == b"moof"
        if seen > keep:
            return kept
        kept += whole
    return kept


def test_a_cut_between_fragments_is_known_by_the_index_of_segments(directory: Path) -> None:
    cut = fragments(made(directory, "index.mp4"), 4)
    assert ended(cut).code == "truncated"
    found = ended(cut, {"partial": True})
    assert (found.code, found.codes) == ("done", ["ends-early"])
    assert found.seconds == pytest.approx(SECONDS / 2, abs=0.5)


@pytest.mark.parametrize("wide", [False, True])
def test_a_cut_between_fragments_is_known_by_the_length_in_the_header(directory: Path, wide: bool) -> None:
    """ISO/IEC 14496-12, 8.8.2: mehd, in ticks of mvhd (thousandths with ffmpeg)."""
    top = dict(joined_boxes(fragments(made(directory, "no-mark.mp4"), 0)))
    ticks = (SECONDS * 1000).to_bytes(8 if wide else 4, "big")
    mehd = (len(ticks) + 12).to_bytes(4, "big") + b"mehd" + bytes([wide, 0, 0, 0]) + ticks
    moov = top[b"moov"]
    at = moov.index(b"mvex") - 4
    mvex = (int.from_bytes(moov[at : at + 4], "big") + len(mehd)).to_bytes(4, "big") + b"mvex" + mehd + moov[at + 8 :]
    longer = (len(moov) + len(mehd)).to_bytes(4, "big") + moov[4:at] + mvex
    whole = made(directory, "no-mark.mp4").replace(moov, longer)
    # The offsets of these fragments count from each moof: what lies before may grow.
    assert (ended(whole).code, ended(whole).codes) == ("done", [])
    assert ended(fragments(whole, 4)).code == "truncated"
    assert ended(fragments(whole, 4), {"partial": True}).seconds == pytest.approx(SECONDS / 2, abs=0.5)


def test_a_cut_between_fragments_of_a_file_that_states_nothing_is_remarked(directory: Path) -> None:
    found = ended(fragments(made(directory, "fragments.mp4"), 4))
    assert (found.code, found.codes) == ("done", ["end-unknown"])
    assert found.seconds == pytest.approx(SECONDS / 2, abs=0.5)


def test_an_index_of_access_points_that_is_cut_costs_no_sound(directory: Path) -> None:
    found = ended(made(directory, "fragments.mp4")[:-20])
    assert (found.code, found.codes) == ("done", [])


def test_an_ogg_without_its_last_page_is_remarked(directory: Path) -> None:
    whole = made(directory, "a.ogg")
    found = ended(whole[: whole.rindex(b"OggS")])
    assert (found.code, found.codes) == ("done", ["end-unknown"])


def after(data: bytearray, name: bytes) -> int:
    return data.find(name) + len(name)


@pytest.mark.parametrize("more", [2, 36, 44, 2000, 4000])
@pytest.mark.parametrize("name", ["a.wav", "rf64.wav", "a.w64", "a.caf", "a.aiff", "a.au"])
def test_plain_sound_whose_stated_size_is_some_bytes_too_large_is_whole(directory: Path, name: str, more: int) -> None:
    data = bytearray(made(directory, name))
    # Where the lengths are, and how many bytes they have.
    lengths = {
        "a.wav": [(4, 4), (after(data, b"data"), 4)],
        "rf64.wav": [(20, 8), (28, 8)],
        "a.w64": [(16, 8), (after(data, b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")), 8)],
        "a.caf": [(after(data, b"data"), 8)],
        "a.aiff": [(4, 4), (after(data, b"SSND"), 4)],
        "a.au": [(8, 4)],
    }[name]
    order: Literal["little", "big"] = "little" if "w" in name else "big"
    for at, size in lengths:
        data[at : at + size] = (int.from_bytes(data[at : at + size], order) + more).to_bytes(size, order)
    found = ended(bytes(data))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.001)


@pytest.mark.parametrize("more", [8, 2048, 40_000])
@pytest.mark.parametrize("name", ["mp3.avi", "pcm.avi"])
def test_an_avi_that_has_its_index_is_whole_whatever_it_states(directory: Path, name: str, more: int) -> None:
    data = bytearray(made(directory, name))
    data[4:8] = (int.from_bytes(data[4:8], "little") + more).to_bytes(4, "little")
    found = ended(bytes(data))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.07)


@pytest.mark.parametrize("more", [1, 8, 5000, 10**6])
def test_an_mp4_whose_index_is_all_there_is_whole_whatever_its_data_state(directory: Path, more: int) -> None:
    data = bytearray(made(directory, "fast.mp4"))
    at = data.rindex(b"mdat") - 4
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + more).to_bytes(4, "big")
    found = ended(bytes(data))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.07)


@pytest.mark.parametrize("more", [1, 100, 20_000])
def test_a_matroska_that_reaches_its_duration_is_whole_whatever_its_segment_states(directory: Path, more: int) -> None:
    data = bytearray(made(directory, "a.mkv"))
    at = data.index(b"\x18\x53\x80\x67") + 4
    assert data[at] == 1
    data[at + 1 : at + 8] = (int.from_bytes(data[at + 1 : at + 8], "big") + more).to_bytes(7, "big")
    found = ended(bytes(data))
    assert (found.code, found.codes) == ("done", [])


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_matroska_that_is_cut_is_truncated(directory: Path, share: float) -> None:
    whole = made(directory, "a.mkv")
    assert ended(whole[: int(len(whole) * share)]).code == "truncated"


def test_the_threshold_is_a_tenth_of_a_second(directory: Path) -> None:
    whole = made(directory, "a.wav")
    second = 44100 * 2
    assert MISSING_SECONDS == 0.1
    assert ended(whole[: len(whole) - int(0.08 * second)]).code == "done"
    assert ended(whole[: len(whole) - int(0.12 * second)]).code == "truncated"


def test_a_bad_packet_and_a_wrong_stated_length_are_no_cut(directory: Path) -> None:
    """An MP4 that states four times its length, and whose packets are all there."""
    data = bytearray(made(directory, "fast.mp4"))
    at = data.rindex(b"mdhd", 0, data.rindex(b"soun"))
    data[at + 16 : at + 20] = (4 * SECONDS * 44100).to_bytes(4, "big")
    packet = data.rindex(b"mdat") + 4 + (len(data) - data.rindex(b"mdat")) // 2
    data[packet : packet + 300] = b"\xff" * 300
    assert ended(bytes(data)).code == "done"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_wav_that_states_less_than_it_holds_is_taken_whole_with_a_warning(directory: Path, share: float) -> None:
    data = bytearray(made(directory, "a.wav"))
    at = data.index(b"data") + 4
    stated = int(int.from_bytes(data[at : at + 4], "little") * share) // 2 * 2
    data[at : at + 4], data[4:8] = stated.to_bytes(4, "little"), (stated + at - 4).to_bytes(4, "little")
    found = ended(bytes(data))
    assert (found.code, found.codes, found.tones(1, 7.5)) == ("done", ["states-less"], [440, 440])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    assert found.warnings[0].values == {"stated": pytest.approx(SECONDS * share, abs=0.06), "held": SECONDS}
    assert f"{SECONDS}" in found.warnings[0].text


def test_chunks_behind_the_sound_are_no_sound(directory: Path) -> None:
    for more in (b"LIST" + (3000).to_bytes(4, "little") + bytes(3000), bytes(5000), b"id3 \x08\0\0\0" + bytes(8)):
        found = ended(made(directory, "a.wav") + more)
        assert (found.code, found.codes) == ("done", [])
        assert found.seconds == pytest.approx(SECONDS, abs=0.001)


@pytest.mark.parametrize("stated", [0, 0xFFFF_FFFF])
def test_a_wav_whose_writer_knew_no_length_is_whole(directory: Path, stated: int) -> None:
    data = bytearray(made(directory, "a.wav"))
    at = data.index(b"data") + 4
    data[at : at + 4] = data[4:8] = stated.to_bytes(4, "little")
    found = ended(bytes(data))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.001)


# FFmpeg does not read on in WavPack.
JOINED = [name for name in KINDS | OPEN_ENDED if name != "a.wv"]


@pytest.mark.parametrize("name", JOINED)
def test_two_recordings_in_one_file_are_both_taken(directory: Path, name: str) -> None:
    second = directory / f"second-{name}"
    words = [word.replace("sine=440", "sine=880") for word in (KINDS | OPEN_ENDED)[name]]
    data = made(directory, name) + ffmpeg(second, *words).read_bytes()
    found = ended(data)
    assert (found.code, found.tones(1, 7, 9.5, 15)) == ("done", [440, 440, 880, 880])
    assert found.seconds == pytest.approx(2 * SECONDS, abs=0.3)


def test_recordings_of_other_kinds_in_one_file_are_all_taken_and_counted(directory: Path) -> None:
    parts = [made(directory, "a.wav")]
    for number, rate in enumerate((22050, 48000)):
        sound = f"sine={660 + 220 * number}:sample_rate={rate}:duration=4"
        parts.append(ffmpeg(directory / f"{rate}.wav", "-f", "lavfi", "-i", sound, "-ac", "2").read_bytes())
    found = ended(b"".join(parts))
    assert (found.code, found.tones(1, 7, 9, 15)) == ("done", [440, 440, 660, 880])
    assert (found.codes, found.warnings[0].values) == (["recordings"], {"count": 3})
    assert found.seconds == pytest.approx(SECONDS + 8, abs=0.01)


def test_a_chain_of_ogg_streams_of_other_formats_is_taken_whole(directory: Path) -> None:
    sound = "sine=880:sample_rate=22050:duration=4"
    second = ffmpeg(directory / "other.ogg", "-f", "lavfi", "-i", sound, "-ac", "2", "-c:a", "libvorbis")
    found = ended(made(directory, "a.ogg") + second.read_bytes())
    assert (found.code, found.tones(1, 7, 9, 11)) == ("done", [440, 440, 880, 880])
    assert found.seconds == pytest.approx(SECONDS + 4, abs=0.1)


def test_the_second_recording_is_judged_for_being_cut(directory: Path) -> None:
    whole = made(directory, "a.wav")
    assert ended(whole + whole[: len(whole) // 2]).code == "truncated"


def test_what_follows_and_cannot_be_read_is_remarked(directory: Path) -> None:
    whole = made(directory, "a.wav")
    found = ended(whole + whole[:20])
    assert (found.code, found.codes) == ("done", ["rest-unread"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.001)


def test_an_mp4_whose_index_is_cut_behind_the_sound_is_whole(directory: Path) -> None:
    words = (*MPEG4, "-c:a", "aac", "-metadata", f"comment={'x' * 5000}")
    whole = ffmpeg(directory / "tagged.mp4", *words).read_bytes()
    assert whole.rindex(b"udta") > whole.rindex(b"stsz")
    found = ended(whole[:-2000])
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.07)


@pytest.mark.parametrize("name", ["a.wav", "mp3.mp4", "a.ogg", "a.flv"])
def test_two_recordings_are_resumed_to_the_same_samples(directory: Path, name: str) -> None:
    path = directory / f"twice-{name}"
    second = ffmpeg(directory / f"other-{name}", *[word.replace("=44100", "=22050") for word in KINDS[name]])
    path.write_bytes(made(directory, name) + second.read_bytes())
    whole, _ = decoded(path)
    places = [number for number in range(2, len(whole), 4) if whole[number].resume]
    assert len(places) > 3
    for number in places:
        place = whole[number].resume
        rest, _ = decoded(path, at=place)
        expected = joined(whole[number:])
        assert joined(rest).shape == expected.shape
        assert np.abs(joined(rest) - expected).max() < 1e-4


def test_an_mp3_with_fewer_frames_than_its_header_states_is_cut_off_and_one_with_more_is_not(directory: Path) -> None:
    whole = bytearray(made(directory, "a.mp3"))
    at = max(whole.find(b"Xing"), whole.find(b"Info"))
    frames = int.from_bytes(whole[at + 8 : at + 12], "big")
    whole[at + 8 : at + 12] = (frames // 2).to_bytes(4, "big")
    assert ended(bytes(whole)).code == "done"
    # Without a number of bytes, a header is only believed where much is missing.
    whole[at + 4 : at + 8] = (int.from_bytes(whole[at + 4 : at + 8], "big") & ~2).to_bytes(4, "big")
    for stated, code in ((frames + 40, "done"), (frames * 2, "truncated")):
        whole[at + 8 : at + 12] = stated.to_bytes(4, "big")
        assert ended(bytes(whole)).code == code


def test_a_sound_that_is_shorter_than_the_pictures_is_not_cut_off(directory: Path) -> None:
    """In containers that know one length for all; each states some bytes too many, too."""
    short = ("-f", "lavfi", "-i", "sine=440:duration=3")
    for name, codecs in (
        ("a.mkv", ("mpeg4", "libopus")),
        ("a.avi", ("mpeg4", "libmp3lame")),
        ("a.flv", ("flv", "libmp3lame")),
    ):
        path = ffmpeg(directory / f"short-{name}", *PICTURE, *short, "-c:v", codecs[0], "-c:a", codecs[1])
        data = bytearray(path.read_bytes())
        if name == "a.mkv":
            at = data.index(b"\x18\x53\x80\x67") + 4
            data[at + 1 : at + 8] = (int.from_bytes(data[at + 1 : at + 8], "big") + 50).to_bytes(7, "big")
        if name == "a.avi":
            data[4:8] = struct.pack("<I", int.from_bytes(data[4:8], "little") + 50)
        found = ended(bytes(data))
        assert (name, found.code) == (name, "done")
        assert found.seconds == pytest.approx(3, abs=0.07)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "bigbuckbunny"])
def test_the_end_of_a_file_is_looked_at_without_reading_it(directory: Path, name: str) -> None:
    path = media.recorded() if name == "bigbuckbunny" else directory / name
    if not path.exists():
        ffmpeg(path, *MPEG4, "-b:v", "4M", "-c:a", "libopus")
    file = file_of(path)
    ending(file)
    assert file.bytes_read <= 5 * 32 * 1024


def test_nothing_in_a_head_makes_the_look_at_the_end_fail() -> None:
    heads = [
        b"RIFF",
        b"RIFF\xff\xff\xff\0AVI ",
        b"\x1a\x45\xdf\xa3",
        b"OggS\0",
        b"FLV\1",
        b"caff\0\1\0\0",
        b"riff",
        b"ID3\4",
    ]
    heads += [
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",
        b"\0\0\0\x10ftypisom",
        b"\xff\xfb\x90\0",
    ]
    for head in heads:
        for size in (0, 1, 7, 30, 300, 5000):
            for filler in (b"\0", b"\xff", b"\x01", b"\x47"):
                ending(RangeFile(Bytes(head + filler * size)))
