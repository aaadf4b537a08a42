"""docs/development.md, "Add a …": what its examples add to a copy of the tree is there, and nothing else is changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE, eventually
from tests.system import Audiolift

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "docs",
    "events",
    "functions",
    "knative",
    "rabbitmq-source",
    "tests",
    "Makefile",
    "pyproject.toml",
    "README.md",
)
CACHES = shutil.ignore_patterns("__pycache__", "data")
TELL = """
from events.catalogue import AudioCreated
from functions.notify import fanout
from functions.shared import migrate
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from tests.unit import rows

migrate.upgrade()
job = rows.job("converting")
transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
for _ in range(2):
    fanout.tell(job, AudioCreated)
print("unsettled:", rows.unsettled(job))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree, without what was made in it."""
    for name in PARTS:
        made = tmp_path / "copy" / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, made, ignore=CACHES)
        else:
            shutil.copy(ROOT / name, made)
    return tmp_path / "copy"


def examples(heading: str) -> list[str]:
    """The code under a heading of the page."""
    text = (ROOT / "docs" / "development.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    return re.findall(r"```(?:python|yaml)\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)


def change(path: Path, old: str, new: str) -> None:
    """Put something new in the place of something old that is there once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path: Path, text: str) -> None:
    """Put something at the end of a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def run(copy: Path, *command: str) -> str:
    """What a module prints that is run in the copy."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True
    )
    return done.stdout


def lint(copy: Path, *paths: Path) -> None:
    """Hold what was added to the rules of the tree."""
    run(copy, "mypy", "--strict", *map(str, paths))
    run(copy, "ruff", "check", "--no-cache", *map(str, paths))


def test_a_route_is_there_by_its_declaration_and_make_docs(copy: Path, tmp_path: Path, video: Path) -> None:
    main = copy / "functions" / "download" / "main.py"
    change(main, "import functions_framework.aio\n", "from typing import Annotated\n\nimport functions_framework.aio\n")
    change(main, "from starlette.requests", "from msgspec import Meta, Struct\nfrom starlette.requests")
    append(main, "\n\n" + examples("Add a route")[0])
    run(copy, "docs.generate")
    lint(copy, main)
    path = "/v1/jobs/{job_id}/size"
    described = json.loads((copy / "functions" / "gateway" / "openapi.json").read_text())["paths"][path]["get"]
    assert (described["operationId"], described["summary"]) == ("readSize", "The size of a job's MP3")
    assert set(described["responses"]) >= {"200", "401", "404", "503"}
    assert f"`GET {path}`" in (copy / "docs" / "api.md").read_text()
    audiolift = Audiolift(tmp_path / "data", root=copy)
    try:
        user, other = audiolift.user(), audiolift.user()
        job = user.convert(video)
        size = user.http.get(f"/v1/jobs/{job['id']}/size")
        assert (size.status_code, size.json()) == (200, {"bytes": job["size_bytes"]})
        assert other.http.get(f"/v1/jobs/{job['id']}/size").status_code == 404
        assert other.http.get(f"/v1/jobs/{job['id']}/size", headers={"Authorization": ""}).status_code == 401
    finally:
        audiolift.stop()


def test_an_event_has_a_schema_an_example_and_its_place_in_the_docs(copy: Path) -> None:
    catalogue = copy / "events" / "catalogue.py"
    change(catalogue, "# What Knative's RabbitmqSource makes", f"{examples('Add an event')[0]}\n\n# What Knative's")
    change(catalogue, "    BatchEnded,\n)", "    BatchEnded,\n    AudioFetched,\n)")
    change(catalogue, '    "AudioCreated",\n', '    "AudioCreated",\n    "AudioFetched",\n')
    run(copy, "events.generate")
    run(copy, "docs.generate")
    lint(copy, catalogue)
    schema = json.loads((copy / "events" / "schemas" / "dev.audiolift.audio.fetched.v1.json").read_text())
    assert schema["required"] == ["job_id", "size_bytes"]
    assert "dev.audiolift.audio.fetched.v1" in (copy / "docs" / "events.md").read_text()
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests/contract/test_events.py")


def test_the_module_in_the_docs_is_a_channel_by_being_there(copy: Path, tmp_path: Path) -> None:
    module = copy / "functions" / "notify" / "channels" / "terminal.py"
    module.write_text(examples("Add a channel")[0], encoding="utf-8")

    said = told(copy, tmp_path)

    assert [line for line in said if "talk.mp4 is ready" in line][1:] == []
    assert re.fullmatch(r"talk\.mp4 is ready \([0-9a-f]{32}\)", said[0])
    assert said[-1] == "unsettled: []"
    assert len(list((tmp_path / "mail").iterdir())) == 1
    lint(copy, module)


def test_without_it_nothing_is_said_there(copy: Path, tmp_path: Path) -> None:
    assert told(copy, tmp_path) == ["unsettled: []"]


def told(copy: Path, tmp_path: Path) -> list[str]:
    """What is printed when the owner of a job is told by the functions in the copy, twice."""
    stores = {"DATABASE_URL": f"sqlite:///{tmp_path / 'db' / 'rows'}", "SMTP_URL": f"file://{tmp_path / 'mail'}"}
    environment = {**os.environ, **stores, "LINK_SECRET": "s" * 32, "PYTHONPATH": str(copy)}
    run = subprocess.run(
        [sys.executable, "-c", TELL],
        cwd=copy,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    return run.stdout.splitlines()


def test_a_function_is_there_by_its_module_and_its_manifests(copy: Path, tmp_path: Path, video: Path) -> None:
    module, trigger = examples("Add a function")
    main = copy / "functions" / "cheer" / "main.py"
    main.parent.mkdir()
    main.with_name("__init__.py").touch()
    main.write_text(module, encoding="utf-8")
    base = copy / "knative" / "base"
    service = (base / "services" / "notify.yaml").read_text().replace("name: notify", "name: cheer")
    (base / "services" / "cheer.yaml").write_text(service.replace("[notify]", "[cheer]"))
    change(
        base / "kustomization.yaml",
        "  - services/convert.yaml\n",
        "  - services/convert.yaml\n  - services/cheer.yaml\n",
    )
    append(base / "triggers.yaml", f"---\n{trigger}")
    lint(copy, main)
    audiolift = Audiolift(tmp_path / "data", root=copy, overlay=copy / "tests" / "overlay")
    try:
        audiolift.user().convert(video)
        cheered = f"hooray for {video.name}"
        eventually(lambda: any(cheered in line for line in audiolift.output), "the line")
    finally:
        audiolift.stop()
