"""What somebody who follows a signed link by a browser is told when it leads nowhere: a page, without a script."""

from __future__ import annotations

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from functions.shared.accepts import takes
from functions.shared.layout import laid_out, prose
from functions.shared.problems import MARK, Problem

__all__ = ["told"]


def told(request: Request, problem: Problem) -> Response:
    """The page, for whoever prefers one. Raises: Problem, the same, for all others."""
    if not takes(request.headers.get("Accept", ""), "text/html"):
        raise problem
    content = (
        f"<h1>{html.escape(problem.kind.title)}</h1><p>{prose(problem.detail)}</p><p>{prose(problem.kind.advice)}</p>"
    )
    headers = {name: value for name, value in problem.headers.items() if name != "Content-Type"}
    page = laid_out(problem.kind.title, content)
    return HTMLResponse(page, problem.status, {**headers, MARK: problem.code, "Vary": "Accept"})
