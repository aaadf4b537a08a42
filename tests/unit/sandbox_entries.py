"""What the tests of the sandbox run inside of it: a conversion that was taken over, as far as Python can play it."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from functions.convert.sandbox.calls import BY_ARGUMENT, NEEDLESS, numbers
from functions.convert.sandbox.channel import RangeClient, Sender
from functions.shared.reasons import Failure

__all__ = ["ATTEMPTS", "run"]


def run(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Do what the job says, and send what came of it."""
    ACTS[job["act"]](source, job, send)


def read(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    for ranges in job["requests"]:
        send({"kind": "audio"}, source.fetch([(start, length) for start, length in ranges]))


def tell(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    send({"kind": "told", "environment": dict(os.environ), "group": os.getpid() != os.getppid(), "arguments": sys.argv})


def attempt(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Try what must not work: the number of the error, or None if it worked."""
    try:
        ATTEMPTS[job["what"]](job)
    except OSError as error:
        send({"kind": "refused", "errno": error.errno})
    except ValueError:
        # As which Python tells the error of setrlimit.
        send({"kind": "refused", "errno": errno.EPERM})
    else:
        send({"kind": "worked"})


def many_threads(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    def work(number: int) -> None:
        for start in range(50):
            send({"kind": "audio", "thread": number, "start": start}, source.fetch([(start, 1000), (start + 5000, 1)]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def memory(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    kept = []
    while True:
        kept.append(bytearray(64 * 1024 * 1024))


def spin(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    send({"kind": "spinning", "pid": os.getpid(), "group": os.getppid()})
    while True:
        pass


def wait(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    send({"kind": "waiting", "pid": os.getpid()})
    time.sleep(600)


def burn(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    while time.process_time() < 100:
        pass


def flood(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    while True:
        send({"kind": "audio"}, bytes(1024 * 1024))


def rubbish(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    os.write(job["descriptor"], bytes.fromhex(job["bytes"]))
    time.sleep(600)


def deaf(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Ask for much, and never take it."""
    os.write(3, bytes.fromhex("00000001" + "00" * 8) + (32 * 1024 * 1024).to_bytes(8, "big"))
    time.sleep(600)


def silent(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    os.close(3)
    os.close(4)
    time.sleep(600)


def fail(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    raise Failure("no-audio")


def stumble(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    raise KeyError("a bug")


def end(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    os._exit(job["status"])


def die(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    if job["how"] == "abort":
        os.abort()
    ctypes.string_at(0)


def unimported(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    import wave

    send({"kind": "worked", "name": wave.__name__})


def _syscall(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(numbers(BY_ARGUMENT + NEEDLESS, platform.machine())[name], *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def _connect(family: int, address: Any) -> None:
    with socket.socket(family) as connection:
        connection.connect(address)


def _fork(_: dict[str, Any]) -> None:
    if os.fork() == 0:
        os._exit(0)


ACTS: dict[str, Callable[[RangeClient, dict[str, Any], Sender], None]] = {
    act.__name__: act
    for act in (
        read, tell, attempt, many_threads, memory, spin, wait, burn, flood, rubbish, deaf, silent, fail, stumble, end,
        die, unimported,
    )
}  # fmt: skip

ATTEMPTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "read a file": lambda job: open(job["path"], "rb"),
    "write a file": lambda job: open(job["path"] + ".new", "wb"),
    "read its own memory": lambda job: open("/proc/self/mem", "rb"),
    "list a directory": lambda job: os.listdir("/"),
    "delete a file": lambda job: os.unlink(job["path"]),
    "connect by TCP": lambda job: _connect(socket.AF_INET, ("127.0.0.1", job["port"])),
    "connect by UNIX socket": lambda job: _connect(socket.AF_UNIX, job["path"]),
    "make a pair of sockets": lambda job: socket.socketpair(),
    "make a pipe": lambda job: os.pipe(),
    "fork": _fork,
    "become a program": lambda job: os.execv("/bin/true", ["true"]),
    "spawn a program": lambda job: os.posix_spawn("/bin/true", ["true"], {}),
    "signal its parent": lambda job: os.kill(os.getppid(), 0),
    "kill the server": lambda job: os.kill(job["server"], signal.SIGKILL),
    "kill everything": lambda job: os.kill(-1, 0),
    "trace the server": lambda job: _syscall("ptrace", 16, job["server"], 0, 0),
    "raise its limits": lambda job: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)),
    "duplicate a descriptor": lambda job: os.dup(3),
    "make code at run time": lambda job: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "leave its group": lambda job: os.setsid(),
    "use a ring": lambda job: _syscall("io_uring_setup", 1, 0),
    "lift its filter": lambda job: _syscall("seccomp", 1, 0, 0),
}
