"""What all functions together can need, and what there is for it: connections to the stores, processors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.shared import database
from functions.shared.blobs.chunks import CHUNK_BYTES
from functions.shared.blobs.gridfs import POOL, STREAM_WINDOW
from knative import capacity
from knative.local import kustomize, manifests
from knative.local.kustomize import Manifest

ROOT = Path(__file__).parents[2]
OVERLAYS = [ROOT / "knative" / "base", *sorted((ROOT / "knative" / "overlays").iterdir())]
overlays = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)


def objects(name: str) -> list[Manifest]:
    return kustomize.render(ROOT / "knative" / "overlays" / name)


@overlays
def test_nobody_waits_for_a_connection_longer_than_for_an_answer(overlay: Path) -> None:
    for name, service in manifests.read(kustomize.render(overlay)).services.items():
        assert 2 * max(database.POOL_SECONDS, POOL["waitQueueTimeoutMS"] / 1000) < service.timeout, name


def test_the_mysql_of_kind_takes_every_connection_that_a_rollout_can_need() -> None:
    kind = objects("kind")
    (mysql,) = [each for each in kind if (each["kind"], each["metadata"]["name"]) == ("StatefulSet", "mysql")]
    args = mysql["spec"]["template"]["spec"]["containers"][0]["args"]
    (allowed,) = [int(each.removeprefix("--max-connections=")) for each in args if "max-connections" in each]
    rows, _ = capacity.needed(capacity.demands(kind))
    assert 6 * 2 * (database.CONNECTIONS + database.CHECKING_CONNECTIONS) * 2 < rows <= allowed


def test_the_docs_say_how_many_connections_production_can_need() -> None:
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    rows, files = capacity.needed(capacity.demands(objects("production")))
    assert re.search(rf"^\| \*\*Needed\*\*.*\| {rows} \| {files} \|$", text, re.MULTILINE)
    (said,) = re.findall(r"`max_connections` of (\d+)", text)
    assert int(said) >= rows


@overlays
def test_every_function_with_connections_is_counted(overlay: Path) -> None:
    counted = {each.function for each in capacity.demands(kustomize.render(overlay))}
    assert counted == {"gateway", "login", "upload", "convert", "notify", "download", "sweep"}
    services = manifests.read(kustomize.render(overlay)).services
    assert {each.function: each.pods for each in capacity.demands(kustomize.render(overlay))} == {
        name: services[name].max_scale for name in counted
    }


def test_the_docs_say_what_a_laptop_needs() -> None:
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    asked = capacity.millicores(objects("kind"))
    # One pod of each of seven functions with queue-proxy, and the four stores: counted by hand.
    assert (asked["functions"], asked["stores"]) == (7 * (50 + 25), 100 + 100 + 10 + 100)
    assert f"| together | {sum(asked.values()) / 1000:.3f} |" in text


@overlays
def test_all_files_that_download_sends_at_a_time_fit_into_half_of_its_memory(overlay: Path) -> None:
    """Each holds a window of chunks, and one more on its way out; test_slow_readers.py measures it."""
    each = (STREAM_WINDOW + 1) * CHUNK_BYTES
    services = [item for item in kustomize.render(overlay) if item["apiVersion"] == "serving.knative.dev/v1"]
    (spec,) = [item["spec"]["template"]["spec"] for item in services if item["metadata"]["name"] == "download"]
    memory = int(spec["containers"][0]["resources"]["limits"]["memory"].removesuffix("Mi")) * 2**20
    at_a_time = {spec["containerConcurrency"]}
    at_a_time |= {int(item["value"]) for item in spec["containers"][0]["env"] if item["name"] == "CONCURRENCY"}
    assert max(at_a_time) * each <= memory / 2
