"""What a notice says, in the language of its reader: as text, and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed, ExpiryAnnounced, SubmissionConfirmed
from functions.notify import german
from functions.shared import job_warnings, reasons, settings, tokens, wording
from functions.shared.job_warnings import JobWarning
from functions.shared.jobs.states import ENDED, State
from functions.shared.languages import Language
from functions.shared.templating import templates
from functions.shared.wording import Words

__all__ = ["KINDS", "MAX_LISTED", "phone_code", "webhook_disabled", "write", "write_html", "write_short"]

# What there are words for.
KINDS = frozenset(
    event.TYPE for event in (AudioCreated, ConversionFailed, SubmissionConfirmed, ExpiryAnnounced, BatchEnded)
)
PHONE_CODE: Mapping[Language, str] = {
    "en": "audiolift: your code is {code}. It is good for 10 minutes. If you have not asked for it, do nothing.",
    "de": "audiolift: Dein Code ist {code}. Er gilt 10 Minuten. Hast du ihn nicht verlangt, tu nichts.",
}
WEBHOOK_DISABLED: Mapping[Language, Words] = {
    "en": Words(
        "Your webhook is disabled",
        """\
nothing more is posted to this webhook of yours, which has not taken what we sent:

{url}

The last time, {reason}.

Once it works, enable it again in your settings, or by PATCH /v1/webhooks/… with "enabled": true. What it has missed is
in its list of deliveries, and can be sent again.
{link}""",
        "Go to your settings",
    ),
    "de": Words(
        "Dein Webhook ist abgeschaltet",
        """\
an diesen Webhook von dir, der nicht angenommen hat, was wir geschickt haben, geht nichts mehr:

{url}

Beim letzten Mal {reason}.

Sobald er wieder geht, schalte ihn in deinen Einstellungen wieder ein, oder mit PATCH /v1/webhooks/… und
"enabled": true. Was er verpasst hat, steht in der Liste seiner Zustellungen und kann noch einmal geschickt werden.
{link}""",
        "Zu deinen Einstellungen",
    ),
}
TEMPLATES = Path(__file__).with_name("templates")
# Of the jobs of a batch, so many that are done and so many that failed: mail programs cut longer mails off.
MAX_LISTED = 100
# With an address behind it, two SMS of 70 characters, as which a provider sends what is not in its own alphabet.
MAX_SHORT = 100

_MONTHS = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]


def write(job: Any, kind: str, language: str = "en") -> str:
    """The text of a notice about a row of jobs, or a batch: its first line is the subject. `kind` is an event type."""
    return _rendered(job, kind, language, "txt")


def write_html(job: Any, kind: str, language: str = "en") -> str:
    """The same as an HTML document."""
    return _rendered(job, kind, language, "html")


def write_short(job: Any, kind: str, language: str = "en") -> str:
    """What fits into an SMS: the subject, and where to see more. Whoever reads it has to sign in there."""
    subject = write(job, kind, language).partition("\n")[0]
    shown = subject if len(subject) <= MAX_SHORT else f"{subject[: MAX_SHORT - 1]}…"
    return f"{shown}\n{wording.home()}"


def phone_code(code: str, language: Language) -> str:
    """The SMS with the code that confirms a number."""
    return PHONE_CODE[language].format(code=code)


def webhook_disabled(url: str, reason: str, language: Language) -> tuple[str, str]:
    """The mail to the owner of a webhook that is disabled: as text, whose first line is the subject, and as HTML."""
    said = german.webhook_reason(reason) if language == "de" else reason
    return wording.written(WEBHOOK_DISABLED[language], language, wording.home(), url=url, reason=said)


def _rendered(job: Any, kind: str, language: str, ending: str) -> str:
    name = kind.removeprefix("dev.audiolift.").removesuffix(".v1")
    template = templates(TEMPLATES).get_template(f"{language}/{name}.{ending}")
    about = _ABOUT.get(kind, _about)(job, language)
    return template.render(job=job, language=language, home=settings.text("PUBLIC_URL"), **about)


def _about(job: Any, language: str) -> dict[str, Any]:
    in_german = language == "de"
    if job.state == State.FAILED:
        said = (reasons.title(job.error_code), job.error_detail)
        title, detail = map(german.reason, said) if in_german else said
        return {"title": title, "detail": detail}
    return {
        "length": _clock(job.duration_seconds),
        "size": _size(job.audio_bytes).replace(".", "," if in_german else "."),
        "warnings": [_warning(each, in_german) for each in job_warnings.loaded(job.warnings)],
        "until": _german_date(job.expires_at) if in_german else f"{job.expires_at:%d %B %Y, %H:%M} UTC",
        "link": f"{settings.text('PUBLIC_URL')}/v1/files/{_link(job)}",
    }


def _about_batch(batch: Any, language: str) -> dict[str, Any]:
    found = {state.value: batch.having(state) for state in State if state in ENDED}
    counts = {f"{state}_count": len(rows) for state, rows in found.items()}
    listed = {
        state.value: [{"filename": row.filename, **_about(row, language)} for row in found[state][:MAX_LISTED]]
        for state in (State.DONE, State.FAILED)
    }
    return {**counts, **listed, "total": len(batch.jobs), "open_count": batch.open_count}


def _about_nothing(_job: Any, _language: str) -> dict[str, Any]:
    return {}


def _about_expiring(reminder: Any, language: str) -> dict[str, Any]:
    listed = [{"filename": row.filename, **_about(row, language)} for row in reminder.jobs[:MAX_LISTED]]
    return {"listed": listed, "total": len(reminder.jobs)}


_ABOUT: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    BatchEnded.TYPE: _about_batch,
    SubmissionConfirmed.TYPE: _about_nothing,
    ExpiryAnnounced.TYPE: _about_expiring,
}


def _link(job: Any) -> str:
    return tokens.link(tokens.Link(job.id, generation=job.links_generation or 0), job.expires_at.timestamp())


def _warning(warning: JobWarning, in_german: bool) -> str:
    if in_german and warning.code in german.WARNINGS:
        # What a newer release means by other values is said in its own words.
        try:
            return german.WARNINGS[warning.code].format_map(warning.values)
        except (KeyError, ValueError):
            return warning.text
    return warning.text


def _german_date(moment: datetime) -> str:
    return f"{moment.day}. {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} Uhr UTC"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
