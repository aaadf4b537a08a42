"""Which files a process can open, for good: Landlock, Linux 5.13 and later (userspace-api/landlock of the kernel)."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from functions.convert.errors import Unconfined

__all__ = ["allow_only", "is_supported"]

PR_SET_NO_NEW_PRIVS = 38
# The same numbers on every machine (asm-generic/unistd.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1

# LANDLOCK_ACCESS_FS_… (linux/landlock.h), and how many of them each version of the interface knows.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_REG, _TRUNCATE = 1 << 5, 1 << 8, 1 << 14
_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15}
_KNOWN_LATER = 16
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

_RUN = _EXECUTE | _READ_FILE
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _MAKE_REG | _REMOVE_FILE | _TRUNCATE


class _Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def is_supported() -> bool:
    """Whether this kernel has Landlock, and lets this process use it."""
    return _version() > 0


def allow_only(*, run: Iterable[str] = (), read: Iterable[str] = (), write: Iterable[str] = ()) -> None:
    """Let this process, and the program that it becomes, open nothing but these files and directories with all in them.

    `run` are programs, `read` is what may be read, `write` are directories in which files may be made and removed too.
    Nothing undoes it. A path that does not exist is left out. Raises: Unconfined.
    """
    version = _version()
    if version < 1:
        raise Unconfined("the kernel has no Landlock")
    rights = (1 << _KNOWN.get(version, _KNOWN_LATER)) - 1
    handled = ctypes.c_uint64(rights)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    for paths, allowed in ((run, _RUN), (read, _READ), (write, _WRITE)):
        for path in paths:
            _add(ruleset, path, allowed & rights)
    _libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _add(ruleset: int, path: str, allowed: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        is_directory = stat.S_ISDIR(os.fstat(opened).st_mode)
        rule = _Beneath(allowed if is_directory else allowed & _OF_FILES, opened)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)


def _version() -> int:
    return int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION))


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(number, *arguments))
    if result < 0:
        raise Unconfined(f"Landlock refuses: {os.strerror(ctypes.get_errno())}")
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
