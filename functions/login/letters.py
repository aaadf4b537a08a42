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
from dataclasses import dataclass

from starlette.background import BackgroundTask

from functions.shared import mail, settings
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
]

log = logging.getLogger(__name__)

THREADS = 2
# Beyond these, mails are dropped: whoever waits for one asks again.
_room = threading.BoundedSemaphore(100)
# A mail server that puts a mail off for longer is left alone, for the same reason.
PAUSES_SECONDS = (2, 8)


@dataclass(frozen=True)
class Letter:
    """A mail to be sent; the first line of the text is its subject."""

    to: str
    text: str


def are_needed() -> bool:
    """Whether an address must be confirmed by mail before its account works."""
    chosen = settings.text("VERIFY_EMAIL")
    return chosen == "on" or (chosen == "auto" and not mail.is_kept())


def posting(letter: Letter | None) -> BackgroundTask | None:
    """What a response's `background` is when a letter, if any, is to be sent after it.

    Never raises: that a mail could not be sent is in the log, without its address.
    """
    return BackgroundTask(_post, letter) if letter else None


def confirm(to: str, token: str) -> Letter:
    """To whoever registers."""
    return _letter(to, "Confirm your address", CONFIRM, link=_link("verify", token))


def known(to: str) -> Letter:
    """To the owner of an account, whose address somebody has registered again, or wants for another account."""
    return _letter(to, "You already have an account", KNOWN, link=_home())


def confirm_address(to: str, token: str) -> Letter:
    """To the new address of an account."""
    return _letter(to, "Confirm your new address", CONFIRM_ADDRESS, link=_link("verify", token))


def reset(to: str, token: str) -> Letter:
    """To the owner of an account who has forgotten the password."""
    return _letter(to, "Reset your password", RESET, link=_link("reset", token))


def password_changed(to: str) -> Letter:
    """To the owner of an account."""
    return _letter(to, "Your password was changed", PASSWORD_CHANGED)


def address_changed(to: str) -> Letter:
    """To the former address of an account."""
    return _letter(to, "Your address was changed", ADDRESS_CHANGED)


def key_made(to: str, name: str) -> Letter:
    """To the owner of an account."""
    return _letter(to, "An API key was made", KEY_MADE, name=name, link=_home())


def deleted(to: str) -> Letter:
    """To the former owner of an account."""
    return _letter(to, "Your account was deleted", DELETED)


async def _post(letter: Letter) -> None:
    if not _room.acquire(blocking=False):
        log.error("too many mails are waiting to be sent; one was dropped")
        return
    try:
        await asyncio.get_running_loop().run_in_executor(_postmen(), _send, letter)
    finally:
        _room.release()


def _send(letter: Letter) -> None:
    subject = letter.text.partition("\n")[0]
    message = mail.compose(uuid.uuid4().hex, letter.to, letter.text)
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


def _letter(to: str, subject: str, body: str, **parts: str) -> Letter:
    return Letter(to, f"{subject}\n\nHello,\n\n{body.format(**parts)}\naudiolift\n{_home()}\n")


def _link(action: str, token: str) -> str:
    return f"{_home()}/#{action}={token}"


def _home() -> str:
    return settings.text("PUBLIC_URL").rstrip("/")


CONFIRM = """\
somebody, you we hope, has registered this address. Open this link within a day, and sign in with the password that you
have chosen:
{link}

If it was not you, do nothing: without the password the link is of no use, and no account is made.
"""
KNOWN = """\
somebody, you perhaps, has entered this address for a new account. You have one already. Sign in here; you can also have
your password reset:
{link}

If it was not you, do nothing: they have not been told that there is an account.
"""
CONFIRM_ADDRESS = """\
somebody, you we hope, wants this to be the address of their account. Open this link within a day, and confirm it
with the password of that account:
{link}

If it was not you, do nothing.
"""
RESET = """\
somebody, you we hope, has forgotten the password of your account. Open this link within half an hour, and choose
another one:
{link}

If it was not you, do nothing: your password stays as it is.
"""
PASSWORD_CHANGED = """\
the password of your account was changed, and everybody who was signed in has been signed out.

If it was not you, have your password reset at once, by "Forgot your password?" on the page.
"""
ADDRESS_CHANGED = """\
your account has another address now. This one gets no more mail from us.

If it was not you, tell whoever runs this service.
"""
KEY_MADE = """\
somebody, you we hope, has made an API key for your account, and called it "{name}". Whoever has it can use the account
without a password.

If it was not you, revoke the key, and change your password:
{link}
"""
DELETED = """\
your account was deleted, as you have asked. Its files are deleted within the next hours.

If it was not you, tell whoever runs this service.
"""
