"""Mails: sent by SMTP, or kept as .eml files on one machine."""

from __future__ import annotations

import os
import smtplib
import ssl
import tempfile
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from events.errors import SpeakingError
from functions.shared import settings
from functions.shared.problems import Unavailable
from functions.shared.tables import now

__all__ = ["SMTP_SECONDS", "MailRefused", "compose", "is_kept", "kept", "send"]

# For each step of the conversation; a server that looks for spam takes its time to answer.
SMTP_SECONDS = 30


class MailRefused(SpeakingError):
    """The mail server will not take this mail, now or later."""


def compose(identity: str, to: str, text: str) -> EmailMessage:
    """The mail to one person. The first line of `text` is its subject, the rest its body; `identity` names it."""
    subject, _, body = text.partition("\n")
    message = EmailMessage(policy=policy.SMTP)
    message["Message-ID"] = f"<{identity}@audiolift>"
    message["From"] = settings.text("MAIL_FROM")
    message["To"] = to
    # File names may hold what Unicode takes for the end of a line, and encoded words (RFC 2047), which the library
    # would decode: either could begin another header.
    message["Subject"] = " ".join(subject.split()).replace("=?", "= ?")
    message["Date"] = format_datetime(now())
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body.strip() + "\n")
    return message


def send(message: EmailMessage) -> None:
    """Send by SMTP_URL. Raises: MailRefused when the mail will never be taken, Unavailable when it may be later."""
    if (directory := _directory()) is not None:
        return _keep(directory, message)
    try:
        return _send_by_smtp(message)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        # It goes into the log, where nobody's address belongs.
        said = str(error).replace(message["To"], "the owner")
        if _for_good(error):
            raise MailRefused(said) from error
        raise Unavailable(f"the mail server put the mail off: {said}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(f"the mail server does not answer: {error}") from error


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


def _send_by_smtp(message: EmailMessage) -> None:
    url = urlsplit(settings.text("SMTP_URL"))
    with _connected(url) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        if url.username:
            _check_encrypted(server)
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)
        # The mail is the server's now: how it takes its leave is no reason to send it again.
        with suppress(smtplib.SMTPException):
            server.quit()


def _check_encrypted(server: smtplib.SMTP) -> None:
    if not isinstance(server.sock, ssl.SSLSocket):
        raise Unavailable("the mail server offers no encryption: the password is not sent to it (STARTTLS or smtps://)")


def _connected(url: SplitResult) -> smtplib.SMTP:
    host, port = url.hostname or "localhost", url.port or 0
    if url.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=SMTP_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=SMTP_SECONDS)


def _for_good(error: smtplib.SMTPException) -> bool:
    """Whether every reply code in an error is permanent (RFC 5321, section 4.2.1: 5yz)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500
