"""Sweep asks Kubernetes what runs of each function: over TLS, at a server that stands in for the API server.

What that answers is checked against Kubernetes' own schema; that an API server answers so, only a cluster can show.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
import pytest

import functions.sweep.instances as instances
import functions.sweep.pods as pods
from functions.sweep.instance_shapes import Functions, Instance
from tests.integration.local_cluster import Place, alive, eventually
from tests.servers.certificates import self_signed, tls
from tests.servers.listening import Listening, Quiet

KUBERNETES = "1.34"
PATH = "/api/v1/namespaces/audiolift/pods"
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-27T12:04:00Z"}}


class ApiServer(Listening):
    """Lists `items` to who has `token`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(Answering)
        self.items: list[dict[str, Any]] = []
        self.token = "first"
        self.status = 200
        self.certificate = self_signed(directory)
        self.socket = tls(self.certificate).wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}{PATH}"


class Answering(Quiet):
    server: ApiServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        is_ours = parse_qs(url.query)["labelSelector"] == ["serving.knative.dev/service"] and url.path == PATH
        known = self.headers["Authorization"] == f"Bearer {self.server.token}"
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self.server.items}
        kubernetes_validate.validate(body, KUBERNETES, strict=True)
        self.send_response((self.server.status if known else 401) if is_ours else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    (tmp_path / "token").write_text("first")
    monkeypatch.setattr(pods, "CREDENTIALS", tmp_path)
    with ApiServer(tmp_path) as server:
        (tmp_path / "ca.crt").write_bytes(server.certificate.read_bytes())
        monkeypatch.setenv("PODS_URL", server.url)
        yield server


def pod(name: str, service: str, **more: Any) -> dict[str, Any]:
    """A pod that is ready; `more` is of its container, but for `deleted`, `status`."""
    metadata: dict[str, Any] = {"name": name, "creationTimestamp": "2026-11-27T12:00:00Z"}
    metadata |= {"labels": {pods.SERVICE: service, pods.REVISION: f"{service}-00002"}, "managedFields": []}
    if more.pop("deleted", False):
        metadata["deletionTimestamp"] = "2026-11-27T12:05:00Z"
    told = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], **more.pop("status", {})}
    proxy, own = ({"image": "", "imageID": "", "ready": True, "restartCount": 0, "name": each} for each in CONTAINERS)
    return {"metadata": metadata, "status": {"containerStatuses": [proxy, {**own, **more}], **told}}


CONTAINERS = ("queue-proxy", "user-container")
UNREADY = {"conditions": [{"type": "Ready", "status": "False"}]}
UNPLACED = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]


def test_what_kubernetes_lists_is_shown_by_function(api: ApiServer) -> None:
    api.items = [
        pod("a", "convert", restartCount=1, lastState=KILLED),
        pod("b", "convert", deleted=True),
        pod("c", "convert", status=UNREADY, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=KILLED),
        pod("d", "convert", status={"phase": "Pending", "conditions": UNPLACED, "containerStatuses": None}),
        pod("e", "convert", status={"phase": "Failed", "reason": "Evicted", "conditions": []}),
        pod("f", "sweep"),
        pod("g", "of-somebody-else"),
    ]
    seen = instances.of_functions()
    assert seen.unseen is None
    by_name = {each.name: each for each in seen.items}
    assert (list(by_name), by_name["gateway"].instances) == ([*instances.FUNCTIONS], [])
    convert = by_name["convert"]
    assert (convert.ready, convert.starting, convert.terminating, convert.failed) == (1, 2, 1, 1)
    told = {each.name: (each.state, each.why, each.restarts) for each in convert.instances}
    assert told == {
        "a": ("ready", None, 1),
        "b": ("terminating", None, 0),
        "c": ("starting", "CrashLoopBackOff", 0),
        "d": ("starting", "Unschedulable", 0),
        "e": ("failed", "Evicted", 0),
    }
    first = convert.instances[0]
    assert (first.revision, first.since) == ("convert-00002", "2026-11-27T12:00:00.000Z")
    assert first.last_end
    assert (first.last_end.reason, first.last_end.exit_code) == ("OOMKilled", 137)


def test_a_token_that_was_changed_is_read_again(api: ApiServer, tmp_path: Path) -> None:
    assert instances.of_functions().unseen is None
    api.token = "second"
    assert instances.of_functions() == Functions("forbidden", [])
    (tmp_path / "token").write_text("second\n")
    assert instances.of_functions().unseen is None


@pytest.mark.parametrize(("status", "why"), [(403, "forbidden"), (500, "unreachable"), (302, "unreachable")])
def test_what_kubernetes_refuses_is_said(api: ApiServer, status: int, why: str) -> None:
    api.status = status
    assert instances.of_functions() == Functions(why, [])


def test_who_is_not_the_api_server_gets_no_token(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "another").mkdir()
    (tmp_path / "ca.crt").write_bytes(self_signed(tmp_path / "another").read_bytes())
    with pytest.raises(pods.Unseen) as caught:
        pods.listed()
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    monkeypatch.setenv("PODS_URL", "http://127.0.0.1:9/api/v1/namespaces/audiolift/pods")
    assert instances.of_functions() == Functions("unreachable", [])
    monkeypatch.setenv("PODS_URL", "")
    assert instances.of_functions() == Functions("not-set-up", [])


def test_the_local_runner_lists_its_processes_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "FUNCTIONS", ("single",))

    async def scenario() -> None:
        async with Place(tmp_path, monkeypatch).serving() as (local, session):
            url, single = f"{local.addresses['kubernetes']}{PATH}", f"{local.addresses['single']}/tell"
            monkeypatch.setenv("PODS_URL", url)

            async def seen() -> list[Instance]:
                (function,) = (await asyncio.to_thread(instances.of_functions)).items
                return function.instances

            assert await seen() == []
            async with session.get(single) as answer:
                killed = (await answer.json())["pid"]
            (first,) = await seen()
            assert (first.state, first.revision, first.restarts, first.last_end) == ("ready", "single-00001", 0, None)
            os.kill(killed, signal.SIGKILL)
            await eventually(lambda: not alive(killed))
            async with session.get(single) as answer:
                assert answer.status == 200
            (again,) = await seen()
            assert (again.state, again.restarts) == ("ready", 1)
            assert again.last_end
            assert (again.last_end.reason, again.last_end.exit_code) == ("Error", 137)
            async with session.get(url) as answer:
                kubernetes_validate.validate(await answer.json(), KUBERNETES, strict=True)
            async with session.get(url, headers={"Host": "elsewhere.example.com"}) as answer:
                assert answer.status == 404

    asyncio.run(scenario())
