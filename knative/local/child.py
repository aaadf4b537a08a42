"""Becomes a function's process that the kernel kills when the runner dies: `python child.py RUNNER_PID COMMAND…`.

Run by its path: it imports nothing of the project, and replaces itself within milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGKILL at the death of the parent (prctl(2); execve keeps it), then become the command."""
    runner, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != int(runner):  # the runner died before the line above: nobody would kill us
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main()
