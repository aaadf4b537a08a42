"""How many processor cores this process really has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available"]


def available(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """The cores that this process may use at once, at least 1: its affinity, and the quotas of its control groups.

    A quota of 1.5 counts as 2, one of 1.25 as 1. `groups` is where the control groups are mounted, `own` the file that
    names those of this process (cgroups(7)).
    """
    quotas = [quota for directory in _directories(groups, own) for quota in _quotas(directory)]
    return max(1, int(min([float(len(os.sched_getaffinity(0))), *quotas]) + 0.5))


def _directories(groups: Path, own: Path) -> Iterator[Path]:
    """The control groups of this process and all around them; in a container the mount may begin further in."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = groups / controllers
        inner = mount / path.strip("/")
        yield from (inner, *(parent for parent in inner.parents if parent.is_relative_to(mount)))


def _quotas(directory: Path) -> Iterator[float]:
    """Version 2 says "<quota or max> <period>" in one file, version 1 has a file for each, and -1 for none."""
    both = _text(directory / "cpu.max").split()
    both = both or [_text(directory / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    quota, period = (int(word) if word.isdigit() else 0 for word in both)
    if quota > 0 and period > 0:
        yield quota / period


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
