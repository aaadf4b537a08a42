"""What somebody who follows a signed link by a browser is told when it leads to no file: a page, without a script."""

from __future__ import annotations

import html
import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from functions.shared.layout import laid_out, prose
from functions.shared.problems import MARK, Problem

__all__ = ["told"]


def told(request: Request, problem: Problem) -> Response:
    """The page, for whoever prefers one. Raises: Problem, the same, for all others."""
    if not _prefers_page(request.headers.get("Accept", "")):
        raise problem
    content = (
        f"<h1>{html.escape(problem.kind.title)}</h1><p>{prose(problem.detail)}</p><p>{prose(problem.kind.advice)}</p>"
    )
    headers = {name: value for name, value in problem.headers.items() if name != "Content-Type"}
    page = laid_out(problem.kind.title, content)
    return HTMLResponse(page, problem.status, {**headers, MARK: problem.code, "Vary": "Accept"})


def _prefers_page(accept: str) -> bool:
    """Whether text/html is named: programs take anything, browsers say what they want (RFC 9110, section 12.5.1)."""
    found = re.search(r"(?:^|,)\s*text/html\s*(?:;([^,]*))?(?:,|$)", accept, re.IGNORECASE)
    return found is not None and not re.search(r"\bq\s*=\s*0(?:\.0*)?\s*(?:;|$)", found[1] or "")
