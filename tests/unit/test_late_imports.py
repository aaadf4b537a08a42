"""What makes a cold start long is imported when the first request needs it, not before."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from functions.shared.late import late

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
HEAVY = {
    "sqlalchemy",
    "pymysql",
    "pymongo",
    "jwt",
    "cryptography",
    "argon2",
    "ffmpeg",
    "httpcore",
    "limits",
    "aiohttp",
    "jinja2",
    "apprise",
    "av",
    "opentelemetry",
    "requests",
}
LOAD = """
import sys
from functions.shared import server
server.app_of(sys.argv[1])
print(*sys.modules)
"""


@pytest.mark.parametrize("name", sorted(path.parent.name for path in FUNCTIONS.glob("*/main.py")))
def test_a_function_starts_without_its_heavy_libraries(name: str) -> None:
    command = [sys.executable, "-c", LOAD, name]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "functions.shared.late" in loaded
    assert not HEAVY & set(loaded)


def test_who_needs_flask_gets_it_whole() -> None:
    needs_it = (
        "from functions.shared import server; server.app_of('sweep')\n"
        "import flask, functions_framework, flask.cli\n"
        "from flask import Flask\n"
        "print(Flask('x').name, functions_framework.flask.abort.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", needs_it], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["x", "abort"]


def test_threads_that_need_a_late_module_first_all_get_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_package").mkdir()
    (tmp_path / "some_package" / "slow.py").write_text("import time\nfirst = 1\ntime.sleep(0.2)\nlast = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    slow = late("some_package", "slow")("slow")
    assert "some_package.slow" not in sys.modules
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(slow.first + slow.last)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [3] * 4


def test_what_hands_a_video_to_the_sandbox_does_not_load_what_parses_it() -> None:
    code = "import sys, functions.convert.engine, functions.convert.sandbox.nursery; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "functions.convert.sandbox.nursery" in loaded.stdout.split()
    assert not {"av", "ffmpeg"} & set(loaded.stdout.split())
