"""One mail by SMTP, step by step: what a server says is judged by the step at which, and of what, it says it.

Only what it says of the recipient is final. What is wrong with the sender, the login, the relay or the route is the
operator's to cure, and no reason to lose a mail: RFC 5321, section 4.2; enhanced codes by RFC 3463.
"""

from __future__ import annotations

import re
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from events.errors import SpeakingError
from functions.shared.problems import NeedsOperator, Unavailable
from functions.shared.watch import Watch

__all__ = ["ANSWER_SECONDS", "STEP_SECONDS", "MailRefused", "MailUnclear", "hand_in", "leave_all"]

# Before the dot nothing is lost by giving up early. After it there are ten minutes (RFC 5321, section 4.5.3.2.6): who
# leaves earlier sends a mail again that the server has.
STEP_SECONDS, ANSWER_SECONDS = 60, 600
# A connection that is kept for the next mail: servers close idle ones after some minutes, and count mails on each.
IDLE_SECONDS, MAX_MAILS, MAX_KEPT = 20, 50, 4

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})\b")
# Other or undefined status; other or undefined protocol status, which some have for mailboxes that there are not.
_SAYS_NOTHING = {(0, 0), (5, 0)}
_OF_THE_RECIPIENT = {"recipient": {501, 521, 550, 551, 552, 553, 554, 556}, "mail": {550, 551, 552, 553}}
# Of servers without enhanced codes: what a person would take for trouble with the relay or the login.
_RELAY = re.compile(r"\brelay|authenticat|\bspf\b|\bdkim\b|\bdmarc\b|block ?list|black ?list", re.IGNORECASE)


class MailRefused(SpeakingError):
    """The mail server will not take mail for this recipient, now or later."""


class MailUnclear(SpeakingError):
    """Whether the mail server has taken the mail is not known: it did not answer after the end of the mail."""


def hand_in(url: str, sender: str, to: str, content: bytes, watch: Watch) -> None:
    """Send one mail to one recipient by the server at `url`; `content` is the mail with CRLF.

    Raises: MailRefused when the recipient can have no mail; NeedsOperator, or Unavailable without an operator's doing,
    when nothing was sent and a later try may work; MailUnclear.
    """
    with _server(url, watch) as server:
        watch.before_step(STEP_SECONDS)
        _check(server.mail(sender), "sender")
        watch.before_step(STEP_SECONDS)
        _check(server.rcpt(to), "recipient")
        watch.before_step(STEP_SECONDS)
        _check(server.docmd("DATA"), "mail", wanted=354)
        server.send(re.sub(rb"(?m)^\.", b"..", content.rstrip(b"\r\n")) + b"\r\n")
        watch.at_the_end(ANSWER_SECONDS)
        _check(_answer_to_the_end(server), "mail")


def leave_all() -> None:
    """Close the connections that are kept for the next mail."""
    with _lock:
        kept = [each for keeping in _idle.values() for each in keeping]
        _idle.clear()
    for each in kept:
        _leave(each.server)


def _answer_to_the_end(server: smtplib.SMTP) -> tuple[int, bytes]:
    try:
        assert server.sock is not None
        server.sock.settimeout(ANSWER_SECONDS)
        server.send(b".\r\n")
        answer = server.getreply()
        if answer[0] // 100 not in (2, 4, 5):
            raise smtplib.SMTPResponseException(*answer)
        server.sock.settimeout(STEP_SECONDS)
        return answer
    except (smtplib.SMTPException, OSError) as error:
        server.close()
        raise MailUnclear(f"the mail server has not said whether it took the mail: {error}") from error


def _check(answer: tuple[int, bytes], about: str, wanted: int | None = None) -> None:
    """Raises: MailRefused, NeedsOperator or Unavailable, unless the answer is that all is well."""
    code, said = answer[0], " ".join(answer[1].decode(errors="replace").split())
    if code == wanted or (wanted is None and 200 <= code < 300):
        return
    if code < 500:
        raise Unavailable(f"the mail server put the mail off: {code} {said}")
    if _is_about_the_recipient(code, said, about):
        raise MailRefused(f"{code} {said}")
    raise NeedsOperator(f"the mail server does not take mail ({about}): {code} {said}")


def _is_about_the_recipient(code: int, said: str, about: str) -> bool:
    """By RFC 3463: X.1 addresses, but for 5.1.7 and 5.1.8, which are the sender's; X.2 mailboxes.

    Without such a code, or with one that says nothing, after the mail: 550 to 553, which RFC 5321, section 4.2.3, has
    for mailboxes. At RCPT also what else can be said of the one address that it has: that it is none (501), that its
    host takes no mail (521, 556; RFC 7504), that it failed (554).
    """
    if about == "sender":
        return False
    found = _ENHANCED.match(said)
    subject, detail = (int(found[2]), int(found[3])) if found else (0, 0)
    if (subject, detail) not in _SAYS_NOTHING:
        return subject == 2 or (subject == 1 and detail not in (7, 8))
    return code in _OF_THE_RECIPIENT.get(about, ()) and not _RELAY.search(said)


@dataclass
class _Kept:
    server: smtplib.SMTP
    mails: int
    since: float


_idle: dict[str, list[_Kept]] = {}
_lock = threading.Lock()


@contextmanager
def _server(url: str, watch: Watch) -> Iterator[smtplib.SMTP]:
    """A connection, of the kept ones if there is one that works; kept again when the mail was sent."""
    kept = _kept(url, watch) or _Kept(_opened(url, watch), 0, 0.0)
    try:
        yield kept.server
    except MailRefused:
        with suppress(smtplib.SMTPException, OSError):
            kept.server.rset()
        _keep(url, kept)
        raise
    except (smtplib.SMTPException, OSError) as error:
        kept.server.close()
        raise Unavailable(f"the mail server does not answer: {error}") from error
    except BaseException:
        kept.server.close()
        raise
    _keep(url, kept)


def _kept(url: str, watch: Watch) -> _Kept | None:
    while True:
        with _lock:
            found = _idle[url].pop() if _idle.get(url) else None
        if found is None:
            return None
        if time.monotonic() - found.since < IDLE_SECONDS and _works(found.server, watch):
            return found
        _leave(found.server)


def _works(server: smtplib.SMTP, watch: Watch) -> bool:
    watch.before_step(STEP_SECONDS)
    with suppress(smtplib.SMTPException, OSError):
        return server.noop()[0] == 250
    return False


def _keep(url: str, kept: _Kept) -> None:
    kept.mails, kept.since = kept.mails + 1, time.monotonic()
    with _lock:
        keeping = _idle.setdefault(url, [])
        if kept.mails < MAX_MAILS and len(keeping) < MAX_KEPT and kept.server.sock is not None:
            return keeping.append(kept)
    _leave(kept.server)


def _leave(server: smtplib.SMTP) -> None:
    # The mail is the server's by now: how it takes its leave is no reason to send it again.
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()


def _opened(url: str, watch: Watch) -> smtplib.SMTP:
    """A connection that is encrypted if it can be, and logged in. Raises: NeedsOperator, Unavailable."""
    watch.before_step(STEP_SECONDS)
    try:
        return _logged_in(url, watch)
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        problem = NeedsOperator if error.smtp_code >= 500 else Unavailable
        raise problem(f"the mail server does not let us in: {error.smtp_code} {said}") from error
    except (smtplib.SMTPNotSupportedError, ssl.SSLError) as error:
        raise NeedsOperator(f"the mail server does not do what SMTP_URL says: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(f"the mail server does not answer: {error}") from error


def _logged_in(url: str, watch: Watch) -> smtplib.SMTP:
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or 0
    server = _connected(parts.scheme, host, port)
    try:
        watch.before_step(STEP_SECONDS)
        server.ehlo_or_helo_if_needed()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            watch.before_step(2 * STEP_SECONDS)
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        if parts.username:
            _check_encrypted(server)
            watch.before_step(2 * STEP_SECONDS)
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        server.close()
        raise
    return server


def _connected(scheme: str, host: str, port: int) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=STEP_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=STEP_SECONDS)


def _check_encrypted(server: smtplib.SMTP) -> None:
    if not isinstance(server.sock, ssl.SSLSocket):
        raise NeedsOperator(
            "the mail server offers no encryption: the password is not sent to it (STARTTLS or smtps://)"
        )
