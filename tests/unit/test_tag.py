"""functions/convert/conversion/mpeg/tag.py, as mutagen and FFmpeg read what it writes."""

from __future__ import annotations

import math
from io import BytesIO

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.id3 import ID3, ParseID3v1

from functions.convert.conversion.media import Chapter
from functions.convert.conversion.mpeg import tag

# MPEG-1 layer III, 128 kbit/s, 44.1 kHz, silent: all of its side information is zero.
FRAME = b"\xff\xfb\x90\x64" + bytes(413)
TAGS = {
    "title": "Grüße 🎧 שלום",
    "artist": "Jane Doe",
    "album_artist": "Various",
    "album": "Talks",
    "date": "2024-05-01",
    "genre": "Podcast",
    "track": "3/12",
    "disc": "1/2",
    "composer": "名前",
    "language": "deu",
    "copyright": "© 2024 me",
    "publisher": "Ours",
    "comment": "what\nfollows",
}
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00 \xff\xe0 nobody looks at it \xff\xd9"
MEBIBYTE = 1024**2


def read(prefix: bytes) -> ID3:
    return ID3(BytesIO(prefix + FRAME * 8))


def numbered(count: int, title: str = "Part {}") -> list[Chapter]:
    return [Chapter(index * 10.0, index * 10.0 + 10, title.format(index)) for index in range(count)]


def test_every_tag_is_read_back_by_its_frame() -> None:
    found = read(tag.id3v2(TAGS, [], None))
    assert found.version == (2, 4, 0)
    texts = {name: [str(text) for text in frame.text] for name, frame in found.items()}
    own_frames = {frame: [TAGS[name]] for name, frame in tag.FRAMES.items()}
    assert texts == {**own_frames, "COMM::deu": ["what\nfollows"]}


def test_ffmpeg_reads_tags_chapters_and_sound() -> None:
    prefix = tag.id3v2(TAGS, numbered(300, "Kapitel {} 🎬"), None)
    with av.open(BytesIO(prefix + FRAME * 200), "r") as container:
        assert container.metadata == TAGS
        found = [(item["start"] * (item["time_base"] or 1), item["metadata"]) for item in container.chapters()]
        assert found == [(10 * index, {"title": f"Kapitel {index} 🎬"}) for index in range(300)]
        sizes = [packet.size for packet in container.demux() if packet.size]
    assert sizes == [len(FRAME)] * 200


def test_ffmpeg_reads_the_cover() -> None:
    with av.open(BytesIO(tag.id3v2({}, [], JPEG) + FRAME * 200), "r") as container:
        stream = container.streams.video[0]
        assert stream.metadata == {"comment": "Cover (front)"}
        assert bytes(next(container.demux(stream))) == JPEG


def test_the_cover_is_the_front_cover() -> None:
    (picture,) = read(tag.id3v2({"title": "x"}, [], JPEG)).getall("APIC")
    assert (picture.mime, picture.type, picture.desc, picture.data) == ("image/jpeg", 3, "", JPEG)


@pytest.mark.parametrize("prefix", [tag.id3v2({}, [], JPEG), tag.id3v2(TAGS, numbered(700), JPEG)])
def test_the_prefix_is_as_long_as_it_says(prefix: bytes) -> None:
    assert read(prefix).size == len(prefix)


@pytest.mark.parametrize("tags", [{}, {"encoder": "Lavf", "major_brand": "isom", "handler_name": "x", "title": "\0 "}])
def test_nothing_to_tell_is_no_tag_at_all(tags: dict[str, str]) -> None:
    assert tag.id3v2(tags, [], None) == b""


@pytest.mark.parametrize(
    ("given_", "read_"),
    [
        ("a\0b\x1b[31mc\x7f\x9f", "ab[31mc"),
        ("\ud83d half \udc00", "half"),
        ("one\r\ntwo\tthree\u2028four", "one two three four"),
        ("👩\u200d👩\u200d👧 \u05e9\u200f!", "👩\u200d👩\u200d👧 \u05e9\u200f!"),
        ("x" * 1_000_000, "x" * 1000),
    ],
)
def test_a_hostile_title_is_cleaned_and_cut(given_: str, read_: str) -> None:
    assert read(tag.id3v2({"title": given_}, [], None))["TIT2"].text == [read_]


@pytest.mark.parametrize(
    ("name", "given_", "read_"),
    [
        ("date", "2010-03-05T08:00:00Z", "2010-03-05"),
        ("date", "2010-13-41", "2010"),
        ("date", "2010", "2010"),
        ("date", "20100305", "2010"),
        ("date", "5.3.2010", "2010"),
        ("date", "yesterday", ""),
        ("track", "7", "7"),
        ("track", "3 of 4", ""),
        ("track", "٣", ""),
        ("disc", "1/2\0/3", ""),
        ("language", "ENG", "eng"),
        ("language", "und", ""),
        ("language", "german", ""),
    ],
)
def test_what_has_a_form_is_brought_into_it_or_dropped(name: str, given_: str, read_: str) -> None:
    found = read(tag.id3v2({"title": "x", name: given_}, [], None)).getall(tag.FRAMES[name])
    assert [str(text) for frame in found for text in frame.text] == ([read_] if read_ else [])


def test_a_comment_in_an_unknown_language_says_so() -> None:
    assert read(tag.id3v2({"comment": "x"}, [], None)).getall("COMM")[0].lang == "XXX"


@pytest.mark.parametrize("comment", ["", " \0\n", "said"])
def test_a_description_stands_in_for_a_comment(comment: str) -> None:
    (frame,) = read(tag.id3v2({"comment": comment, "description": "told"}, [], None)).getall("COMM")
    assert frame.text == ["said" if comment == "said" else "told"]


def test_chapters_have_times_and_titles_and_are_listed_in_order() -> None:
    found = read(tag.id3v2({}, [Chapter(61.5, 120, "B 🎶"), Chapter(0, 61.5, "A")], None))
    (contents,) = found.getall("CTOC")
    chapters = [found[f"CHAP:{name}"] for name in contents.child_element_ids]
    titles = [chapter.sub_frames["TIT2"].text for chapter in chapters]
    assert titles == [["A"], ["B 🎶"]]
    assert [(chapter.start_time, chapter.end_time) for chapter in chapters] == [(0, 61500), (61500, 120000)]
    assert {(chapter.start_offset, chapter.end_offset) for chapter in chapters} == {(0xFFFFFFFF, 0xFFFFFFFF)}
    assert contents.flags == 3


@pytest.mark.parametrize("count", [1, 255, 256, 1000, 5000])
def test_the_contents_lead_to_every_chapter_once(count: int) -> None:
    found = read(tag.id3v2({}, numbered(count), None))
    tables = {table.element_id: table for table in found.getall("CTOC")}
    assert [name for name, table in tables.items() if table.flags & 2] == ["toc"]

    def below(name: str) -> list[str]:
        return [x for child in tables[name].child_element_ids for x in below(child)] if name in tables else [name]

    titles = [found[f"CHAP:{name}"].sub_frames["TIT2"].text[0] for name in below("toc")]
    assert titles == [f"Part {index}" for index in range(min(count, 1000))]
    assert len(found.getall("CHAP")) == len(titles)


@pytest.mark.parametrize(
    ("chapter", "times"),
    [
        (Chapter(-5, 3, ""), [(0, 3000)]),
        (Chapter(-5, -3, ""), []),
        (Chapter(3, 3, ""), []),
        (Chapter(3, 2, ""), []),
        (Chapter(math.nan, 2, ""), []),
        (Chapter(0, math.nan, ""), []),
        (Chapter(0, math.inf, ""), []),
        (Chapter(1, 1e12, ""), [(1000, 0xFFFFFFFE)]),
        (Chapter(1, 1.7e308, ""), [(1000, 0xFFFFFFFE)]),
    ],
)
def test_odd_chapters_are_mended_or_dropped(chapter: Chapter, times: list[tuple[int, int]]) -> None:
    found = read(tag.id3v2({"title": "x"}, [chapter], None)).getall("CHAP")
    assert [(frame.start_time, frame.end_time) for frame in found] == times


def test_chapters_may_overlap() -> None:
    found = read(tag.id3v2({}, [Chapter(0, 60, "whole"), Chapter(10, 20, "part")], None)).getall("CHAP")
    assert sorted((frame.start_time, frame.end_time) for frame in found) == [(0, 60000), (10000, 20000)]


def test_the_longest_texts_stay_within_a_mebibyte() -> None:
    longest = "🎧" * 100_000
    prefix = tag.id3v2(dict.fromkeys([*TAGS, "other"], longest), numbered(5000, longest), JPEG)
    assert len(read(prefix).getall("CHAP")) == 1000
    assert len(prefix) < MEBIBYTE + len(JPEG)


def test_id3v1_is_read_back() -> None:
    suffix = tag.id3v1({**TAGS, "title": "Cafe\u0301 🎧"})
    found = ParseID3v1(suffix)
    texts = {name: str(frame.text[0]) for name, frame in found.items()}
    assert texts == {
        "TIT2": "Café ?",
        "TPE1": "Jane Doe",
        "TALB": "Talks",
        "TDRC": "2024",
        "COMM": "what follows",
        "TRCK": "3",
    }


@pytest.mark.parametrize("tags", [{}, dict.fromkeys(TAGS, "9" * 500), {"track": "300"}])
def test_id3v1_is_128_bytes(tags: dict[str, str]) -> None:
    suffix = tag.id3v1(tags)
    assert (len(suffix), suffix[:3], suffix[125:]) == (128, b"TAG", b"\x00\x00\xff")


@given(
    st.dictionaries(st.sampled_from([*TAGS, "encoder"]), st.text()),
    st.lists(st.builds(Chapter, st.floats(), st.floats(), st.text()), max_size=5),
)
def test_whatever_is_given_the_result_can_be_read(tags: dict[str, str], chapters: list[Chapter]) -> None:
    prefix = tag.id3v2(tags, chapters, JPEG)
    assert read(prefix).size == len(prefix)
    assert len(tag.id3v1(tags)) == 128
