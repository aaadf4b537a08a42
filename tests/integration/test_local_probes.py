"""Probes: asked as queue-proxy and kubelet ask them, with the fields of the manifests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.integration.local_cluster import Place, alive, eventually

READINESS, LIVENESS = "spec/containers/0/readinessProbe", "spec/containers/0/livenessProbe"
ANSWERS, LIVES = {"httpGet": {"path": "/readyz"}}, {"httpGet": {"path": "/healthz"}}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_a_probe_without_a_period_is_given_up_soon_and_asked_again_while_the_last_is_worked_on(place: Place) -> None:
    async def scenario() -> None:
        place.make("note-probes")
        place.make("slow-probes")
        async with place.serving() as (local, session):
            request = asyncio.create_task(_pid(session, local.addresses["single"]))
            await eventually(lambda: len(place.seen) >= 5)
            assert not request.done()
            place.make("go")
            assert place.seen[0] == f"asked {await request}"

    asyncio.run(scenario())


def test_a_probe_with_a_period_has_the_time_that_it_says(place: Place) -> None:
    overlay = place.with_service("single", **{READINESS: {**ANSWERS, "periodSeconds": 1, "timeoutSeconds": 600}})

    async def scenario() -> None:
        place.make("note-probes")
        place.make("slow-probes")
        async with place.serving(overlay) as (local, session):
            request = asyncio.create_task(_pid(session, local.addresses["single"]))
            await eventually(lambda: place.seen)
            # Many times as long as without a period.
            await asyncio.sleep(3)
            assert len(place.seen) == 1
            place.make("go")
            await request

    asyncio.run(scenario())


def test_as_many_good_answers_are_waited_for_as_the_probe_wants(place: Place) -> None:
    overlay = place.with_service("single", **{READINESS: {**ANSWERS, "successThreshold": 3}})

    async def scenario() -> None:
        place.make("note-probes")
        async with place.serving(overlay) as (local, session):
            await _pid(session, local.addresses["single"])
            assert len(place.seen) >= 3

    asyncio.run(scenario())


def test_a_connection_is_enough_for_a_service_without_a_readiness_probe(place: Place) -> None:
    overlay = place.with_service("single", **{READINESS: {}})

    async def scenario() -> None:
        place.make("note-probes")
        async with place.serving(overlay) as (local, session):
            assert await _pid(session, local.addresses["single"])
        assert place.seen == []

    asyncio.run(scenario())


def test_a_process_that_is_not_ready_any_more_is_passed_over_while_another_is(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    probe = {**ANSWERS, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 60}
    overlay = place.with_service("pair", **{READINESS: probe})

    async def scenario() -> None:
        async with place.serving(overlay) as (local, session):
            url = local.addresses["pair"]
            both = [asyncio.create_task(_pid(session, url, "wait/go")) for _ in range(2)]
            await eventually(lambda: len(place.seen) == 2)
            place.make("go")
            first, second = await _pid(session, url), (await asyncio.gather(*both))
            (other,) = set(second) - {first}
            place.make(f"not-ready-{first}")
            await eventually(lambda: f"process {first} is not ready" in caplog.text)
            assert await _pid(session, url) == other
            place.make(f"not-ready-{other}")
            await eventually(lambda: f"process {other} is not ready" in caplog.text)
            assert await _pid(session, url) in (first, other)
            place.remove(f"not-ready-{first}")
            await eventually(lambda: f"process {first} is ready again" in caplog.text)
            assert await _pid(session, url) == first

    asyncio.run(scenario())


def test_a_process_that_fails_its_liveness_probe_is_stopped_and_replaced(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    # The delay is for a busy machine: a process that is not up yet fails as well.
    probe = {**LIVES, "initialDelaySeconds": 10, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 2}
    overlay = place.with_service("single", **{LIVENESS: probe})

    async def scenario() -> None:
        async with place.serving(overlay) as (local, session):
            url = local.addresses["single"]
            before = await _pid(session, url)
            await eventually(lambda: any(line.startswith("alive kube-probe/") for line in place.seen))
            place.make(f"stuck-{before}")
            await eventually(lambda: not alive(before))
            assert await _pid(session, url) != before
            assert f"process {before} failed its liveness probe" in caplog.text

    asyncio.run(scenario())


def test_liveness_is_not_asked_before_its_delay_is_over(place: Place) -> None:
    overlay = place.with_service("single", **{LIVENESS: {**LIVES, "initialDelaySeconds": 600, "periodSeconds": 1}})

    async def scenario() -> None:
        async with place.serving(overlay) as (local, session):
            await _pid(session, local.addresses["single"])
            # Time for several questions, had there been no delay.
            await asyncio.sleep(3)
            assert place.seen == []

    asyncio.run(scenario())


def test_what_fails_its_liveness_probe_while_it_starts_is_started_again(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    never = {"httpGet": {"path": "/refuse/503"}, "periodSeconds": 1}
    overlay = place.with_service("single", **{READINESS: {"httpGet": {"path": "/refuse/503"}}, LIVENESS: never})

    async def scenario() -> None:
        async with place.serving(overlay) as (local, session), session.get(local.addresses["single"]) as answer:
            assert answer.status == 503

    asyncio.run(scenario())
    assert caplog.text.count("single: failed its liveness probe before it was ready") >= 2


async def _pid(session: aiohttp.ClientSession, url: str, path: str = "tell") -> int:
    async with session.get(f"{url}/{path}") as answer:
        assert answer.status == 200
        return int((await answer.json())["pid"]) if path == "tell" else int(await answer.text())
