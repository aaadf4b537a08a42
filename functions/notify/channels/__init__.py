"""The channels by which owners are told: one module for each, which has the channel as its CHANNEL.

A module that is put into this package takes part: nothing else names it. Reading order: `mail`, then `fanout`, which
uses them.
"""

from __future__ import annotations

import hashlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from events.errors import SpeakingError
from functions.shared.late import late
from functions.shared.once import once

__all__ = ["Channel", "Endpoint", "Notice", "Refused", "every", "identity"]

if not TYPE_CHECKING:
    __getattr__ = late(__name__, "mail")


class Refused(SpeakingError):
    """The endpoint will not take this notice, now or later."""


@dataclass(frozen=True)
class Notice:
    """One piece of news for the owner of `job` (a row of jobs, with `email`); `kind` is an event type."""

    job: Any
    kind: str

    @property
    def generation(self) -> int:
        """Counts the runs of a job: what a retry leads to is other news."""
        token: int = self.job.fencing_token
        return token

    @property
    def identity(self) -> str:
        """The same at every try, by which a receiver knows two copies as one."""
        return identity(self.job.id, self.kind, self.generation)


@dataclass(frozen=True)
class Endpoint:
    """One place to tell. `key` stands for it in the ledger: 64 characters at most, and never the address itself."""

    key: str
    address: str


class Channel(ABC):
    """A way to tell owners. `name` is its name in the ledger, for ever; `kinds` are the event types it has words for.

    Its methods run in several threads at a time.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]

    @abstractmethod
    def endpoints_of(self, job: Any) -> Sequence[Endpoint]:
        """Whom to tell of a job; none is fine. Raises: Unavailable."""

    @abstractmethod
    def claim_seconds(self) -> int:
        """After how long a send that was begun and never finished must be dead: longer than any that is alive takes."""

    @abstractmethod
    def send(self, notice: Notice, endpoint: Endpoint) -> None:
        """Tell one endpoint, under the notice's identity.

        Raises: Refused, which is final for this endpoint; Unavailable when nothing was sent and a later try may work.
        """


@once
def every() -> tuple[Channel, ...]:
    """The channels of all modules in this package."""
    found = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(module.CHANNEL for module in found)


def identity(job_id: str, kind: str, generation: int) -> str:
    """What tells a notice from every other: 32 hexadecimal digits, whose form old mails on one machine rely on."""
    return hashlib.sha256(f"{job_id}/{kind}/{generation}".encode()).hexdigest()[:32]
