"""A name server by UDP (RFC 1035), for a network of its own whose only address of the internet leads back to it.

A process cannot be told to ask another name server than its machine does, so `in_own_network` runs a module where
/etc/resolv.conf is another one and the network has nothing but itself. That takes namespaces, not root.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tests.servers.listening import InThread
from tests.system import ROOT

__all__ = ["PUBLIC", "NameServer", "in_own_network", "prepare_network", "why_not"]

# Any address of the public internet: here, it is this machine's.
PUBLIC = "198.41.0.4"
_OWN = ("unshare", "--map-root-user", "--mount", "--net")
# linux/sockios.h and linux/if.h
_SET_ADDRESS, _SET_FLAGS, _UP = 0x8916, 0x8914, 0x1
_A, _AAAA = 1, 28


def why_not() -> str:
    """Why there can be no network of one's own here, or ""."""
    if shutil.which(_OWN[0]) and subprocess.run([*_OWN, "true"], capture_output=True, check=False).returncode == 0:
        return ""
    return "unshare (util-linux) makes no network of our own here"


def in_own_network(module: str, directory: Path, *arguments: str) -> Any:
    """What a module prints as JSON that calls `prepare_network` first."""
    command = [*_OWN, sys.executable, "-m", module, str(directory), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def prepare_network(directory: Path) -> None:
    """Bring up 127.0.0.0/8 and PUBLIC, and have names asked for at 127.0.0.1, in the namespaces of this process."""
    for name, content in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")):
        (directory / name).write_text(content)
        subprocess.run(["mount", "--bind", directory / name, (Path("/etc") / name).resolve()], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        address = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(PUBLIC))
        for request, argument in ((_SET_FLAGS, struct.pack("16sH14x", b"lo", _UP)), (_SET_ADDRESS, address)):
            fcntl.ioctl(any_socket, request, argument)


class NameServer(InThread, socketserver.UDPServer):
    """Answers each lookup of a name by its next answer, and by the last one from then on; to be kept for no second.

    `asked` has the names, one for each lookup by IPv4; those by IPv6 get the addresses of the same answer.
    """

    def __init__(self, answers: Sequence[Sequence[str]]) -> None:
        super().__init__(("127.0.0.1", 53), _Handler)
        self._answers = answers
        self.asked: list[str] = []

    def addresses(self, name: str, kind: int) -> list[bytes]:
        """The addresses of this kind, packed."""
        # Of a lookup, the question for IPv4 comes first.
        if kind == _A:
            self.asked.append(name)
        now = self._answers[min(max(len(self.asked), 1), len(self._answers)) - 1]
        length = {_A: 4, _AAAA: 16}.get(kind)
        return [packed for packed in (ipaddress.ip_address(each).packed for each in now) if len(packed) == length]


class _Handler(socketserver.BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        query, answering = self.request
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = query[12 : at + 5]
        kind = int.from_bytes(question[-4:-2], "big")
        found = self.server.addresses(".".join(labels), kind)
        # An authoritative answer; the name is that of the question (RFC 1035, sections 4.1.1, 4.1.3 and 4.1.4).
        head = query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(found), 0, 0)
        records = (struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(packed)) + packed for packed in found)
        answering.sendto(head + question + b"".join(records), self.client_address)
