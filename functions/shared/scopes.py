"""What a request may do: the scopes of access tokens and API keys (RFC 6749, section 3.3), and who it is from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from functions.shared.problems import Problem

__all__ = ["FOR_KEYS", "MEANINGS", "OF_A_PERSON", "Caller", "Scope", "demand", "narrowed", "parse", "written"]


class Scope(StrEnum):
    """What a route asks for. MEANINGS says to people what each is."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    ADMIN = "admin"


MEANINGS = {
    Scope.JOBS_READ: "List, read and follow jobs, and fetch their MP3s.",
    Scope.JOBS_WRITE: "Upload videos; cancel, retry and delete jobs.",
    Scope.ACCOUNT_READ: "Read whose account it is, and which API keys it has.",
    Scope.ACCOUNT_WRITE: "Change or end the account, make API keys, read its mails.",
    Scope.ADMIN: "`/v1/admin`: for operators.",
}

# What everybody may who signs in; operators may ADMIN, too.
OF_A_PERSON = frozenset(Scope) - {Scope.ADMIN}
# A key lies in files and in build logs, and whoever finds it has it: it must not be able to become more than it is. It
# cannot make another key that outlives it, nor change the password, nor read a mail by which that can be changed.
FOR_KEYS = frozenset({Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.ACCOUNT_READ})


@dataclass(frozen=True)
class Caller:
    """Who a request is from, and what it may. `key_id` is that of the API key that it came with, if it did.

    `until` is when the access token or key ends by itself (Unix time), if it does.
    """

    user_id: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    until: float | None = None


def parse(text: str) -> frozenset[Scope]:
    """The scopes in a list with spaces between; those of a newer release are passed over."""
    return frozenset(scope for scope in Scope if scope in text.split())


def written(scopes: Iterable[str]) -> str:
    """Scopes as a list with spaces between, always in the same order."""
    return " ".join(scope for scope in Scope if scope in scopes)


def narrowed(asked: str, held: frozenset[Scope]) -> frozenset[Scope]:
    """The scopes that a client asks for, out of those that it may have; all of these when it does not say.

    Raises: Problem (400, `invalid_scope`; RFC 6749, section 5.2) for one beyond these, and for one that there is not.
    """
    names = set(asked.split()) or set(held)
    if not names or not names <= held:
        raise Problem("invalid-scope", f"You may ask for: {written(held) or 'nothing'}.", error="invalid_scope")
    return frozenset(map(Scope, names))


def demand(wanted: Scope | None, held: frozenset[Scope]) -> None:
    """Refuse who lacks the scope. Raises: Problem (403; RFC 6750, section 3.1)."""
    if wanted not in held:
        challenge = f'Bearer realm="audiolift", error="insufficient_scope", scope="{wanted}"'
        detail = f"This takes the scope `{wanted}`, which the access token or the API key does not have."
        raise Problem("insufficient-scope", detail, {"WWW-Authenticate": challenge})
