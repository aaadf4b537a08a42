"""functions/convert/sandbox: messages in pieces, the cores of a container, and the tables of system calls."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.convert.errors import ProtocolViolation
from functions.convert.sandbox import calls, cores
from functions.convert.sandbox.channel import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_RANGES,
    MAX_REPLY_BYTES,
    RangeClient,
    message,
    take_message,
    take_request,
)
from functions.convert.sandbox.nursery import Nursery
from tests.unit.bytes_source import Bytes

ROOT = Path(__file__).parents[2]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@given(st.lists(st.tuples(st.dictionaries(st.text(), st.integers()), st.binary(max_size=300)), max_size=5), st.data())
def test_messages_are_whole_however_they_arrive(
    messages: list[tuple[dict[str, Any], bytes]], data: st.DataObject
) -> None:
    sent = [({**header, "kind": "x"}, payload) for header, payload in messages]
    wire = b"".join(message(header, payload) for header, payload in sent)
    buffer, got = bytearray(), []
    while wire:
        size = data.draw(st.integers(1, len(wire)))
        buffer += wire[:size]
        wire = wire[size:]
        while (whole := take_message(buffer)) is not None:
            got.append(whole)
    assert got == sent
    assert not buffer


@pytest.mark.parametrize(("header", "payload"), [("x" * MAX_HEADER_BYTES, 0), ("", MAX_PAYLOAD_BYTES + 1)])
def test_a_message_that_is_too_long_is_not_sent(header: str, payload: int) -> None:
    with pytest.raises(ValueError, match="too long"):
        message({"kind": header}, bytes(payload))


def test_the_largest_message_is_taken() -> None:
    header = {"kind": "x", "text": "y" * (MAX_HEADER_BYTES - 26)}
    buffer = bytearray(message(header, bytes(MAX_PAYLOAD_BYTES)))
    assert take_message(buffer) == (header, bytes(MAX_PAYLOAD_BYTES))


@given(st.binary(max_size=200))
def test_whatever_arrives_is_a_message_or_rubbish(wire: bytes) -> None:
    buffer = bytearray(wire)
    try:
        taken = take_message(buffer)
    except ProtocolViolation:
        return
    assert taken is None or "kind" in taken[0]


@given(st.binary(max_size=200), st.integers(0, 2**64))
def test_whatever_arrives_is_ranges_of_the_file_or_rubbish(wire: bytes, size: int) -> None:
    try:
        taken = take_request(bytearray(wire), size)
    except ProtocolViolation:
        return
    assert taken is None or all(0 <= start <= start + length <= size for start, length in taken)


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 0)],
        [(0, MAX_REPLY_BYTES + 1)],
        [(0, MAX_REPLY_BYTES), (0, 1)],
        [(10**9, 1)],
        [(10**9 - 1, 2)],
        [(2**64 - 1, 2**64 - 1)],
        [(0, 1)] * (MAX_RANGES + 1),
    ],
)
def test_requests_have_caps(ranges: list[tuple[int, int]]) -> None:
    wire = struct.pack("!I", len(ranges)) + b"".join(struct.pack("!QQ", *each) for each in ranges)
    with pytest.raises(ProtocolViolation):
        take_request(bytearray(wire), 10**9)


def test_who_fetches_from_a_parent_that_is_gone_is_told() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        RangeClient(writer, 10).fetch([(0, 1)])
    os.close(writer)


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({}, "0::/", 8),
        ({"cpu.max": "max 100000"}, "0::/", 8),
        ({"cpu.max": "200000 100000"}, "0::/", 2),
        ({"cpu.max": "150000 100000"}, "0::/", 2),
        ({"cpu.max": "125000 100000"}, "0::/", 1),
        ({"cpu.max": "20000 100000"}, "0::/", 1),
        ({"cpu.max": "9900000 100000"}, "0::/", 8),
        ({"pod/cpu.max": "300000 100000", "pod/box/cpu.max": "max 100000"}, "0::/pod/box", 3),
        ({"pod/cpu.max": "300000 100000", "pod/box/cpu.max": "100000 50000"}, "0::/pod/box", 2),
        ({"pod/cpu.max": "100000 100000"}, "0::/other", 8),
        ({"cpu.max": "400000 100000"}, "0::/not/mounted/here", 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/", 8),
        ({"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/", 3),
        ({"cpu,cpuacct/box/cpu.cfs_quota_us": "200000", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"},
         "5:memory:/x\n4:cpu,cpuacct:/box\n0::/", 2),
        ({"cpuset/cpu.max": "100000 100000"}, "4:cpuset:/", 8),
        ({"cpu.max": "100000 100000"}, "", 8),
    ],
)  # fmt: skip
def test_a_container_has_the_cores_of_its_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], own: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for name, content in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "own").write_text(own)
    assert cores.available(tmp_path / "groups", tmp_path / "own") == expected


def test_this_machine_has_cores() -> None:
    assert 1 <= cores.available() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("machine", HEADERS)
def test_system_calls_have_the_numbers_of_the_kernel(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers here")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    numbers = {name: int(number) for name, number in defined}
    ours = calls.numbers(calls.NEEDED + calls.BY_ARGUMENT + calls.NEEDLESS, machine)
    assert ours.items() <= numbers.items()
    assert len(ours) > 50


def test_no_call_is_named_twice() -> None:
    named = [line.split()[0] for line in (calls.NEEDED + calls.BY_ARGUMENT + calls.NEEDLESS).splitlines() if line]
    assert len(set(named)) == len(named)


def test_a_machine_without_filters_is_told_so() -> None:
    code = (
        "import platform; platform.machine = lambda: 'vax'\n"
        "from functions.convert.errors import Unconfined\n"
        "from functions.convert.sandbox.confine import confine, is_supported, restrain\n"
        "assert not is_supported()\n"
        "for give_up in (confine, restrain):\n"
        "    try:\n"
        "        give_up()\n"
        "    except Unconfined:\n"
        "        continue\n"
        "    raise AssertionError(give_up)\n"
        "open('/dev/null').close()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("setting", "heard", "words"),
    [
        ("on", [], "Unconfined: This machine cannot confine what parses the videos of strangers: no filters here"),
        # There is no number left for a descriptor.
        ("off", ["Too many open files"], ""),
    ],
)
def test_without_filters_a_child_does_nothing_unless_it_may_and_then_has_its_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, heard: list[str], words: str
) -> None:
    monkeypatch.setenv("SANDBOX", setting)
    (tmp_path / "file").touch()
    nursery = Nursery("tests.unit.sandbox_unconfined:run")
    messages: list[str] = []
    with nursery.worker() as worker:
        ended = worker.run(
            {"readable": str(tmp_path / "file")},
            Bytes(b"x"),
            lambda header, _: messages.append(header["words"]),
            lambda: None,
            time.monotonic() + 60,
        )
    nursery.close()
    assert messages == heard
    assert ended.well == (setting == "off")
    assert words in ended.words
