"""Runs a program that parses a stranger's bytes, confined: `python -I -S guard.py <confinement, JSON> <program> …`.

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
from contextlib import suppress
from typing import Any

__all__ = ["die_with_parent", "limit", "main"]

PR_SET_PDEATHSIG, PR_CAPBSET_DROP = 1, 24
# More than any kernel has (linux/capability.h).
CAPABILITIES = 64


def main() -> None:
    """Take on the confinement, and become the program.

    The confinement: `limits` ({"RLIMIT_CPU": seconds, …}); `files`, all that it may open, as landlock.allow_only takes
    them; `required`, whether to end with Unconfined when the kernel lacks something. It has no sockets, no other
    processes, and no capabilities.
    """
    # As a script it is not found in a package, and what it imports must be found from it.
    sys.path.insert(0, os.path.abspath(f"{__file__}/../../.."))
    confinement = json.loads(sys.argv[1])
    die_with_parent()
    limit(confinement["limits"])
    _give_up_capabilities()
    _confine(confinement["files"], confinement["required"])
    os.execv(sys.argv[2], sys.argv[2:])


def _confine(files: dict[str, Any], required: bool) -> None:
    from functions.convert.errors import Unconfined
    from functions.convert.sandbox.confine import restrain
    from functions.convert.sandbox.landlock import allow_only

    lacking = () if required else (Unconfined,)
    with suppress(*lacking):
        restrain()
    with suppress(*lacking):
        allow_only(**files)


def _give_up_capabilities() -> None:
    """Root has none either in the program that this process becomes (capabilities(7)). Others have none to give up."""
    prctl = ctypes.CDLL(None).prctl
    for capability in range(CAPABILITIES):
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


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
