"""Engines that were taken over, or crash: what tests put in place of the real one, in its sandbox."""

from __future__ import annotations

import ctypes
import json
import time
from typing import Any

from functions.convert.sandbox.channel import RangeClient, Sender

__all__ = ["crash", "gorge", "hang", "speak", "stall"]


def crash(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Die of a segmentation fault, with some work done."""
    send({"kind": "progress", "share": 0.25})
    ctypes.string_at(0)


def gorge(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Want more memory than there is."""
    send({"kind": "progress", "share": 0.25})
    bytearray(8 * 1024**3)


def hang(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Never come to an end."""
    time.sleep(600)


def stall(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Say again and again that there is something to resume from, which is always the same."""
    while True:
        send({"kind": "checkpoint"}, b"{}")
        time.sleep(0.1)


def speak(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Send what the option `comment` says: a JSON list of headers, each with the hex of its payload. Never end."""
    for header, payload in json.loads(job["options"]["comment"]):
        send(header, bytes.fromhex(payload))
    time.sleep(600)
