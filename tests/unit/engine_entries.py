"""Engines that were taken over, or crash: what tests put in place of the real one, in its sandbox."""

from __future__ import annotations

import ctypes
import json
import time
from typing import Any

from functions.convert.sandbox.channel import RangeClient, Sender

__all__ = ["crash", "speak"]


def crash(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Die of a segmentation fault, with some work done."""
    send({"kind": "progress", "share": 0.25})
    ctypes.string_at(0)


def speak(source: RangeClient, job: dict[str, Any], send: Sender) -> None:
    """Send what the option `comment` says: a JSON list of headers, each with the hex of its payload. Never end."""
    for header, payload in json.loads(job["options"]["comment"]):
        send(header, bytes.fromhex(payload))
    time.sleep(600)
