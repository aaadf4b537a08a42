"""Mails about accounts: written here, and sent after the answer, so that no answer tells whether one was.

They have threads of their own: a mail server that is slow holds up neither requests nor who is answered next.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from starlette.background import BackgroundTask

from functions.login import letter_texts
from functions.shared import mail, settings, wording
from functions.shared.languages import Language
from functions.shared.once import once
from functions.shared.problems import Unavailable

__all__ = [
    "Letter",
    "address_changed",
    "are_needed",
    "confirm",
    "confirm_address",
    "deleted",
    "key_made",
    "known",
    "password_changed",
    "posting",
    "reset",
    "signed_in",
]

log = logging.getLogger(__name__)

THREADS = 2
# Beyond these, mails are dropped: whoever waits for one asks again.
_room = threading.BoundedSemaphore(100)
# A mail server that puts a mail off for longer is left alone, for the same reason.
PAUSES_SECONDS = (2, 8)


@dataclass(frozen=True)
class Letter:
    """A mail to be written and sent: which one of letter_texts, in which language, and what is put into it."""

    to: str
    name: str
    language: Language
    link: str = ""
    values: dict[str, str] = field(default_factory=dict)


def are_needed() -> bool:
    """Whether an address must be confirmed by mail before its account works."""
    chosen = settings.text("VERIFY_EMAIL")
    return chosen == "on" or (chosen == "auto" and not mail.is_kept())


def posting(letter: Letter | None) -> BackgroundTask | None:
    """What a response's `background` is when a letter, if any, is to be sent after it.

    Never raises: that a mail could not be sent is in the log, without its address.
    """
    return BackgroundTask(_post, letter) if letter else None


def confirm(to: str, token: str, language: Language) -> Letter:
    """To whoever registers."""
    return Letter(to, "confirm", language, _link("verify", token))


def known(to: str, language: Language) -> Letter:
    """To the owner of an account, whose address somebody has registered again, or wants for another account."""
    return Letter(to, "known", language, wording.home())


def confirm_address(to: str, token: str, language: Language) -> Letter:
    """To the new address of an account."""
    return Letter(to, "confirm-address", language, _link("verify", token))


def reset(to: str, token: str, language: Language) -> Letter:
    """To the owner of an account who has forgotten the password."""
    return Letter(to, "reset", language, _link("reset", token))


def password_changed(to: str, language: Language) -> Letter:
    """To the owner of an account."""
    return Letter(to, "password-changed", language, wording.home())


def address_changed(to: str, language: Language) -> Letter:
    """To the former address of an account."""
    return Letter(to, "address-changed", language)


def key_made(to: str, name: str, language: Language) -> Letter:
    """To the owner of an account."""
    return Letter(to, "key-made", language, wording.home(), {"name": name})


def signed_in(to: str, program: str, address: str, at: str, language: Language) -> Letter:
    """To the owner of an account: by which program, from which address, and when somebody has signed in."""
    return Letter(to, "signed-in", language, wording.home(), {"program": program, "address": address, "at": at})


def deleted(to: str, language: Language) -> Letter:
    """To the former owner of an account."""
    return Letter(to, "deleted", language)


async def _post(letter: Letter) -> None:
    if not _room.acquire(blocking=False):
        log.error("too many mails are waiting to be sent; one was dropped")
        return
    try:
        await asyncio.get_running_loop().run_in_executor(_postmen(), _send, letter)
    finally:
        _room.release()


def _send(letter: Letter) -> None:
    subject = letter_texts.TEXTS["en"][letter.name].subject
    words = letter_texts.TEXTS[letter.language][letter.name]
    text, html = wording.written(words, letter.language, letter.link, **letter.values)
    message = mail.compose(uuid.uuid4().hex, letter.to, text, html)
    for pause in (*PAUSES_SECONDS, None):
        try:
            mail.send(message)
            log.info("mail to an account's owner: %s", subject)
        except mail.MailRefused as error:
            log.warning("mail to an account's owner refused: %s: %s", subject, error)
        except mail.MailUnclear as error:
            # Who did not get it asks again; whoever did would not know what to make of a second one.
            log.error("mail to an account's owner: %s: %s", subject, error)
        except Unavailable as error:
            if pause is not None:
                time.sleep(pause)
                continue
            log.error("mail to an account's owner not sent, and dropped: %s: %s", subject, error)
        return


@once
def _postmen() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "mail")


def _link(action: str, token: str) -> str:
    return f"{wording.home()}/#{action}={token}"
