"""The local runner over real processes: scaling, timeouts, crashes, and the command itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import aiohttp
import pytest

from knative.local.errors import StartError
from knative.local.runner import Options, running
from tests.integration.local_cluster import OVERLAY, ROOT, Place, alive, eventually


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_the_first_request_starts_a_process_with_its_environment(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session), session.get(f"{local.url}/tell") as answer:
            env = (await answer.json())["env"]
            assert env["K_SERVICE"] == "edge"
            assert env["K_SINK"] == local.addresses["test-broker-ingress"]
            assert env["OTHER_URL"] == local.addresses["single"]

    asyncio.run(scenario())


def test_only_bound_services_get_a_sink(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SINK", "http://leaked.example")

    async def scenario() -> None:
        async with place.serving() as (local, session), session.get(f"{local.addresses['pair']}/tell") as answer:
            assert "K_SINK" not in (await answer.json())["env"]

    asyncio.run(scenario())


def test_requests_that_queue_start_a_second_process_and_no_third(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            url = local.addresses["pair"]
            requests = [asyncio.create_task(_pid(session, f"{url}/wait/go")) for _ in range(3)]
            await eventually(lambda: len(place.seen) == 2)
            place.make("go")
            pids = await asyncio.gather(*requests)
            assert len(set(pids)) == 2

    asyncio.run(scenario())


def test_a_full_queue_refuses(place: Place) -> None:
    """As measured on Knative: with containerConcurrency 1 one runs, ten wait, the twelfth gets 503."""

    async def scenario() -> None:
        async with place.serving() as (local, session):
            url = local.addresses["single"]
            first = asyncio.create_task(_pid(session, f"{url}/wait/go"))
            await eventually(lambda: place.seen)
            waiting = [asyncio.create_task(_status(session, f"{url}/wait/go")) for _ in range(11)]
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in done] == [503]
            async with session.get(f"{url}/tell") as refused:
                # Word for word what queue-proxy says.
                assert (refused.status, await refused.text()) == (503, "pending request queue full\n")
            place.make("go")
            await first
            assert sorted(await asyncio.gather(*waiting)) == [200] * 10 + [503]

    asyncio.run(scenario())


def test_a_client_that_leaves_frees_its_slot(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            url = local.addresses["single"]
            request = asyncio.create_task(_status(session, f"{url}/wait/never"))
            await eventually(lambda: place.seen)
            request.cancel()
            assert await _status(session, f"{url}/tell") == 200

    asyncio.run(scenario())


def test_a_client_that_leaves_the_queue_takes_nothing_with_it(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            url = local.addresses["single"]
            first = asyncio.create_task(_status(session, f"{url}/wait/go"))
            await eventually(lambda: place.seen)
            second, third = (asyncio.create_task(_status(session, f"{url}/tell")) for _ in range(2))
            await asyncio.sleep(0)
            second.cancel()
            place.make("go")
            assert [await first, await third] == [200, 200]

    asyncio.run(scenario())


def test_over_the_timeout_is_504_and_frees_the_slot(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            url = local.addresses["hasty"]
            # A start that takes longer than the time limit is a 504 too.
            while await _status(session, f"{url}/tell") != 200:
                pass
            async with session.get(f"{url}/wait/never") as late:
                # Word for word what queue-proxy says.
                assert (late.status, await late.text()) == (504, "request timeout")
            assert await _status(session, f"{url}/tell") == 200

    asyncio.run(scenario())


def test_a_process_that_dies_is_a_502_and_the_next_request_starts_another(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            before = await _told_pid(session, local.url)
            assert await _status(session, f"{local.url}/die") == 502
            assert place.seen == ["dying"]
            assert await _told_pid(session, local.url) != before

    asyncio.run(scenario())


def test_an_idle_process_that_is_killed_is_replaced(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            before = await _told_pid(session, local.url)
            os.kill(before, signal.SIGKILL)
            await eventually(lambda: not Path(f"/proc/{before}").exists())
            assert await _told_pid(session, local.url) != before

    asyncio.run(scenario())


def test_a_function_that_cannot_start_says_why(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            assert await _status(session, f"{local.addresses['broken']}/tell") == 503
            assert await _status(session, f"{local.url}/tell") == 200

    asyncio.run(scenario())
    assert "broken: does not start: exit status 1\n    this function is broken" in caplog.text


def test_an_idle_process_is_stopped_and_the_next_request_starts_another(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            before = await _told_pid(session, local.addresses["brief"])
            await eventually(lambda: not alive(before))
            assert await _told_pid(session, local.addresses["brief"]) != before

    asyncio.run(scenario())


def test_min_scale_keeps_a_process_that_is_idle(place: Place) -> None:
    overlay = place.with_service("brief", **{"metadata/annotations/autoscaling.knative.dev~1min-scale": "1"})

    async def scenario() -> None:
        async with place.serving(overlay) as (local, session):
            first = await _told_pid(session, local.addresses["brief"])
            # Its window is a second: by then an idle process would have been stopped.
            await asyncio.sleep(2.5)
            assert await _told_pid(session, local.addresses["brief"]) == first

    asyncio.run(scenario())


def test_leaving_the_context_stops_every_process(place: Place) -> None:
    async def scenario() -> list[int]:
        async with place.serving() as (local, session):
            names = ["edge", "single", "pair"]
            return [await _told_pid(session, local.addresses[name]) for name in names]

    assert not any(alive(pid) for pid in asyncio.run(scenario()))


def test_no_child_outlives_a_runner_that_is_killed(place: Place) -> None:
    with place.runner() as runner:
        for name in ("edge", "single", "pair"):
            _get(f"{runner.addresses[name]}/tell")
        children = runner.children()
        assert len(children) == 3
        runner.process.kill()
        runner.process.wait()
        asyncio.run(eventually(lambda: not any(alive(pid) for pid in children)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_with_exit_status_0(place: Place, number: signal.Signals) -> None:
    with place.runner() as runner:
        _get(f"{runner.addresses['edge']}/tell")
        children = runner.children()
        runner.process.send_signal(number)
        assert runner.process.wait() == 0
        assert children
        assert not any(alive(pid) for pid in children)


def test_a_taken_port_is_said(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert _fails(place, f"--port={port}") == (
            f"audiolift: port {port} is taken by another program. Choose another: make run PORT={port + 1}\n"
        )


def test_a_data_directory_in_use_is_said(place: Place) -> None:
    with place.runner():
        assert f"another audiolift already uses {place.data}" in _fails(place)


def test_a_data_directory_that_cannot_be_made_is_said(place: Place) -> None:
    place.data.write_text("a file")
    assert f"the data directory {place.data} cannot be used: File exists" in _fails(place)


def test_a_job_that_fails_stops_the_start(place: Place, tmp_path: Path) -> None:
    container = {"name": "prepare", "image": "fixture", "command": ["python", "-c", "raise SystemExit('no tables')"]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "prepare"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }
    (tmp_path / "job.yaml").write_text(json.dumps(job))
    overlay = place.overlay(resources=[str(OVERLAY), "../job.yaml"])

    async def scenario() -> None:
        async with running(Options(overlay, place.data, port=0)):
            pass

    with pytest.raises(StartError, match="the Job prepare failed: exit status 1\n    no tables"):
        asyncio.run(scenario())


def _fails(place: Place, *arguments: str) -> str:
    """What the command says when it does not start; it says it in one line."""
    command = [sys.executable, "-m", "knative.local", str(OVERLAY), "--port=0", f"--data={place.data}", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    return ended.stderr


def _get(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        answer.read()


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        await answer.read()
        return answer.status


async def _pid(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        return int(await answer.text())


async def _told_pid(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/tell") as answer:
        return int((await answer.json())["pid"])
