"""What somebody who follows a signed link by a browser is told when it leads nowhere: a page, without a script."""

from __future__ import annotations

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from functions.shared.accepts import takes
from functions.shared.languages import DEFAULT, accepted
from functions.shared.layout import laid_out, prose
from functions.shared.problems import MARK, Problem

__all__ = ["told"]

# What links can lead to, in German: what it is, and what to do.
_GERMAN = {
    "not-found": ("Hier ist nichts", "Der Link ist nicht vollständig, oder was er öffnet, wurde gelöscht."),
    "link-over": ("Dieser Link gilt nicht mehr", "Bitte den, von dem du ihn hast, um einen neuen."),
    "expired": ("Die Datei wurde gelöscht", "Ihre Zeit war um. Das Video muss noch einmal umgewandelt werden."),
    "wrong-state": (
        "Es gibt gerade keine Datei",
        "Das Video wird noch einmal umgewandelt. Warte, bis es fertig ist.",
    ),
    "unavailable": ("Das geht gerade nicht", "Versuche es in einer Minute noch einmal."),
}


def told(request: Request, problem: Problem) -> Response:
    """The page, for whoever prefers one, in their language. Raises: Problem, the same, for all others."""
    if not takes(request.headers.get("Accept", ""), "text/html"):
        raise problem
    # What has no text in German is told in English, and said to be.
    spoken = accepted(request.headers.get("Accept-Language")) if problem.code in _GERMAN else DEFAULT
    title, *said = _german(problem) if spoken == "de" else _english(problem)
    content = f"<h1>{html.escape(title)}</h1>" + "".join(f"<p>{prose(each)}</p>" for each in said)
    headers = {name: value for name, value in problem.headers.items() if name != "Content-Type"}
    named = {MARK: problem.code, "Vary": "Accept, Accept-Language"}
    return HTMLResponse(laid_out(title, content, spoken), problem.status, headers | named)


def _english(problem: Problem) -> tuple[str, ...]:
    return problem.kind.title, problem.detail, problem.kind.advice


def _german(problem: Problem) -> tuple[str, ...]:
    return _GERMAN[problem.code]
