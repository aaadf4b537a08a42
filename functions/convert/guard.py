"""Runs a program that parses a stranger's bytes within limits: `python -I -S guard.py <limits, JSON> <program> …`.

A script of its own, so that the limits are set between fork and exec without running Python in a forked copy of a
threaded server.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

__all__ = ["die_with_parent", "limit", "main"]

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set the limits ({"RLIMIT_CPU": seconds, …}), give up sockets and processes, and become the program."""
    # As a script it is not found in a package, and this must be found from it.
    sys.path.insert(0, os.path.abspath(f"{__file__}/../../.."))
    from functions.convert.sandbox.confine import restrain

    die_with_parent()
    limit(json.loads(sys.argv[1]))
    restrain()
    os.execv(sys.argv[2], sys.argv[2:])


def die_with_parent() -> None:
    """Have this process killed when the thread that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def limit(limits: dict[str, int]) -> None:
    """Set resource limits of this process: {"RLIMIT_CPU": seconds, "RLIMIT_AS": bytes, …}; lower ones stay."""
    for name, most in limits.items():
        kind = getattr(resource, name)
        top = resource.getrlimit(kind)[1]
        # Linux looks at the hard limit first: where both are the same, SIGKILL comes instead of SIGXCPU.
        hard = most + 1 if name == "RLIMIT_CPU" else most
        hard = hard if top == resource.RLIM_INFINITY else min(hard, top)
        resource.setrlimit(kind, (min(most, hard), hard))


if __name__ == "__main__":
    main()
