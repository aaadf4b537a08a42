"""System call filters for what parses strangers' bytes: seccomp(2), and userspace-api/seccomp_filter of the kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from collections.abc import Iterator

from functions.convert.errors import Unconfined
from functions.convert.sandbox.calls import ARCHITECTURES, BY_ARGUMENT, NEEDED, NEEDLESS, UNKNOWN_FROM, numbers

__all__ = ["confine", "is_supported", "restrain"]

PR_SET_NAME, PR_SET_NO_NEW_PRIVS = 15, 38
_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4
_CLONE_THREAD, _PROT_EXEC = 0x10000, 4
# An x86-64 kernel also takes the calls of the x32 ABI, which have this bit.
_X32 = 0x4000_0000

# Instructions of classic BPF (linux/bpf_common.h, linux/filter.h), and what a filter answers (linux/seccomp.h).
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF_0000, 0x8000_0000
_EPERM, _ENOSYS = 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS
# Where struct seccomp_data has the call's number, the architecture, and the low half of the first argument.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def is_supported() -> bool:
    """Whether there are filters for this machine, and its kernel lets this process set one; none is set."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(numbers(BY_ARGUMENT, machine)["seccomp"], _SET_MODE_FILTER, 0, None)
    # Where there are filters, the kernel looks for one at the address that it was given (seccomp(2), "EFAULT").
    return ctypes.get_errno() == errno.EFAULT


def confine() -> None:
    """From now on this process can compute, make threads, and use the descriptors that it has; all else is EPERM.

    Nothing undoes it. Raises: Unconfined when the kernel or the machine has no such filter; then nothing is refused.
    """
    machine = _machine()
    by_argument = numbers(BY_ARGUMENT, machine)
    rules = [
        *_each(numbers(NEEDED, machine), _ALLOW),
        *_only(by_argument["clone"], 0, _ANY_BIT, _CLONE_THREAD, _ALLOW, _EPERM),
        *_only(by_argument["mmap"], 2, _ANY_BIT, _PROT_EXEC, _EPERM, _ALLOW),
        *_only(by_argument["mprotect"], 2, _ANY_BIT, _PROT_EXEC, _EPERM, _ALLOW),
        *_only(by_argument["tgkill"], 0, _EQUAL, os.getpid(), _ALLOW, _EPERM),
        *_only(by_argument["prctl"], 0, _EQUAL, PR_SET_NAME, _ALLOW, _EPERM),
    ]
    _install(machine, rules, _EPERM)


def restrain() -> None:
    """From now on this process and what it starts has no sockets, no second process, and no hold on other processes.

    It still opens files (landlock.py says which) and becomes another program: for ffmpeg as a command.
    Raises: Unconfined, as `confine`.
    """
    machine = _machine()
    by_argument = numbers(BY_ARGUMENT, machine)
    rules = [
        (_AT_LEAST, 0, 1, UNKNOWN_FROM),
        (_RETURN, 0, 0, _ENOSYS),
        *_each(numbers(NEEDLESS, machine), _EPERM),
        *_only(by_argument["clone"], 0, _ANY_BIT, _CLONE_THREAD, _ALLOW, _EPERM),
        *_only(by_argument["tgkill"], 0, _EQUAL, os.getpid(), _ALLOW, _EPERM),
        # Its own limits; 0 stands for the process itself.
        *_only(by_argument["prlimit64"], 0, _EQUAL, 0, _ALLOW, _EPERM),
    ]
    _install(machine, rules, _ALLOW)


def _machine() -> str:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise Unconfined(f"there is no system call filter (seccomp) for {machine}")
    return machine


def _each(calls: dict[str, int], answer: int) -> Iterator[_Instruction]:
    for number in calls.values():
        yield from ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer))


def _only(call: int, argument: int, test: int, value: int, if_true: int, if_false: int) -> Iterator[_Instruction]:
    """One answer for a call by the low half of one of its arguments."""
    yield from (
        (_EQUAL, 0, 4, call),
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        (test, 0, 1, value),
        (_RETURN, 0, 0, if_true),
        (_RETURN, 0, 0, if_false),
    )


def _install(machine: str, rules: list[_Instruction], otherwise: int) -> None:
    by_argument = numbers(BY_ARGUMENT, machine)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
        # glibc makes threads by clone where there is no clone3, whose flags a filter cannot see.
        *_each({"clone3": by_argument["clone3"]}, _ENOSYS),
        *rules,
        (_RETURN, 0, 0, otherwise),
    ]
    if not _set(by_argument["seccomp"], program):
        raise Unconfined("the kernel has no system call filters (seccomp)")


def _set(call: int, program: list[_Instruction]) -> bool:
    data = b"".join(_packed(*instruction) for instruction in program)
    text = ctypes.create_string_buffer(data, len(data))
    filter_ = _Program(len(program), ctypes.addressof(text))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Without SPEC_ALLOW, kernels before 5.16 slow all of the process down against an attack that needs code in it.
    return any(libc.syscall(call, _SET_MODE_FILTER, flags, ctypes.byref(filter_)) == 0 for flags in (_SPEC_ALLOW, 0))


def _packed(code: int, if_true: int, if_false: int, value: int) -> bytes:
    """struct sock_filter."""
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")
