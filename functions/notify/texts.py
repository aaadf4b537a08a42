"""What a notice says, in the language of its reader: as text, and as HTML."""

from __future__ import annotations

import functools
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from events.catalogue import BatchEnded
from functions.notify import german
from functions.shared import job_warnings, reasons, settings, tokens
from functions.shared.job_warnings import JobWarning
from functions.shared.jobs.states import ENDED, State

__all__ = ["MAX_LISTED", "webhook_disabled", "write", "write_html"]

# Of the jobs of a batch, so many that are done and so many that failed: mail programs cut longer mails off.
MAX_LISTED = 100

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


def webhook_disabled(url: str, reason: str) -> str:
    """The text of the mail to the owner of a webhook that is disabled: its first line is the subject."""
    template = _templates().get_template("en/webhook-disabled.txt")
    return template.render(url=url, reason=reason, home=settings.text("PUBLIC_URL"))


def _rendered(job: Any, kind: str, language: str, ending: str) -> str:
    name = kind.removeprefix("dev.audiolift.").removesuffix(".v1")
    template = _templates().get_template(f"{language}/{name}.{ending}")
    about = _about_batch(job, language) if kind == BatchEnded.TYPE else _about(job, language)
    return template.render(job=job, language=language, home=settings.text("PUBLIC_URL"), **about)


@functools.cache
def _templates() -> Environment:
    # In plain text there is nothing to escape. File names hold no control characters (upload sees to that): no line can
    # be forged.
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
    )


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
