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

from events.catalogue import SubmissionConfirmed
from events.errors import SpeakingError
from functions.shared.kinds import OF_ACCOUNTS
from functions.shared.late import late
from functions.shared.once import once
from functions.shared.problems import Unavailable
from functions.shared.watch import Watch

__all__ = ["Channel", "Endpoint", "Notice", "PutOff", "Refused", "Unclear", "every", "identity"]

if not TYPE_CHECKING:
    __getattr__ = late(__name__, "mail", "service", "sms", "webhook")


class Refused(SpeakingError):
    """The endpoint will not take this notice, now or later."""

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PutOff(Unavailable):
    """The endpoint does not take this notice now; `status` is that of its HTTP answer."""

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Unclear(SpeakingError):
    """Whether the endpoint has got the notice is not known, and a copy would trouble it."""


@dataclass(frozen=True)
class Notice:
    """One piece of news for the owner of `job` (a row of jobs, with `email`); `kind` is an event type.

    News of a batch has a `batch_news.EndedBatch` as its `job`, a reminder a `reminder_news.Reminder`; a mail about an
    account, whose kind is one of kinds.OF_ACCOUNTS, has an `account_news.AccountMail`.
    """

    job: Any
    kind: str

    @property
    def about(self) -> str:
        """What it is about, as the log has it."""
        return f"{'mail' if self.kind in OF_ACCOUNTS else 'job'} {self.job.id}"

    @property
    def generation(self) -> int:
        """Counts the runs of a job: what a retry leads to is other news. That its video has come is about none."""
        token: int = self.job.fencing_token
        return 0 if self.kind == SubmissionConfirmed.TYPE else token

    @property
    def identity(self) -> str:
        """The same at every try, by which a receiver knows two copies as one."""
        return identity(self.job.id, self.kind, self.generation)

    def delivery_id(self, channel: str, endpoint: str) -> str:
        """The same at every try to tell one endpoint, which its key names: 32 hexadecimal digits."""
        key = (self.job.id, self.kind, self.generation, channel, endpoint)
        return hashlib.sha256("/".join(map(str, key)).encode()).hexdigest()[:32]


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
    # How many endpoints are told at a time in one process.
    threads: ClassVar[int] = 8
    # The longest wait before the next try; and after how long tries end, or None: when the news is old.
    max_wait_seconds: ClassVar[int] = 1800
    patience_seconds: ClassVar[int | None] = None

    @abstractmethod
    def endpoints_of(self, notice: Notice) -> Sequence[Endpoint]:
        """Whom to tell; none is fine. Raises: Unavailable."""

    @abstractmethod
    def claim_seconds(self) -> int:
        """For how long a send holds its endpoint that says nothing to its watch: longer than its first step takes."""

    @abstractmethod
    def send(self, notice: Notice, endpoint: Endpoint, watch: Watch) -> int | None:
        """Tell one endpoint, under the notice's identity.

        Args: `watch` is told before each step that may take longer, and before the one after which it is not known
        whether the endpoint has the notice, if a copy would trouble it.
        Returns: the status of the HTTP answer, where there is one, for the ledger.
        Raises: Refused, which is final for this endpoint; Unavailable when nothing was sent and a later try may work
        (PutOff when an HTTP answer says so); Unclear.
        """

    def give_up(self, notice: Notice, endpoint: Endpoint, reason: str) -> None:
        """What else to do when the channel's patience is at its end, before that is final. Raises: Unavailable."""
        return None


@once
def every() -> tuple[Channel, ...]:
    """The channels of all modules in this package."""
    found = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(module.CHANNEL for module in found)


def identity(job_id: str, kind: str, generation: int) -> str:
    """What tells a notice from every other: 32 hexadecimal digits, whose form old mails on one machine rely on."""
    return hashlib.sha256(f"{job_id}/{kind}/{generation}".encode()).hexdigest()[:32]
