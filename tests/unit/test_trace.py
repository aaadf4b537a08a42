"""functions/shared/trace.py: which traces are believed, and for how long one is the current one."""

from __future__ import annotations

import threading

import pytest

from functions.shared import trace
from functions.shared.trace import Trace

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("parent", [PARENT, PARENT[:-2] + "00", PARENT[:-2] + "ff"])
def test_a_sound_parent_is_taken(parent: str) -> None:
    assert trace.parse(parent) == Trace(parent, None)


@pytest.mark.parametrize(
    "parent",
    [
        None,
        "",
        "rubbish",
        PARENT.upper(),
        PARENT + " ",
        PARENT + "\n",
        PARENT + "-more",
        PARENT[:-1],
        f"{PARENT},{PARENT}",
        PARENT.replace("00-4", "01-4"),
        PARENT.replace("00-4", "ff-4"),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473\u0664-00f067aa0ba902b7-01",
    ],
)
def test_a_parent_that_is_not_of_version_00_is_dropped_with_its_state(parent: str | None) -> None:
    assert trace.parse(parent, "a=1") is None


@pytest.mark.parametrize(
    "state",
    ["a=1", "a=1,b=2", "a=1 , b=2", "a=1,,b=2", "1ab@x=y", "a-b_c*d/e=!~ x", ",".join(f"k{n}=v" for n in range(32))],
)
def test_a_sound_state_is_taken_as_it_is(state: str) -> None:
    assert trace.parse(PARENT, state) == Trace(PARENT, state)


@pytest.mark.parametrize(
    "state",
    [
        "",
        ",",
        "a",
        "A=1",
        "a=",
        "a=1=2",
        "a=\u00e9",
        "a=x\ty",
        "a=1,a=2",
        "1ab=x",
        "@x=1",
        "a=" + "x" * 257,
        ",".join(f"k{n}=v" for n in range(33)),
        ",".join(f"key{n}={'v' * 100}" for n in range(6)),
    ],
)
def test_a_state_that_is_not_sound_is_dropped_and_the_parent_stays(state: str) -> None:
    assert trace.parse(PARENT, state) == Trace(PARENT, None)


def test_a_trace_is_current_within_its_block_and_its_thread_alone() -> None:
    seen: list[Trace | None] = []
    with trace.following(Trace(PARENT)):
        other = threading.Thread(target=lambda: seen.append(trace.current()))
        other.start()
        other.join()
        with trace.following(None):
            seen.append(trace.current())
        seen.append(trace.current())
    assert [*seen, trace.current()] == [None, None, Trace(PARENT), None]
