"""The Python client of audiolift, and the command `audiolift` (also `kn audiolift`).

from audiolift import Audiolift, KeySession, calls

with Audiolift(KeySession("https://audio.example.com", "al_…")) as audiolift:
    print(audiolift.do(calls.account()).email)
"""

from __future__ import annotations

from . import calls, models
from .client import AsyncAudiolift, Audiolift
from .credentials import KeySession, Session, Store, StoredSession
from .errors import AudioliftError, Refused, SignInNeeded, Unreachable, Unusable

__all__ = [
    "AsyncAudiolift",
    "Audiolift",
    "AudioliftError",
    "KeySession",
    "Refused",
    "Session",
    "SignInNeeded",
    "Store",
    "StoredSession",
    "Unreachable",
    "Unusable",
    "calls",
    "models",
]
