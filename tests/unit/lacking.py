"""A machine that lacks something: `python -m tests.unit.lacking seccomp,landlock PROGRAM …` runs a program there.

The kernel itself answers that there is no such system call.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from functions.convert.sandbox import confine
from functions.convert.sandbox.calls import BY_ARGUMENT, numbers

__all__ = ["ROOT", "run_lacking"]

ROOT = Path(__file__).parents[2]
CALLS = {
    "seccomp": {"seccomp": numbers(BY_ARGUMENT, platform.machine())["seccomp"]},
    "landlock": {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446},
}


def run_lacking(what: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words at the root of the tree, on a machine without `what`."""
    command = [sys.executable, "-m", "tests.unit.lacking", what, sys.executable, *words]
    with_settings = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=with_settings, capture_output=True, text=True, check=False)


def main() -> None:
    """The command line."""
    rules = [rule for name in sys.argv[1].split(",") for rule in confine._each(CALLS[name], confine._ENOSYS)]
    confine._install(platform.machine(), rules, confine._ALLOW)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
