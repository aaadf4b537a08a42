"""The pages that the `type` of a problem leads to (RFC 9457, section 3.1.1): what it means, and what to do."""

from __future__ import annotations

import html

from functions.shared.layout import laid_out, prose, table
from functions.shared.problems import PROBLEMS, Problem

__all__ = ["index", "page"]


def index() -> str:
    """The page that lists all of them."""
    rows = (
        (f'<a href="/v1/problems/{code}"><code>{code}</code></a>', str(kind.status), html.escape(kind.title))
        for code, kind in PROBLEMS.items()
    )
    return laid_out("problems", "<h1>Problems</h1>" + table("Problems", ("Code", "Status", "Meaning"), rows))


def page(code: str) -> str:
    """The page of one code of PROBLEMS. Raises: Problem (404)."""
    if code not in PROBLEMS:
        raise Problem("not-found", "There is no problem of this name.")
    kind = PROBLEMS[code]
    return laid_out(
        kind.title,
        f"<h1>{html.escape(kind.title)}</h1>"
        f"<p>The answer has the status {kind.status}, and <code>{code}</code> as its <code>code</code>. "
        "Its <code>detail</code> says what went wrong this time.</p>"
        f"<h2>What to do</h2><p>{prose(kind.advice)}</p>"
        '<p><a href="/v1/problems">All problems</a>, <a href="/v1/docs">the API</a></p>',
    )
