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

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Set the limits ({"RLIMIT_CPU": seconds, …}) and become the program."""
    limits: dict[str, int] = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for name, limit in limits.items():
        # Linux looks at the hard limit first: where both are the same, SIGKILL comes instead of SIGXCPU.
        hard = limit + 1 if name == "RLIMIT_CPU" else limit
        resource.setrlimit(getattr(resource, name), (limit, hard))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
