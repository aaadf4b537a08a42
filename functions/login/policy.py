"""Which passwords will do: by length, and by a list of common ones (NIST SP 800-63B-4, section 3.1.1.2).

There are no rules of composition. The list is read when the first new password comes, and is the same in every pod: no
other service is asked.
"""

from __future__ import annotations

from pathlib import Path

from functions.shared.once import once
from functions.shared.problems import Problem

__all__ = ["MAX_PASSWORD", "MIN_PASSWORD", "check"]

# Revision 4 asks for 15 where a password is all there is, and for 8 at the least. 8 is what accounts have been
# promised; guessing is slowed down (attempts.py), and what is guessed first is on the list.
MIN_PASSWORD, MAX_PASSWORD = 8, 256
SERVICE = "audiolift"
LIST = Path(__file__).parent / "common" / "passwords.txt"


def check(password: str, email: str, member: str = "password") -> None:
    """Raises: Problem (422) when this cannot be the password of the account with this address.

    `member` is the name by which the request has it. The problem's `reason` is a code: the page says it in its words.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise _refused(member, "length", f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    plain = password.strip().lower()
    if plain in _common():
        raise _refused(member, "common", "must not be one that many people have: those are guessed first.")
    if plain in (email, email.partition("@")[0], SERVICE):
        raise _refused(member, "name", "must not be your address or the name of this service: those are guessed first.")


def _refused(member: str, reason: str, why: str) -> Problem:
    return Problem("invalid-account", f"`{member}` {why}", reason=f"password-{reason}")


@once
def _common() -> frozenset[str]:
    return frozenset(LIST.read_text(encoding="utf-8").splitlines())
