"""functions/convert/conversion/sound/decode.py: samples as ffmpeg decodes them, from anywhere on."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from functions.convert.conversion.containers.probe import opened, probe
from functions.convert.conversion.plan import planned
from functions.convert.conversion.sound.decode import blocks, packets
from functions.convert.conversion.source import RangeFile
from functions.shared.reasons import Failure
from tests.media import chirp, ffmpeg, samples
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.conversions import decoded, joined, plan_of

MPEG4 = ("-c:v", "mpeg4")
# Two decoders of aac put different noise where none is heard, unless it is told not to.
AAC = ("-c:a", "aac", "-aac_pns", "0")
# Name → its encoders, and the share of the file that reading it may fetch.
KINDS = {
    "aac.mp4": ((*MPEG4, *AAC), 1.0),
    "opus.mkv": ((*MPEG4, "-c:a", "libopus"), 1.01),
    "vorbis.webm": (("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"), 1.01),
    "aac.ts": (("-c:v", "mpeg2video", *AAC), 1.3),
    "mp2.ts": (("-c:v", "mpeg2video", "-c:a", "mp2"), 1.3),
    "mp3.avi": ((*MPEG4, "-c:a", "libmp3lame"), 1.1),
    "pcm.mov": ((*MPEG4, "-c:a", "pcm_s16le"), 1.0),
    "alac.m4a": (("-vn", "-c:a", "alac"), 1.1),
    "audio.flac": (("-vn", "-c:a", "flac"), 1.1),
    "video.wmv": (("-c:v", "wmv2", "-c:a", "wmav2"), 1.1),
    "video.flv": (("-c:v", "flv", *AAC), 1.1),
    "audio.mp3": (("-vn", "-c:a", "libmp3lame"), 1.1),
    "audio.ogg": (("-vn", "-c:a", "libvorbis"), 1.1),
    "audio.wav": (("-vn", "-c:a", "pcm_s24le"), 1.1),
    "fragments.mp4": ((*MPEG4, *AAC, "-movflags", "+frag_keyframe+empty_moov"), 1.1),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the videos are kept, each made once."""
    return tmp_path_factory.mktemp("decode")


def made(directory: Path, name: str) -> Path:
    path = directory / name
    return path if path.exists() else chirp(path, *KINDS[name][0])


@pytest.mark.parametrize("name", KINDS)
def test_the_samples_are_those_that_ffmpeg_gives(directory: Path, name: str) -> None:
    path = made(directory, name)
    found, file = decoded(path)
    assert_same(joined(found), samples(path, 2))
    assert file.bytes_read <= KINDS[name][1] * file.size + 2**18


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.7])
def test_one_can_go_on_from_a_place(directory: Path, name: str, share: float) -> None:
    path = made(directory, name)
    whole, file = decoded(path)
    number = int(len(whole) * share)
    place = whole[number].resume
    assert place
    assert place.sample == sum(block.samples for block in whole[:number])

    rest, again = decoded(path, at=place)

    assert np.array_equal(joined(rest), joined(whole[number:]))
    assert rest[0].resume == place
    assert again.bytes_read <= 1.1 * file.bytes_read + 2**18


@pytest.mark.parametrize("name", ["end.webm", "end.mka", "end.ogg"])
@pytest.mark.parametrize("samples_", [144_000, 144_001, 144_658, 144_959])
def test_opus_ends_at_the_very_sample(tmp_path: Path, name: str, samples_: int) -> None:
    """What its last packet has too much is left out: Matroska's DiscardPadding, and the last granule of an Ogg."""
    sound = ["-f", "lavfi", "-i", f"sine=sample_rate=48000,atrim=end_sample={samples_}"]
    subprocess.run([ffmpeg(), "-v", "error", *sound, "-c:a", "libopus", str(tmp_path / name)], check=True)
    assert joined(decoded(tmp_path / name)[0]).shape[1] == samples_


def test_a_place_that_the_index_does_not_lead_to_is_found_from_the_start(directory: Path) -> None:
    path = made(directory, "aac.mp4")
    whole, _ = decoded(path)
    middle = len(whole) // 2
    place = whole[middle].resume
    assert place
    rest, _ = decoded(path, at=place._replace(mark=place.mark._replace(pts=place.mark.pts and place.mark.pts + 1)))
    assert_same(joined(rest), joined(whole[middle:]))


def test_reading_an_mp4_fetches_little_but_the_sound(tmp_path: Path) -> None:
    noise = (
        "-filter:v",
        "noise=alls=80:allf=t",
        *MPEG4,
        "-b:v",
        "5M",
        "-minrate",
        "5M",
        "-maxrate",
        "5M",
        "-bufsize",
        "1M",
        *AAC,
    )
    for more in ((), ("-movflags", "+faststart")):
        path = chirp(tmp_path / f"noisy{len(more)}.mp4", *noise, *more)
        found, file = decoded(path)
        assert_same(joined(found), samples(path, 2))
        assert file.bytes_read < 0.15 * file.size


@pytest.mark.parametrize(
    "words", [("-ss", "2.513"), ("-ss", "7", "-t", "5.2"), ("-itsoffset", "1.5")], ids=lambda words: words[0]
)
def test_edit_lists_and_late_starts_are_as_with_ffmpeg(directory: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "edited.mp4"
    copy = [ffmpeg(), "-v", "error", *words, "-i", str(made(directory, "aac.mp4")), "-c", "copy", str(path)]
    subprocess.run(copy, check=True)
    found, _ = decoded(path)
    assert_same(joined(found), samples(path, 2))


def test_a_stream_may_change_its_rate_and_channels(tmp_path: Path) -> None:
    parts = [
        chirp(tmp_path / "a.ts", "-vn", *AAC, "-ar", "44100", seconds=3),
        chirp(tmp_path / "b.ts", "-vn", *AAC, "-ar", "48000", seconds=3, channels=1),
        chirp(tmp_path / "c.ts", "-vn", *AAC, "-ar", "44100", seconds=3),
    ]
    path = tmp_path / "all.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    found, _ = decoded(path)
    assert joined(found).shape[0] == 2
    assert joined(found).shape[1] == pytest.approx(9 * 44100, abs=8 * 1024)
    changed = next(at for at, block in enumerate(found) if block.resume is None)
    assert 2.5 < sum(block.samples for block in found[:changed]) / 44100 < 3.5
    assert all(block.resume is None for block in found[changed:])


def test_a_stream_may_change_its_channels_alone(tmp_path: Path) -> None:
    """To more, and back to fewer, at one sample rate: no sample is read that is not there."""
    counts = (1, 2, 6, 1)
    parts = [
        chirp(tmp_path / f"{count}.ts", "-vn", *AAC, "-ar", "44100", seconds=2, channels=count).read_bytes()
        for count in counts
    ]
    path = tmp_path / "all.ts"
    path.write_bytes(b"".join(parts))
    (found,) = joined(decoded(path)[0])
    assert len(found) == pytest.approx(2 * len(counts) * 44100, abs=8 * 1024)
    assert all(np.abs(found[second * 44100 :][:44100]).max() > 0.05 for second in range(2 * len(counts) - 1))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("name", "count"), [("51.mkv", 6), ("71.mkv", 8), ("quad.mkv", 4), ("stereo.mkv", 2)])
def test_channels_are_mixed_without_clipping(tmp_path: Path, name: str, count: int, channels: int) -> None:
    tones = "|".join(["0.999*sin(2*PI*440*t)"] * count)
    layout = {2: "stereo", 4: "quad", 6: "5.1", 8: "7.1"}[count]
    words = [*("-f", "lavfi", "-i", f"aevalsrc={tones}:c={layout}:d=1"), "-c:a", "flac"]
    subprocess.run([ffmpeg(), "-v", "error", *words, str(tmp_path / name)], check=True)
    mixed = joined(decoded(tmp_path / name, plan_of(tmp_path / name, channels=channels))[0])
    assert mixed.shape[0] == channels
    assert 0.95 < np.abs(mixed).max() <= 1.0


def test_the_centre_and_the_surround_are_quieter_by_three_decibels_and_the_lfe_is_left_out(tmp_path: Path) -> None:
    def left(channel: int) -> float:
        tones = "|".join("0.5*sin(2*PI*440*t)" if at == channel else "0" for at in range(6))
        words = [*("-f", "lavfi", "-i", f"aevalsrc={tones}:c=5.1:d=1"), "-c:a", "flac"]
        subprocess.run([ffmpeg(), "-v", "error", "-y", *words, str(tmp_path / "one.mkv")], check=True)
        return float(np.abs(joined(decoded(tmp_path / "one.mkv")[0])[0]).max())

    front_left, front_right, centre, lfe, back_left, back_right = map(left, range(6))
    assert front_left > 0.2
    assert centre / front_left == pytest.approx(0.7071, abs=0.001)
    assert back_left / front_left == pytest.approx(0.7071, abs=0.001)
    assert max(front_right, lfe, back_right) < 0.0001


def test_channels_in_another_order_are_mixed_for_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "order.mov"
    tones = "0.5*sin(2*PI*440*t)|0|0|0|0|0"
    words = [*("-f", "lavfi", "-i", f"aevalsrc={tones}:c=5.1:d=1"), "-c:a", "pcm_s16le"]
    subprocess.run([ffmpeg(), "-v", "error", *words, str(path)], check=True)
    data = path.read_bytes()
    # Core Audio's layout by a set of channels, left first, becomes its MPEG_5_1_D, which has the centre there.
    by_set, centre_first = bytes([0, 1, 0, 0, 0, 0, 0, 0x3F]), bytes([0, 124, 0, 6, 0, 0, 0, 0])
    assert data.count(by_set) == 1
    path.write_bytes(data.replace(by_set, centre_first))
    left, right = joined(decoded(path)[0])
    assert np.abs(left).max() > 0.1
    assert np.abs(left - right).max() < 0.0001


@pytest.mark.parametrize(("given", "made_of_it"), [(8000, 8000), (37800, 44100), (96000, 48000), (192000, 48000)])
def test_rates_that_mp3_does_not_have_are_resampled(tmp_path: Path, given: int, made_of_it: int) -> None:
    path = chirp(tmp_path / "rate.wav", "-vn", "-ar", str(given), "-c:a", "pcm_f32le", seconds=3)
    found = joined(decoded(path)[0])
    assert found.shape[1] == pytest.approx(3 * made_of_it, abs=2)
    expected = samples(path, 2, "-ar", str(made_of_it))
    length = min(found.shape[1], expected.shape[1])
    assert np.abs(found[:, :length] - expected[:, :length]).max() < 0.001


def test_a_trim_is_exact_to_the_sample(directory: Path) -> None:
    path = made(directory, "audio.flac")
    whole = joined(decoded(path)[0])
    found, _ = decoded(path, plan_of(path, start=1.234, end=3.5))
    assert np.array_equal(joined(found), whole[:, round(1.234 * 44100) : round(3.5 * 44100)])

    place = found[5].resume
    assert place
    assert place.sample == sum(block.samples for block in found[:5])
    rest, _ = decoded(path, plan_of(path, start=1.234, end=3.5), place)
    assert np.array_equal(joined(rest), joined(found[5:]))


def test_a_trim_reads_no_further_than_its_end(directory: Path) -> None:
    path = made(directory, "audio.wav")
    _, file = decoded(path, plan_of(path, end=1))
    assert file.bytes_read < 0.5 * file.size


def test_a_trim_that_leaves_nothing_is_a_failure(directory: Path) -> None:
    path = made(directory, "audio.flac")
    with pytest.raises(Failure) as caught:
        decoded(path, plan_of(path, start=30))
    assert caught.value.code == "nothing-left"


def test_fades_are_linear_and_exactly_at_the_ends(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    words = ["-f", "lavfi", "-i", "aevalsrc=0.5:s=44100:d=5", "-c:a", "pcm_f32le"]
    subprocess.run([ffmpeg(), "-v", "error", *words, str(path)], check=True)
    (found,) = joined(decoded(path, plan_of(path, fade_in=1, fade_out=2, end=4.5))[0])
    assert len(found) == round(4.5 * 44100)
    expected = np.full_like(found, 0.5)
    expected[:44100] *= np.arange(44100) / 44100
    expected[-88200:] *= 1 - np.arange(88200) / 88200
    assert np.abs(found - expected).max() < 0.001


def test_a_gain_is_in_decibels(directory: Path) -> None:
    path = made(directory, "audio.flac")
    plan = plan_of(path)
    found = list(blocks(opened(file_of(path)), plan, gain=-6.0206))
    assert np.abs(joined(found) - joined(decoded(path)[0]) / 2).max() < 1e-5
    assert found[5].resume


def test_a_few_broken_packets_are_borne(directory: Path, tmp_path: Path) -> None:
    data = bytearray(made(directory, "aac.ts").read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 3000, 188):
        data[at + 10 : at + 188] = bytes(178)
    path = tmp_path / "scratched.ts"
    path.write_bytes(data)
    found, _ = decoded(path)
    assert joined(found).shape[1] > 15 * 44100


def test_nothing_but_broken_packets_is_damage(directory: Path, tmp_path: Path) -> None:
    plan = plan_of(made(directory, "alac.m4a"))
    sound = bytearray(made(directory, "alac.m4a").read_bytes())
    start = sound.find(b"mdat") + 4
    stop = sound.find(b"moov") - 4
    sound[start:stop] = b"\xff" * (stop - start)
    path = tmp_path / "damaged.m4a"
    path.write_bytes(sound)
    with pytest.raises(Failure) as caught:
        decoded(path, plan)
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("name", ["aac.mp4", "opus.mkv", "mp3.avi", "audio.wav"])
def test_a_file_that_ends_too_early_is_refused_unless_a_part_is_wanted(
    directory: Path, tmp_path: Path, name: str
) -> None:
    whole = made(directory, name)
    if name == "aac.mp4":
        whole = chirp(tmp_path / "first.mp4", *KINDS[name][0], "-movflags", "+faststart")
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with pytest.raises(Failure) as caught:
        decoded(path)
    assert caught.value.code == "truncated"
    found, _ = decoded(path, plan_of(path, partial=True))
    assert 0.5 < joined(found).shape[1] / joined(decoded(whole)[0]).shape[1] < 0.75


def test_encrypted_sound_is_known_by_its_packets(directory: Path, tmp_path: Path) -> None:
    path = tmp_path / "encrypted.mp4"
    key = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6" * 8, "-encryption_kid", "a7e6" * 8)
    copy = [ffmpeg(), "-v", "error", "-i", str(made(directory, "aac.mp4")), "-c", "copy", *key, str(path)]
    subprocess.run(copy, check=True)
    with pytest.raises(Failure) as caught:
        decoded(path)
    assert caught.value.code == "encrypted"


@pytest.mark.parametrize("name", ["mp3.avi", "audio.mp3"])
def test_the_packets_of_mp3_are_its_frames(directory: Path, name: str) -> None:
    path = made(directory, name)
    container = opened(file_of(path))
    plan = planned(probe(container), {})
    assert plan.copy
    raw = b"".join(packets(container, plan))
    copied = [ffmpeg(), "-v", "error", "-i", str(path), "-vn", "-c", "copy", "-write_xing", "0", "-id3v2_version", "0"]
    expected = subprocess.run([*copied, "-f", "mp3", "-"], check=True, capture_output=True).stdout
    assert raw == expected


def test_another_track_is_another_sound(tmp_path: Path) -> None:
    path = tmp_path / "two.mp4"
    tones = [word for tone in (440, 880) for word in ("-f", "lavfi", "-i", f"sine={tone}:duration=5")]
    subprocess.run([ffmpeg(), "-v", "error", *tones, "-map", "0", "-map", "1", *AAC, str(path)], check=True)
    for track in (0, 1):
        found = joined(decoded(path, plan_of(path, track=track))[0])
        assert_same(found, samples(path, 1, "-map", f"0:a:{track}"))


def assert_same(found: np.ndarray[tuple[int, int]], expected: np.ndarray[tuple[int, int]]) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4


class Gone(Exception):
    """The source's own error."""


@pytest.mark.parametrize("name", ["aac.mp4", "opus.mkv", "aac.ts", "mp3.avi", "audio.mp3"])
def test_an_error_of_the_source_is_not_taken_for_one_of_the_file(directory: Path, name: str) -> None:
    class Breaking(Bytes):
        left = 10_000

        def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise Gone
            return super().fetch(ranges)

    path = made(directory, name)
    plan = plan_of(path)
    count = 0
    while count < 50:
        source = Breaking(path.read_bytes())
        source.left = count
        try:
            list(blocks(opened(RangeFile(source)), plan))
        except Gone:
            count += 1
        else:
            break
    assert 1 < count < 50


def test_a_stream_that_begins_in_the_middle_is_no_error(directory: Path, tmp_path: Path) -> None:
    first = made(directory, "aac.ts").read_bytes()
    words = [
        "-i",
        str(made(directory, "aac.ts")),
        "-map",
        "0",
        "-map",
        "0:a",
        "-map",
        "0:a",
        "-c",
        "copy",
        "-streamid",
        "0:256",
    ]
    second = tmp_path / "second.ts"
    subprocess.run([ffmpeg(), "-v", "error", *words, str(second)], check=True)
    path = tmp_path / "both.ts"
    path.write_bytes(first * 8 + second.read_bytes())
    found, _ = decoded(path)
    assert joined(found).shape[1] > 8 * 19 * 44100


@pytest.mark.parametrize("name", ["aac.mp4", "opus.mkv", "aac.ts", "mp3.avi", "audio.ogg", "audio.flac", "video.wmv"])
def test_whatever_is_wrong_with_a_file_is_a_failure_or_borne(directory: Path, name: str) -> None:
    whole = made(directory, name).read_bytes()
    chance = random.Random(name)
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 20, 300])):
            data[chance.randrange(chance.choice([2000, len(data)]))] = chance.randrange(256)
        with suppress(Failure):
            container = opened(RangeFile(Bytes(bytes(data))))
            plan = replace(planned(probe(container), {"partial": True}), copy=False)
            assert sum(block.samples for block in blocks(container, plan)) > 0
