"""functions/convert/conversion/containers/probe.py: what is in a file, and why there is nothing to convert in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from functions import gateway
from functions.convert.conversion.containers import probe as probe_module
from functions.convert.conversion.containers.probe import opened, probe
from functions.convert.conversion.media import Chapter
from functions.shared.reasons import Failure
from tests.media import KINDS, SECONDS, chirp, ffmpeg, make, recorded
from tests.unit.bytes_source import file_of
from tests.unit.conversions import probed

CODECS = {
    "mp4-aac.mp4": "aac",
    "mp4-faststart.mp4": "aac",
    "mov-pcm.mov": "pcm_s16le",
    "mkv-flac.mkv": "flac",
    "mkv-opus.mkv": "opus",
    "webm-vorbis.webm": "vorbis",
    "avi-mp3.avi": "mp3",
    "avi-ac3.avi": "ac3",
    "ts-mp2.ts": "mp2",
    "flv-aac.flv": "aac",
    "wmv-wma.wmv": "wmav2",
    "mpg-mp2.mpg": "mp2",
    "surround.mp4": "aac",
    "96k.mkv": "flac",
    "audio-only.ogg": "vorbis",
}
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n"
REFUSED = {
    "concat": "ffconcat version 1.0\nfile /etc/passwd\n",
    "concat-blank": "\n\nffconcat version 1.0\nfile /etc/passwd\n",
    "hls": PLAYLIST,
    "hls-bom": "\ufeff" + PLAYLIST,
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>',
    "dash-bare": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "smooth": '<?xml version="1.0"?><SmoothStreamingMedia></SmoothStreamingMedia>',
    "smil": '<smil><body><video src="file:///etc/passwd"/></body></smil>',
    "xspf": '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"></playlist>',
    "pls": "[playlist]\nFile1=/etc/passwd\n",
    "asx": "<ASX version='3'><entry><ref href='file:///etc/passwd'/></entry></ASX>",
    "reference": "[Reference]\nRef1=http://127.0.0.1/a.asf\n",
    "data": "data:video/mp4;base64,AAAA",
    "address": "http://127.0.0.1/video.mp4\n",
}
NO_MEDIA = {
    "text": b"hello world\n" * 50,
    "zeros": bytes(5000),
    "zip": b"PK\x03\x04" + b"\x09" * 3000,
    "one": b"a",
    "webvtt": b"WEBVTT\n\n00:00.000 --> 00:10.000\nhello\n",
    "srt": b"1\n00:00:00,000 --> 00:00:01,000\nHello\n\n2\n00:00:01,000 --> 00:00:02,000\nWorld\n",
    "ass": b"[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,Hi\n",
    "html": b"<!DOCTYPE html><html><body>Hello</body></html>\n" * 30,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\n" * 50,
    "exe": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff" + bytes(range(256)) * 100,
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the videos are kept, each made once."""
    return tmp_path_factory.mktemp("probe")


def made(directory: Path, name: str) -> Path:
    path = directory / name
    return path if path.exists() else make(path)


def why(path: Path) -> str:
    with pytest.raises(Failure) as caught:
        probe(opened(file_of(path)))
    return caught.value.code


def test_every_kind_is_covered() -> None:
    assert set(CODECS) | {"silent-movie.mp4"} == set(KINDS)


@pytest.mark.parametrize("name", CODECS)
def test_a_track_has_its_codec_rate_channels_and_length(directory: Path, name: str) -> None:
    media = probed(made(directory, name))
    (track,) = media.tracks
    assert track.codec == CODECS[name]
    assert track.sample_rate == {"mkv-opus.mkv": 48000, "96k.mkv": 96000}.get(name, 44100)
    assert (track.channels, track.layout) == ((6, "5.1") if name == "surround.mp4" else (1, "mono"))
    assert media.seconds == pytest.approx(SECONDS, abs=0.2)
    assert not media.cut_off


def test_a_person_s_video_is_read() -> None:
    media = probed(recorded())
    assert [track.codec for track in media.tracks] == ["aac"]
    assert (media.tracks[0].channels, media.tracks[0].sample_rate) == (6, 48000)


def test_tracks_have_languages_titles_and_a_default(directory: Path) -> None:
    path = directory / "tracks.mkv"
    tones = [word for tone in (440, 880) for word in ("-f", "lavfi", "-i", f"sine={tone}:duration=1")]
    about = [
        *("-metadata:s:a:0", "language=ger"),
        *("-metadata:s:a:1", "language=jpn"),
        "-metadata:s:a:1",
        "title=監督",
    ]
    words = [*tones, "-map", "0", "-map", "1", *about, "-disposition:a:0", "0", "-disposition:a:1", "default"]
    subprocess.run([ffmpeg(), "-v", "error", *words, "-c:a", "flac", str(path)], check=True)
    first, second = probed(path).tracks
    assert (first.position, first.language, first.title, first.default) == (0, "ger", "", False)
    assert (second.position, second.language, second.title, second.default) == (1, "jpn", "監督", True)


def test_tags_chapters_and_the_cover_are_found(directory: Path) -> None:
    notes = directory / "notes.txt"
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 1500}\ntitle={title}\n"
        for start, title in ((0, "Anfang"), (1500, "終わり"))
    )
    notes.write_text(f";FFMETADATA1\nTITLE=Übung\nartist=Jemand\n{chapters}", encoding="utf-8")
    cover = directory / "cover.png"
    subprocess.run(
        [ffmpeg(), "-v", "error", *("-f", "lavfi", "-i", "testsrc=d=1"), "-frames:v", "1", str(cover)], check=True
    )
    path = directory / "book.m4a"
    inputs = ["-i", str(made(directory, "mp4-aac.mp4")), "-i", str(notes), "-i", str(cover)]
    words = ["-map", "0:a", "-map", "2:v", "-map_metadata", "1", "-map_chapters", "1", "-c", "copy"]
    subprocess.run([ffmpeg(), "-v", "error", *inputs, *words, "-disposition:v", "attached_pic", str(path)], check=True)
    media = probed(path)
    assert (media.tags["title"], media.tags["artist"]) == ("Übung", "Jemand")
    assert media.chapters == (Chapter(0.0, 1.5, "Anfang"), Chapter(1.5, 3.0, "終わり"))
    assert media.cover_stream is not None
    assert opened(file_of(path)).streams[media.cover_stream].type == "video"


def test_tags_that_are_no_text_are_replaced(directory: Path) -> None:
    path = directory / "latin.mp3"
    tagged = ["-i", str(made(directory, "mp4-aac.mp4")), "-metadata", "title=QQQQ", "-vn", "-c:a", "libmp3lame"]
    subprocess.run([ffmpeg(), "-v", "error", *tagged, str(path)], check=True)
    path.write_bytes(path.read_bytes().replace(b"QQQQ", b"\xfc\xff\xfeQ"))
    assert probed(path).tracks


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("ending", ["mp4", "txt"])
def test_what_points_to_other_files_is_refused_whatever_its_name(directory: Path, name: str, ending: str) -> None:
    path = directory / f"{name}.{ending}"
    path.write_text(REFUSED[name], encoding="utf-8")
    assert why(path) == "refused-format"


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "tiff", "webp", "ppm"])
def test_pictures_are_refused(directory: Path, ending: str) -> None:
    path = directory / f"picture.{ending}"
    words = ["-f", "lavfi", "-i", "testsrc=d=1", "-frames:v", "1"]
    subprocess.run([ffmpeg(), "-v", "error", *words, str(path)], check=True)
    assert why(path) == "not-media"


@pytest.mark.parametrize("name", NO_MEDIA)
def test_what_is_no_media_is_told(directory: Path, name: str) -> None:
    path = directory / f"{name}.mp4"
    path.write_bytes(NO_MEDIA[name])
    assert why(path) == "not-media"


def test_nothing_is_told(directory: Path) -> None:
    path = directory / "nothing.mp4"
    path.touch()
    assert why(path) == "empty"


def test_a_silent_movie_is_told(directory: Path) -> None:
    assert why(made(directory, "silent-movie.mp4")) == "no-audio"


def test_an_mp4_without_its_index_is_truncated(directory: Path) -> None:
    whole = made(directory, "mp4-aac.mp4").read_bytes()
    path = directory / "cut.mp4"
    for size in (len(whole) // 2, whole.find(b"moov") - 4):
        path.write_bytes(whole[:size])
        assert why(path) == "truncated"


@pytest.mark.parametrize("name", ["mp4-faststart.mp4", "avi-mp3.avi"])
def test_a_file_that_states_more_than_there_is_is_cut_off(directory: Path, name: str) -> None:
    path = directory / f"cut-{name}"
    whole = made(directory, name).read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    assert probed(path).cut_off
    path.write_bytes(whole + b"rubbish at the end")
    assert not probed(path).cut_off


def test_a_protected_track_is_told(directory: Path) -> None:
    whole = chirp(directory / "plain.m4a", "-vn", "-c:a", "aac", seconds=1).read_bytes()
    path = directory / "protected.m4a"
    path.write_bytes(whole.replace(b"mp4a", b"drms"))
    assert why(path) == "encrypted"


def test_little_is_read_of_an_mp4(directory: Path) -> None:
    path = chirp(directory / "long.mp4", "-c:v", "mpeg4", "-b:v", "4M", "-vf", "noise=alls=90:allf=t", "-c:a", "aac")
    assert path.stat().st_size > 4 * 2**20
    file = file_of(path)
    probe(opened(file))
    assert file.bytes_read < 600_000


PAGE = Path(gateway.__path__[0]) / "page" / "sound"


def numbers(script: str, names: str) -> list[float]:
    """The numbers of a declaration of several names in a script of the page."""
    found = re.search(rf"const \[{names}\] = \[([\d_., ]+)\];", (PAGE / script).read_text())
    assert found, "the names are others now: this test has to know them"
    return [float(number.replace("_", "")) for number in found[1].split(",")]


def test_the_page_counts_on_less_probing_than_convert_does() -> None:
    """Of a video of which only the sound is sent, convert has to find in it what it would find in the whole.

    FFmpeg's own limits are 5 MB and 5 seconds (its options probesize and analyzeduration).
    """
    of_mp4, further = numbers("mp4.js", "PROBED, PROBED_FURTHER")
    seconds, of_matroska = numbers("matroska.js", "PROBED_SECONDS, PROBED")
    # An MP4 is probed with what lies around its samples.
    assert of_mp4 + 16 * 1024 < probe_module._PROBED_OF_MP4
    assert max(further, of_matroska) < 5_000_000
    assert seconds < 5
