"""The client: sends calls (calls.py), signs in, and is patient with a server that is away for a moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec
import tenacity

from . import calls
from .calls import Call
from .credentials import Session
from .errors import AudioliftError, Refused, SignInNeeded, Unreachable
from .models import ENDED, Job, Problem, Token

__all__ = ["AsyncAudiolift", "Audiolift"]

T = TypeVar("T")
# An answer may take as long as the server lets a client wait for news (50 s), and some.
TIMEOUT = httpx.Timeout(30, read=90)
# Refused for now, without any effect.
PASSING = (429, 502, 503, 504)
NEWS_SECONDS = 20
# As many jobs as the API gives at once.
PAGE = 100


class Audiolift:
    """A deployment, as somebody sees it. It may be used by several threads at once.

    `patience` is for how many seconds a call is repeated while the server is away or refuses for now; `waits` is told
    why, before each time. `trace` is sent along with each request: the headers `traceparent` and `tracestate` of W3C
    Trace Context, of a caller who traces.
    """

    def __init__(
        self,
        session: Session,
        *,
        patience: float = 300,
        waits: Callable[[BaseException], object] = lambda _why: None,
        trace: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.session, self.patience, self._waits = session, patience, waits
        self._http = httpx.Client(base_url=session.url, timeout=TIMEOUT, headers=trace, transport=transport)

    def __enter__(self) -> Audiolift:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._http.close()

    def do(self, call: Call[T]) -> T:
        """What audiolift answers. Raises: Refused, SignInNeeded, Unreachable (when patience is at its end)."""
        return self._patiently(lambda: self._signed(call))

    def do_once(self, call: Call[T]) -> T:
        """As `do`, without a second try. For a call whose body can be read only once. Raises: as `do`."""
        return self._sent(call, self._bearer() if call.signed_in else None)

    def wait(self, job_id: str, seen: Callable[[Job], object] = lambda _job: None) -> Job:
        """The job, once it is over; `seen` is called with it whenever it has changed. Raises: as `do`."""
        etag: str | None = None
        while True:
            news = self.do(calls.watched(job_id, etag, NEWS_SECONDS if etag else 0))
            if news is not None:
                job, etag = news
                seen(job)
                if job.state in ENDED:
                    return job

    def jobs(self, state: str | None = None, limit: int = 100) -> Iterator[Job]:
        """The newest `limit` jobs, page by page. Raises: as `do`."""
        cursor: str | None = None
        while limit > 0:
            page = self.do(calls.jobs(state, cursor, min(limit, PAGE)))
            yield from page.items
            limit, cursor = limit - len(page.items), page.next_cursor
            if cursor is None:
                return

    def stream(self, call: Call[Any]) -> Any:
        """A context with httpx's answer, whose body is not read yet. Raises: Refused, SignInNeeded, Unreachable."""
        return _Stream(self._http, call, self._bearer())

    def _signed(self, call: Call[T]) -> T:
        if not call.signed_in:
            return self._sent(call, None)
        bearer = self._bearer()
        try:
            return self._sent(call, bearer)
        except SignInNeeded:
            return self._sent(call, self._bearer(refused=bearer))

    def _bearer(self, refused: str | None = None) -> str:
        return self.session.bearer(self._renew, refused)

    def _renew(self, refresh_token: str) -> Token:
        return self._sent(calls.renew(refresh_token), None)

    def _sent(self, call: Call[T], bearer: str | None) -> T:
        try:
            answer = self._http.request(call.method, call.path, **_arguments(call, bearer))
        except httpx.TransportError as error:
            raise _unreachable(self.session.url, error) from error
        return _read(call, answer)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(passes),
            wait=_waiting,
            # Before a wait that would go beyond it: a server may ask for hours.
            stop=tenacity.stop_before_delay(self.patience),
            before_sleep=self._told,
            reraise=True,
        )(attempt)

    def _told(self, state: tenacity.RetryCallState) -> None:
        if state.outcome and (why := state.outcome.exception()):
            self._waits(why)


class AsyncAudiolift:
    """The same for asyncio: each call runs in a thread."""

    def __init__(self, session: Session, *, patience: float = 300) -> None:
        self._client = Audiolift(session, patience=patience)

    async def __aenter__(self) -> AsyncAudiolift:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    async def do(self, call: Call[T]) -> T:
        """As `Audiolift.do`."""
        return await asyncio.to_thread(self._client.do, call)

    async def wait(self, job_id: str) -> Job:
        """As `Audiolift.wait`."""
        return await asyncio.to_thread(self._client.wait, job_id)


class _Stream:
    """An answer whose body is read piece by piece, with the client's errors."""

    def __init__(self, http: httpx.Client, call: Call[Any], bearer: str) -> None:
        self._url, self._call = str(http.base_url), call
        self._context = http.stream(call.method, call.path, **_arguments(call, bearer))

    def __enter__(self) -> httpx.Response:
        try:
            answer = self._context.__enter__()
            if answer.is_error:
                answer.read()
        except httpx.TransportError as error:
            raise _unreachable(self._url, error) from error
        if answer.is_error:
            self._context.__exit__(None, None, None)
            raise refusal(answer)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, trace)
        if isinstance(error, httpx.TransportError):
            raise _unreachable(self._url, error) from error


def passes(error: BaseException) -> bool:
    """Whether the same call may go well a little later."""
    return isinstance(error, Unreachable) or (isinstance(error, Refused) and error.status in PASSING)


def pause(error: BaseException | None, tries: int) -> float:
    """The seconds before the next try, after so many: what the server asks for, else by chance up to 0.5, 1, 2 … 30."""
    asked = error.retry_after if isinstance(error, Refused) else None
    return random.uniform(0, min(0.5 * 2.0 ** (tries - 1), 30)) if asked is None else asked


def _waiting(state: tenacity.RetryCallState) -> float:
    return pause(state.outcome.exception() if state.outcome else None, state.attempt_number)


def refusal(answer: httpx.Response) -> AudioliftError:
    """The error that an answer of 400 and more stands for."""
    try:
        problem = msgspec.json.decode(answer.content, type=Problem)
    except msgspec.DecodeError:
        return _no_problem(answer)
    kind = SignInNeeded if answer.status_code == 401 else Refused
    said = f"{problem.title}. {problem.detail}"
    return kind(answer.status_code, problem.code, said, _seconds(answer.headers.get("Retry-After")))


def _no_problem(answer: httpx.Response) -> AudioliftError:
    if answer.status_code in PASSING:
        return Refused(answer.status_code, "unavailable", f"{answer.url.host} cannot answer now.")
    return Unreachable(
        f"{answer.url.host} answers, but not as audiolift does ({answer.status_code}). Is the URL right?"
    )


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None


def _read(call: Call[T], answer: httpx.Response) -> T:
    if answer.is_error:
        raise refusal(answer)
    try:
        return call.read(answer)
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise Unreachable(f"{answer.url.host} answers, but not as audiolift does. Is the URL right?") from error


def _arguments(call: Call[Any], bearer: str | None) -> dict[str, Any]:
    signed = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return {**call.send, "headers": {**call.send.get("headers", {}), **signed}}


def _unreachable(url: str, error: httpx.TransportError) -> Unreachable:
    return Unreachable(f"{url} cannot be reached: {error or type(error).__name__}.")
