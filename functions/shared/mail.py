"""Mails: sent by SMTP, or kept as .eml files on one machine."""

from __future__ import annotations

import os
import tempfile
from email import policy
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import Policy
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from functions.shared import settings, smtp
from functions.shared.problems import NeedsOperator, Unavailable
from functions.shared.smtp import MailRefused, MailUnclear
from functions.shared.tables import now
from functions.shared.watch import UNWATCHED, Watch

__all__ = ["MailRefused", "MailUnclear", "compose", "is_kept", "kept", "send"]


class _InOneLine(UnstructuredHeader, BaseHeader):
    """A header with a URL. The library makes long ones encoded words, in which mail programs do not find it.

    RFC 2047, section 5, forbids them there; a line may have 998 characters (RFC 5322, section 2.1.1).
    """

    def fold(self, *, policy: Policy[Any]) -> str:
        """As the library calls it."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _InOneLine)
# Lines of ASCII: not every server takes more (RFC 6152).
_POLICY = policy.SMTP.clone(cte_type="7bit", header_factory=_HEADERS)


def compose(identity: str, to: str, text: str, html: str = "", thread: str = "") -> EmailMessage:
    """The mail to one person. The first line of `text` is its subject, the rest its body; `identity` names it.

    `html` is the same as an HTML document, for who would rather read that. Mails of one `thread` are shown as one
    conversation (RFC 5322, section 3.6.4).
    """
    subject, _, body = text.partition("\n")
    message = EmailMessage(policy=_POLICY)
    message["Message-ID"] = f"<{identity}@audiolift>"
    message["From"] = settings.text("MAIL_FROM")
    message["To"] = to
    # File names may hold what Unicode takes for the end of a line, and encoded words (RFC 2047), which the library
    # would decode: either could begin another header.
    message["Subject"] = " ".join(subject.split()).replace("=?", "= ?")
    message["Date"] = format_datetime(now())
    message["Auto-Submitted"] = "auto-generated"
    if thread:
        message["References"] = f"<{thread}@audiolift>"
    message.set_content(body.strip() + "\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def send(message: EmailMessage, watch: Watch = UNWATCHED) -> None:
    """Send by SMTP_URL, or keep it.

    Raises: MailRefused when its recipient can have no mail; NeedsOperator when it is the operator's to cure, or
    Unavailable, when nothing was sent and a later try may work; MailUnclear. None of them has an address in its words.
    """
    if (directory := _directory()) is not None:
        return _keep(directory, message)
    sender, to = parseaddr(message["From"])[1], str(message["To"])
    try:
        return smtp.hand_in(settings.text("SMTP_URL"), sender, to, message.as_bytes(policy=_POLICY), watch)
    except (MailRefused, MailUnclear, NeedsOperator, Unavailable) as error:
        # It goes into the log, where nobody's address belongs.
        raise type(error)(str(error).replace(to, "the owner")) from error


def is_kept() -> bool:
    """Whether mails are kept on this machine instead of being sent."""
    return _directory() is not None


def kept(identity: str) -> EmailMessage | None:
    """The mail of a notice that is kept on this machine, or None when it is not (any more)."""
    directory = _directory()
    path = directory and _file(directory, identity)
    if path is None or not path.exists():
        return None
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())


def _directory() -> Path | None:
    scheme, _, place = settings.text("SMTP_URL").partition(":")
    return Path(place.removeprefix("//")) if scheme == "file" else None


def _file(directory: Path, identity: str) -> Path:
    return directory / f"{identity}.eml"


def _keep(directory: Path, message: EmailMessage) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, suffix=".part", delete=False) as file:
            file.write(message.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        # The name is the Message-ID: a mail that is sent again is still one mail.
        os.replace(file.name, _file(directory, message["Message-ID"].strip("<>").partition("@")[0]))
    except OSError as error:
        raise Unavailable(f"the mail directory does not work: {error}") from error
