"""conversion/mpeg/copying.py: only one stream of MP3 is copied; what else is called MP3 is decoded."""

from __future__ import annotations

import json
import random
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from functions.convert.conversion import pipeline
from functions.convert.conversion.containers.icy import sound_between_titles
from functions.convert.conversion.containers.mp3_file import sound_start, stated_by_header
from functions.convert.conversion.mpeg.copying import Copy
from functions.convert.conversion.mpeg.frames import offsets
from functions.convert.conversion.plan import planned
from functions.convert.conversion.sound.timeline import Timeline
from functions.convert.conversion.source import RangeFile
from functions.convert.errors import NotOneStream
from functions.shared.reasons import Failure
from tests import media
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.conversions import probed
from tests.unit.endings import ended, ffmpeg, inside

JOB = {"options": {}, "threads": 1, "max_seconds": 3600, "state": None}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mp3")


def sine(
    directory: Path, name: str, hertz: int, seconds: float, rate: int = 44100, channels: int = 2, *words: str
) -> Path:
    """A tone, made once for each name."""
    path = directory / name
    if not path.exists():
        sound = f"sine={hertz}:sample_rate={rate}:duration={seconds}"
        ffmpeg(path, "-f", "lavfi", "-i", sound, "-ac", str(channels), *words)
    return path


def bare(directory: Path, hertz: int, seconds: float, rate: int = 44100, channels: int = 2) -> bytes:
    """The frames of an MP3, without a header or tags."""
    name = f"{hertz}-{seconds}-{rate}-{channels}.mp3"
    words = ("-write_xing", "0", "-id3v2_version", "0", "-b:a", "64k")
    return sine(directory, name, hertz, seconds, rate, channels, *words).read_bytes()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def contained(directory: Path, name: str, source: Path, *words: str) -> Path:
    return ffmpeg(directory / name, *words, "-i", str(source), "-c", "copy")


@pytest.mark.parametrize("name", ["a.mp3", "a.mp4", "a.mov", "a.mkv", "a.avi", "a.ts", "a.flv", "a.wav"])
def test_one_stream_is_copied_in_every_container(directory: Path, name: str) -> None:
    whole = sine(directory, "tagged.mp3", 440, 5)
    path = whole if name == "a.mp3" else contained(directory, name, whole)
    found = ended(path)
    assert (found.code, found.restarted, found.tones(1, 4)) == ("done", False, [440, 440])
    assert found.seconds == pytest.approx(5, abs=0.06)
    # All but the frame with the header is there, as it was.
    frames = [frame for _, frame in offsets(bare(directory, 440, 5))]
    assert len(frames) == pytest.approx(5 * 44100 / 1152, abs=3)


def test_three_rates_in_a_row_are_encoded_at_the_first_rate_and_the_length_is_right(directory: Path) -> None:
    parts = [bare(directory, 220, 4), bare(directory, 440, 4, 22050, 1), bare(directory, 660, 4, 48000)]
    found = ended(b"".join(parts))
    assert (found.code, found.restarted) == ("done", True)
    assert found.seconds == pytest.approx(12, abs=0.2)
    assert len(found.samples()) / 44100 == pytest.approx(found.seconds, abs=0.05)
    assert found.tones(1, 6, 11) == [220, 440, 660]
    stated = stated_by_header(RangeFile(Bytes(found.mp3)))
    assert stated
    assert stated.seconds == pytest.approx(12, abs=0.25)


def test_other_channels_in_the_middle_are_encoded(directory: Path) -> None:
    found = ended(bare(directory, 220, 3) + bare(directory, 330, 3, channels=1))
    assert (found.code, found.restarted, found.tones(1, 5)) == ("done", True, [220, 330])


def test_the_same_rate_and_channels_are_copied(directory: Path) -> None:
    found = ended(bare(directory, 220, 3) + bare(directory, 880, 3))
    assert (found.code, found.restarted, found.tones(1, 5)) == ("done", False, [220, 880])


@pytest.mark.parametrize("container", ["mp4", "mkv", "avi"])
def test_layer_ii_that_is_called_mp3_is_decoded(directory: Path, container: str) -> None:
    source = sine(directory, "two.mp2", 440, 3, 48000)
    data = contained(directory, f"two.{container}", source).read_bytes()
    called = {
        "mp4": data,  # Both layers are 0x6B there.
        "mkv": data.replace(b"A_MPEG/L2", b"A_MPEG/L3"),
        "avi": data.replace(b"auds\0\0\0\0", b"auds\x55\0\0\0").replace(
            b"\x50\0\2\0\x80\xbb\0\0", b"\x55\0\2\0\x80\xbb\0\0"
        ),
    }[container]
    found = ended(called)
    assert (found.code, found.tones(0.5, 2.5)) == ("done", [440, 440])
    assert found.seconds == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.5])
def test_what_an_edit_list_trims_away_is_not_in_the_mp3(directory: Path, seconds: float) -> None:
    """A word at the beginning that nobody may hear."""
    secret, rest = bare(directory, 3000, seconds), bare(directory, 440, 3)
    (directory / "secret.mp3").write_bytes(secret + rest)
    data = bytearray(contained(directory, "secret.mp4", directory / "secret.mp3").read_bytes())
    at = inside(bytes(data), [b"moov", b"trak", b"edts", b"elst"])
    start = len(list(offsets(secret))) * 1152
    data[at + 8 : at + 16] = struct.pack(">Ii", 2900, start)
    found = ended(bytes(data))
    assert (found.code, found.restarted) == ("done", True)
    assert found.seconds == pytest.approx(2.9, abs=0.05)
    spectrum = np.abs(np.fft.rfft(media.samples(write(directory / "out.mp3", found.mp3), 1)[0]))
    hertz = np.linspace(0, 22050, len(spectrum))
    assert spectrum[(hertz > 2900) & (hertz < 3100)].max() < 0.02 * spectrum.max()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("rate", "channels"), [(22050, 2), (44100, 1), (8000, 1)])
def test_a_sample_entry_with_a_wrong_rate_or_channels_is_corrected_by_the_frames(
    directory: Path, rate: int, channels: int
) -> None:
    data = bytearray(contained(directory, "entry.mp4", sine(directory, "tagged.mp3", 440, 5)).read_bytes())
    at = data.index(b"mp4a", data.index(b"stsd"))
    data[at + 20 : at + 22] = channels.to_bytes(2, "big")
    data[at + 28 : at + 32] = (rate << 16).to_bytes(4, "big")
    found = ended(bytes(data))
    assert (found.code, found.tones(1, 4)) == ("done", [440, 440])
    assert found.seconds == pytest.approx(5, abs=0.06)


@pytest.mark.parametrize("size", [700, 5_000, 100_000, 600_000, 3_000_000])
@pytest.mark.parametrize("kind", ["noise", "zeros", "html"])
def test_rubbish_before_the_first_frame_is_passed_over(directory: Path, size: int, kind: str) -> None:
    before = {"noise": noise(size), "zeros": bytes(size), "html": (b"<html>error</html>" * size)[:size]}[kind]
    found = ended(before + bare(directory, 440, 5))
    assert (found.code, found.tones(0.5, 4.5)) == ("done", [440, 440])
    assert found.seconds == pytest.approx(5, abs=0.1)


def test_frames_are_looked_for_in_a_bounded_way() -> None:
    class Endless(Bytes):
        """Gigabytes of what looks like a header everywhere."""

        def __init__(self) -> None:
            super().__init__(b"\xff\xfb\x90\x00" * 65536)
            self.size = 8 * 2**30

        def fetch(self, ranges: object) -> bytes:
            self.requests.append(list(ranges))  # type: ignore[call-overload]
            return b"".join((self.data * 8)[start % 4 :][:length] for start, length in ranges)  # type: ignore[attr-defined]

    source = Endless()
    assert sound_start(RangeFile(source)) is None
    assert sum(length for request in source.requests for _, length in request) < 8 * 2**20


def test_rubbish_in_between_and_behind_makes_no_hole(directory: Path) -> None:
    found = ended(bare(directory, 220, 3) + noise(5000) + bare(directory, 880, 3))
    assert (found.code, found.restarted, found.tones(1, 5)) == ("done", True, [220, 880])
    assert found.seconds == pytest.approx(6, abs=0.2)
    found = ended(bare(directory, 220, 3) + b"TAG" + bytes(125))
    assert (found.code, found.restarted, found.tones(1, 2.5)) == ("done", False, [220, 220])


def test_half_a_frame_at_the_end_is_left_out_of_the_copy(directory: Path) -> None:
    whole = bare(directory, 440, 3)
    found = ended(whole[:-100])
    assert (found.code, found.restarted) == ("done", False)
    assert found.seconds == pytest.approx(3 - 0.026, abs=0.06)


def test_free_format_is_told_as_a_format_that_cannot_be_read(directory: Path) -> None:
    """ISO/IEC 11172-3, 2.4.2.3: an index of zero, and frames of one length."""
    frame = bytearray(b"\xff\xfb\x00\x64" + bytes(32) + noise(380))
    with pytest.raises(Failure) as caught:
        sound_start(RangeFile(Bytes(noise(3000) + bytes(frame) * 50)))
    assert caught.value.code == "unsupported-codec"
    assert ended(bytes(frame) * 200).code == "unsupported-codec"


def test_a_copy_gives_nothing_that_is_no_frame(directory: Path) -> None:
    plan = planned(probed(sine(directory, "tagged.mp3", 440, 5)), {})
    with pytest.raises(NotOneStream):
        list(Copy(plan, Timeline(Fraction(1), 0.0)).frames([]))


def test_an_ordinary_mp3_is_read_once(directory: Path) -> None:
    for path in (sine(directory, "tagged.mp3", 440, 5), contained(directory, "once.mp4", directory / "tagged.mp3")):
        assert ended(path).bytes_read < 1.3 * path.stat().st_size


def test_what_was_encoded_instead_of_copied_is_resumed_as_encoded(directory: Path) -> None:
    parts = bare(directory, 220, 30) + bare(directory, 440, 15, 22050, 1)
    first = ended(parts)
    assert first.restarted
    states: list[bytes] = []
    kept, frames = [], b""
    for header, payload in pipeline.converted(Bytes(parts), JOB):
        frames = b"" if header["kind"] == "restart" else frames
        frames += payload if header["kind"] == "audio" else b""
        if header["kind"] == "checkpoint":
            states.append(payload)
            kept.append(frames)
    assert states
    again = ended(parts, state=json.loads(states[0]))
    assert not again.restarted
    head = len(first.mp3) - len(frames)
    assert kept[0] + again.mp3[head:] == first.mp3[head:]


def test_an_mp3_is_resumed_to_the_same_frames_from_each_checkpoint_where_headers_lie_in_between(
    directory: Path,
) -> None:
    parts = [
        sine(directory, f"{hertz}.mp3", hertz, length, rate)
        for hertz, length, rate in ((220, 90, 44100), (440, 5, 22050))
    ]
    data = b"".join(part.read_bytes() for part in parts)
    whole = ended(data)
    states: list[tuple[bytes, int]] = []
    size = 0
    for header, payload in pipeline.converted(Bytes(data), JOB):
        size = 0 if header["kind"] == "restart" else size + len(payload) * (header["kind"] == "audio")
        if header["kind"] == "checkpoint":
            states.append((payload, size))
    assert len(states) > 2
    for state, done in states:
        again = ended(data, state=json.loads(state))
        assert again.seconds == whole.seconds
        head = len(whole.mp3) - size
        assert again.mp3[:head] == whole.mp3[:head]
        assert again.mp3[head:] == whole.mp3[head + done :]


def test_the_frames_begin_where_the_file_says(directory: Path) -> None:
    path = sine(directory, "tagged.mp3", 440, 5)
    stated = stated_by_header(file_of(path))
    assert stated
    assert stated.stop == path.stat().st_size
    assert stated.seconds == pytest.approx(5, abs=0.06)


def with_titles(sound: bytes, interval: int, every: int) -> bytes:
    """As a radio sends it: a title at every `every`th interval, none at the others."""
    made = bytearray()
    for number, at in enumerate(range(0, len(sound), interval)):
        made += sound[at : at + interval]
        title = f"StreamTitle='Song {number}';StreamUrl='';".encode() if number % every == 0 else b""
        made += bytes([-(-len(title) // 16)]) + title.ljust(-(-len(title) // 16) * 16, b"\0")
    return bytes(made)


@pytest.mark.parametrize("begins_at", [0, 700])
@pytest.mark.parametrize(("interval", "every"), [(8000, 1), (8192, 4), (16000, 1), (16000, 3), (5000, 1)])
def test_titles_of_a_radio_are_taken_out_and_the_rest_is_copied(
    directory: Path, interval: int, every: int, begins_at: int
) -> None:
    sound = bare(directory, 440, 30)
    rip = with_titles(sound, interval, every)[begins_at:]
    # A rip begins wherever somebody pressed the button.
    found = ended(rip)
    assert (found.code, found.restarted, found.tones(1, 15, 29)) == ("done", False, [440, 440, 440])
    assert found.seconds == pytest.approx(30, abs=0.15)
    assert found.mp3.endswith(sound[-5000:])


def test_what_only_looks_like_a_title_changes_nothing(directory: Path) -> None:
    sound = bare(directory, 440, 10)
    at = len(sound) // 2
    assert sound_between_titles(RangeFile(Bytes(sound))) is None
    assert sound_between_titles(RangeFile(Bytes(sound[:at] + b"\4StreamTitle='x';" + sound[at:]))) is None
