"""The states of a job stand in one place, from which Python, the API and the page have them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.shared.jobs.states import ENDED, KEPT, LEASED, LIVE, RETRYABLE, TO_CONVERT, State

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "functions" / "gateway" / "page"
PLACE = ROOT / "functions" / "shared" / "jobs" / "states.py"
# Made from it for the client, which has nothing else of ours.
COPY = ROOT / "knative" / "client" / "models.py"
MODULES = [path for folder in ("functions", "events", "knative", "docs") for path in (ROOT / folder).rglob("*.py")]

# The same words for other things: codes of problems and of reasons, messages of the sandbox, an end of a delivery,
# what an owner did.
OTHERS = {
    ("functions/convert/messages.py", "failed"),
    ("functions/convert/sandbox/zygote.py", "failed"),
    ("functions/download/files.py", "expired"),
    ("functions/download/main.py", "cancelled"),
    ("functions/download/file_routes.py", "expired"),
    ("functions/download/shapes.py", "expired"),
    ("functions/shared/migrations/versions/0018_more_notices.py", "done"),
    ("functions/shared/problems.py", "expired"),
    ("functions/shared/reasons.py", "cancelled"),
    ("functions/shared/link_pages.py", "expired"),
    ("functions/login/routes.py", "done"),
    ("functions/sweep/instance_shapes.py", "failed"),
    ("functions/sweep/instances.py", "failed"),
    ("functions/upload/tus.py", "expired"),
    ("functions/upload/uploads.py", "expired"),
    ("knative/delivery.py", "done"),
}


def test_every_state_is_live_or_ended() -> None:
    assert set(State) == LIVE | ENDED
    assert not LIVE & ENDED
    assert TO_CONVERT | LEASED == LIVE
    assert RETRYABLE < KEPT < ENDED


def test_every_state_is_explained() -> None:
    lines = PLACE.read_text(encoding="utf-8").splitlines()
    for state in State:
        at = lines.index(f'    {state.name} = "{state}"')
        assert lines[at - 1].startswith("    # "), state


def test_no_module_spells_a_state() -> None:
    elsewhere = [path for path in MODULES if path not in (PLACE, COPY)]
    spelled = {(path.relative_to(ROOT).as_posix(), word) for path in elsewhere for word in states_in(path)}
    assert spelled == OTHERS


# Words of the page that are states of something else: of an upload, of a reader, of a group in a list, of a plot, of
# an instance, of a request.
OF_OTHERS = {
    "jobs/store.js": {"done:"},
    "operator/figures.js": {'"done"', '"failed"'},
    "operator/functions.js": {"failed:"},
    "upload/item.js": {'"failed"', '"done"', '"cancelled"'},
    "upload/attempt.js": {"done:"},
    "upload/bring.js": {"failed:"},
}
SCRIPTS = [path for path in sorted(PAGE.rglob("*.js")) if path.name != "states.js" and path.parent.name != "vendor"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_of_the_page_spells_a_state(script: Path) -> None:
    words = "|".join(State)
    text = re.sub(r"/\*[\s\S]*?\*/|//.*", "", script.read_text(encoding="utf-8"))
    spelled = re.findall(rf"""["'`](?:{words})["'`]|\b(?:{words}):""", text)
    assert set(spelled) <= OF_OTHERS.get(script.relative_to(PAGE).as_posix(), set())


def states_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in set(State):
            yield node.value
