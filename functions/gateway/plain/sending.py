"""What streams: a video that comes by a form, and all of an account that leaves as a file."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Send

from functions.gateway import contract
from functions.gateway.plain.asking import read
from functions.gateway.plain.visits import HOME, told
from functions.gateway.relay import Relay
from functions.shared import settings
from functions.shared.problems import Problem
from functions.shared.proxy import Answer

__all__ = ["FormUpload", "InName", "OwnersExport"]


class InName(Relay):
    """The answer of an operation of the API, asked in the name of whoever has this access token."""

    method: str
    path: str

    def __init__(self, request: Request, token: str) -> None:
        wanted = (self.method, self.path)
        operation = next(each for each in contract.operations() if (each.method, each.path) == wanted)
        base = settings.text(f"{operation.function.upper()}_URL")
        super().__init__(request, base, operation.seconds)
        self._url, self._request = base + self.path, request
        kept = [pair for pair in request.scope["headers"] if pair[0] not in (b"cookie", b"authorization")]
        # In place: it is what is passed on.
        request.scope["headers"][:] = [*kept, (b"authorization", f"Bearer {token}".encode())]

    async def _pass_back(self, answer: Answer, send: Send) -> None:
        page = await self._page(answer)
        if page is None:
            return await super()._pass_back(answer, send)
        page.raw_headers.extend(self._ours)
        return await page(self._request.scope, self._request.receive, send)

    async def _page(self, answer: Answer) -> Response | None:
        """The page to show instead of the answer; None for none."""
        return await self._refusal(answer) if answer.status >= 400 else None

    async def _refusal(self, answer: Answer) -> Response:
        try:
            await read(answer)
        except Problem as problem:
            return self._told(problem)
        raise AssertionError("it tells of a problem")

    def _told(self, problem: Problem) -> Response:
        return told(self._request, problem)


class FormUpload(InName):
    """The answer to the form of an upload: the page of its job."""

    method, path = "POST", "/v1/jobs"

    async def _page(self, answer: Answer) -> Response:
        if answer.status >= 400:
            return await self._refusal(answer)
        return RedirectResponse(f"{HOME}/jobs/{(await read(answer)).body['id']}", 303)


class OwnersExport(InName):
    """The zip of `GET /v1/me/export`."""

    method, path = "GET", "/v1/me/export"
