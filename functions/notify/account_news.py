"""Mails about accounts: what there is to send, by their rows, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import sqlalchemy as sa

from functions.notify import account_texts, ledger
from functions.notify.channels import Notice, Refused
from functions.shared import database, kinds, languages, mail, mailed, wording
from functions.shared.languages import Language
from functions.shared.tables import account_mails as table
from functions.shared.tables import now

__all__ = ["AccountMail", "composed", "notice_of", "reopen", "settle"]

# Those whose links have a token, and what is done with it there (functions/gateway/plain/links.py).
LINKED = {kinds.CONFIRM: "verify", kinds.CONFIRM_ADDRESS: "verify", kinds.RESET: "reset"}
_OVER = "it is good no more"


@dataclass(frozen=True)
class AccountMail:
    """A mail about an account, as its notice needs it: where a notice of a job has a row of jobs."""

    id: str
    kind: str
    user_id: str | None
    email: str
    language: Language | None
    said: Mapping[str, str]
    updated_at: datetime
    # There is one run of it.
    fencing_token: int = 0
    batch_id: None = None


@database.transactional
def notice_of(connection: sa.Connection, mail_id: str) -> Notice | None:
    """What there is to send. Returns: None when that was done, or when it is over."""
    row = connection.execute(table.select().where(table.c.id == mail_id)).one_or_none()
    if row is None:
        return None
    language = row.language and languages.named(row.language)
    about = AccountMail(row.id, row.kind, row.user_id, row.email, language, row.said, row.created_at)
    notice = Notice(about, row.kind)
    if _is_over(connection, row):
        settle(connection, mail_id)
        ledger.end_waiting(connection, notice, _OVER)
        return None
    return notice


def settle(connection: sa.Connection, mail_id: str) -> None:
    """All is done with it, in the caller's transaction: its row goes, and its event with it."""
    connection.execute(table.delete().where(table.c.id == mail_id))


def reopen(_connection: sa.Connection, _mail_id: str) -> bool:
    """Returns: False. Who still wants one asks for another: what this one said is forgotten."""
    return False


def composed(notice: Notice, to: str) -> EmailMessage:
    """The mail, whose link is good from now on. Raises: Refused when it no longer is."""
    about: AccountMail = notice.job
    language = about.language or languages.of(about.user_id or "")
    words = account_texts.TEXTS[language][about.kind]
    text, html = wording.written(words, language, _link(about), **_values(about, language))
    return mail.compose(notice.identity, to, text, html)


def _is_over(connection: sa.Connection, row: Any) -> bool:
    """Whether its time is over, its token good for nothing, or nobody there to get it."""
    if row.expires_at <= now() or row.kind not in account_texts.KINDS:
        return True
    if row.kind == kinds.RESET and row.user_id is None:
        # Somebody has forgotten the password of an account that there is not: nobody was told so.
        return True
    return row.kind in LINKED and not mailed.is_good(connection, row.id)


def _link(about: AccountMail) -> str:
    if about.kind not in LINKED:
        return wording.home()
    token = mailed.mint(about.id)
    if token is None:
        raise Refused(_OVER)
    return f"{wording.home()}/{LINKED[about.kind]}/{token}"


def _values(about: AccountMail, language: Language) -> dict[str, str]:
    if about.kind != kinds.SIGNED_IN:
        return dict(about.said)
    return {**about.said, "program": about.said["program"] or account_texts.UNSAID[language]}
