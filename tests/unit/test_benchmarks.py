"""The benchmarks run, and write what they find: on two seconds of video."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from functions.shared.blobs.directory import DirectoryBlobs
from tests import engines
from tests.benchmarks import (
    cold_start,
    conversion,
    events,
    flood,
    intake,
    memory,
    report,
    scale,
    scale_plot,
    service,
    stages,
    through,
    throughput,
    trips,
    turns,
)
from tests.benchmarks.inputs import Maker
from tests.benchmarks.measure import Figures, command
from tests.benchmarks.ours import Ours
from tests.servers import RabbitMQ

SECONDS = 2
MB = 1024 * 1024


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(tmp_path_factory.mktemp("inputs"), SECONDS, SECONDS)


@pytest.fixture(scope="module")
def video(make: Maker) -> Path:
    return make.video("two-seconds.mp4", SECONDS)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    with Ours(tmp_path_factory.mktemp("ours")) as running:
        yield running


def test_a_command_is_measured_with_all_that_it_starts(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(8 * MB))
    figures = command(["sh", "-c", f"head -c {8 * MB} {tmp_path}/data | cat > {tmp_path}/copy; sleep 0.2"])
    assert (tmp_path / "copy").stat().st_size == 8 * MB
    assert figures.wall > 0.2
    assert figures.cpu > 0
    # By head out of the file, and by cat out of the pipe.
    assert 16 * MB <= figures.read_bytes < 17 * MB
    assert 0 < figures.peak_bytes < 50 * MB


def test_the_memory_of_a_command_is_its_own(tmp_path: Path) -> None:
    ballast = bytes(64 * MB)
    assert command(["true"]).peak_bytes < len(ballast)


def test_a_video_is_of_the_length_and_the_bitrate_that_is_said(video: Path) -> None:
    assert video.stat().st_size * 8 / SECONDS == pytest.approx(5.2e6, rel=0.1)


def test_the_ways_are_compared_in_turns(ours: Ours, video: Path, tmp_path: Path) -> None:
    ways = conversion.Ways(ours, tmp_path)
    mine = {conversion.OURS: ours.convert, conversion.COLD: lambda path: ours.convert(path, cold=True)}
    runs = conversion.compared({**mine, conversion.PLAIN: ways.plain}, video, 2)
    assert {name: len(figures) for name, figures in runs.items()} == dict.fromkeys(runs, 2)
    assert (tmp_path / "out.mp3").stat().st_size > 10_000
    assert all(figures.wall > 0 and figures.cpu > 0 for each in runs.values() for figures in each)
    assert runs[conversion.OURS][0].read_bytes < video.stat().st_size / 2
    assert runs[conversion.PLAIN][0].read_bytes > video.stat().st_size


def test_a_conversion_that_is_killed_is_paid_for_again(ours: Ours, video: Path) -> None:
    whole = ours.convert(video)
    assert ours.convert(video, kill_at=0.9).read_bytes == pytest.approx(2 * whole.read_bytes, rel=0.05)


def test_copying_and_reading_are_measured_for_every_container(ours: Ours, make: Maker) -> None:
    assert set(conversion.copied(ours, make, SECONDS)) == {"mkv", "mp4"}
    for container, (size, bytes_read, sound) in conversion.read(ours, make, SECONDS).items():
        assert 0.5 * sound < bytes_read < 2 * size, container


def test_clips_are_converted_by_ffmpeg_and_by_the_engine(ours: Ours, video: Path) -> None:
    assert throughput.plain([video], 1).per_minute > 0
    assert throughput.engines([ours], [video, video]).per_minute > 0


def test_clips_are_converted_by_all_of_audiolift(make: Maker, tmp_path: Path) -> None:
    clips = [make.video(f"clip-{number}.mp4", SECONDS) for number in range(throughput.WARMING + 1)]
    machine = throughput.Machine(tmp_path / "data", make.audio("blocking.mp4", 3600), lanes=1)
    try:
        load = machine.convert(clips)
    finally:
        machine.close()
    assert load.per_minute > 0
    assert {"convert", "convert's engine", "runner"} <= set(load.cpu)


def test_what_is_found_is_written_into_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: speed -->\nold\n<!-- end of measured -->\nafter\n")
    report.write("speed", report.table(("what", "s"), [("this", report.spread([3.0, 1.0, 2.0]))]), page)
    assert page.read_text() == (
        "before\n<!-- measured: speed -->\n| what | s |\n| --- | --: |\n| this | 2.00 (1.00–3.00) |\n"
        "<!-- end of measured -->\nafter\n"
    )
    with pytest.raises(ValueError, match="0 places for memory"):
        report.write("memory", "", page)


def test_the_page_has_a_place_for_all_that_is_measured() -> None:
    places = re.findall(r"<!-- measured: (.*) -->", report.PAGE.read_text())
    measuring = (cold_start, conversion, events, intake, memory, stages, through, throughput, trips)
    written = "".join(map(inspect.getsource, measuring))
    assert sorted(places) == sorted(re.findall(r'report\.write\("(.*?)"', written))
    computed = re.findall(r"<!-- measured: (.*) -->", scale.PAGE.read_text())
    assert sorted(computed) == sorted(re.findall(r'report\.write\("(.*?)"', inspect.getsource(scale)))


def test_the_plot_is_an_svg_with_a_bar_for_each_value() -> None:
    plot = ElementTree.fromstring(report.bars("a < b", {"10 s": {"one": (0.5, "0.5 s"), "other": (1.0, "1 s")}}))
    widths = [int(bar.attrib["width"]) for bar in plot.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths == [210, 420]


def test_ratios_are_those_of_the_same_turn() -> None:
    runs = {
        conversion.OURS: [Figures(1.0, 1.0, 1, 1), Figures(3.0, 1.0, 1, 1)],
        conversion.PLAIN: [Figures(2.0, 1.0, 1, 1), Figures(4.0, 1.0, 1, 1)],
    }
    assert "0.62 (0.50–0.75)" in conversion._comparison({"10 s": runs})


def test_bodies_pass_through_the_gateway_whole_and_unbuffered(tmp_path: Path) -> None:
    size = 128 * MB + 1
    passes, peaks = through.measured(tmp_path, [size], 1)
    for way in ("up", "down"):
        ((directly, past_the_gateway),) = passes[way, size]
        assert directly.cpu["gateway"] < past_the_gateway.cpu["gateway"]
    for before, after in peaks.values():
        assert after - before < size / 4
    assert "| up |" in through.rows(passes, peaks)


def test_floods_are_refused_while_a_good_client_is_answered(tmp_path: Path) -> None:
    """That each request is refused for its own reason, the flood itself sees to."""
    found = flood.measured(tmp_path, rate=500, seconds=0.5)
    assert found.keys() == flood.KINDS.keys()
    for _, paced, good, fast, _ in found.values():
        # The last turn of all connections may begin in the last moment.
        assert 0 < paced.per_second <= 500 + flood.CONNECTIONS / 0.5
        assert fast.per_second > 0
        assert 0 < good.p50 <= good.p95
    assert flood.rows(found, 500).count("\n") == 2 + len(flood.KINDS)


def test_ones_clip_is_timed_behind_anothers(tmp_path: Path) -> None:
    turn = turns.measured(tmp_path, 6)
    assert 0 <= turn.waited <= 6
    assert 0 <= turn.before <= 6
    assert turn.seconds > 0
    assert turn.alone > 0
    assert turns.rows(turn).count("\n") == 3


def test_fast_and_slow_uploads_are_taken_in_by_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    video = tmp_path / "video"
    video.write_bytes(bytes(20_000_000))
    with intake.serving(tmp_path) as function:
        assert intake.straight(DirectoryBlobs(str(function.blobs)), video)[0] > 0
        assert min(intake.fast(function, video, resumable=way) for way in (True, False)) > 0
        assert asyncio.run(intake.slow(function, 100, 2)) == (100 * 2 * intake.BYTES_A_SECOND, 100)
        assert max(function.rss()) < 150_000_000
    engines.leave()


def test_the_stages_of_a_job_add_up_and_each_round_trip_is_counted(video: Path, tmp_path: Path) -> None:
    with service.serving(tmp_path) as running:
        running.convert(video)
        sent, steps = running.convert(video)
        trips_of_convert = running.watch.trips("convert")
    found = stages.stages(sent, steps)
    assert list(found) == list(stages.STAGES)
    assert all(seconds > 0 for name, seconds in found.items() if name != "video flushed"), found
    published = next(step for step in steps if (step.by, step.what) == ("convert", "publish"))
    # All but fetching, which goes on meanwhile, is between the two moments; nothing is counted twice.
    assert sum(found.values()) == pytest.approx(published.end - sent, abs=0.05)
    verbs = {trip.what for trip in trips_of_convert}
    assert {"UPDATE jobs", "INSERT outbox", "INSERT job_events", "COMMIT"} <= verbs
    # Some 33; more where the lease has to be renewed meanwhile. Whoever adds to these slows every job down.
    assert len(trips_of_convert) < 60


def test_events_go_through_the_bridge(rabbitmq: RabbitMQ) -> None:
    (rate,) = asyncio.run(events.measured(rabbitmq.url, parallelism=10, count=100, rounds=1))
    assert 0 < rate.delivered <= rate.taken
    assert 0 < rate.cpu < 1
    assert events.rows({10: [rate]}).count("\n") == 3


def test_what_breaks_first_follows_from_what_a_job_costs() -> None:
    costs = scale.Costs(5.0, 60, 20, 20.0, 60, 400_000_000, 12_000_000, 15_000_000, 4, 5.0, 20, 8000)
    order = [limit.name for _, limit in scale.first_to_break(costs)]
    assert order[0] == "bytes into GridFS, whole videos"
    jobs = {limit.name: jobs for jobs, limit in scale.first_to_break(costs)}
    # 100 events in flight, each for 5 s, in an hour with three times the average.
    assert jobs["events in flight of one Trigger"] == pytest.approx(100 / 5 * 86_400 / 3)
    assert scale.shares(costs, 2e6)["commits to MySQL"] == pytest.approx(
        2 * scale.shares(costs, 1e6)["commits to MySQL"]
    )
    assert scale.pods_needed(costs, scale.jobs_of(costs, 100)) == pytest.approx(100, abs=1)


def test_a_simulated_day_knows_when_pods_are_too_few() -> None:
    costs = scale.Costs(5.0, 60, 20, 20.0, 60, 400_000_000, 12_000_000, 15_000_000, 4, 5.0, 20, 8000)
    enough, few = (scale.simulated(costs, 20_000, pods) for pods in (10, 3))
    assert enough.median == 0
    assert enough.p99 < few.p99
    assert few.longest > 600
    assert few.most_waiting > enough.most_waiting


def test_the_plot_of_scale_has_a_line_for_each_limit() -> None:
    drawn = ElementTree.fromstring(scale_plot.plot({"a": lambda jobs: jobs / 1e6, "b & c": lambda jobs: jobs / 1e5}))
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
