"""Which files a program opens before its first own line runs: itself, its loader, and its libraries."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from functools import cache

__all__ = ["Program", "program"]

# What the loader of glibc looks at beside the libraries (ld.so(8)).
_OF_THE_LOADER = ("/etc/ld.so.cache", "/etc/ld.so.preload")
LIST_SECONDS = 30

# The header of a 64-bit ELF file and its program headers (elf(5)), as far as they lead to the name of the loader.
_HEADER, _PROGRAM_HEADER = struct.Struct("<32xQ14xHH"), struct.Struct("<I4xQ16xQ16x")
_PT_INTERP = 3


@dataclass(frozen=True)
class Program:
    """The files that have to be executable for a program to start, and those that are only read."""

    run: tuple[str, ...]
    read: tuple[str, ...]


@cache
def program(path: str) -> Program:
    """What the program at `path` needs; its own loader is asked. Raises: OSError, subprocess.SubprocessError."""
    loader = _loader(path)
    if loader is None:
        return Program((path,), ())
    command = [loader, "--list", path]
    asked = subprocess.run(command, env={}, capture_output=True, text=True, check=True, timeout=LIST_SECONDS)
    # "libm.so.6 => /lib/libm.so.6 (0x7f…)", or a path alone, or a name that stands for no file.
    named = (line.strip().rpartition(" (0x")[0].rpartition(" => ")[2] for line in asked.stdout.splitlines())
    return Program((path, loader), (*_OF_THE_LOADER, *(name for name in named if name.startswith("/"))))


def _loader(path: str) -> str | None:
    with open(path, "rb") as file:
        head = file.read(_HEADER.size)
        # Whatever else it is, the kernel runs it or refuses to.
        if head[:6] != b"\x7fELF\x02\x01":
            return None
        offset, size, count = _HEADER.unpack(head)
        for number in range(count):
            file.seek(offset + number * size)
            kind, start, length = _PROGRAM_HEADER.unpack(file.read(_PROGRAM_HEADER.size))
            if kind == _PT_INTERP:
                file.seek(start)
                return file.read(length).rstrip(b"\0").decode()
    return None
