"""What a caller is told of an error: one table of codes, and the problem details (RFC 9457) that are made from it.

The errors of functions.shared, each in the module that raises it:

SpeakingError
├── Problem                     it becomes problem details
│   ├── AccountGone             in credentials.py
│   └── OverQuota               in quotas.py
├── Failure                     it ends a job (reasons.py)
├── Unavailable
│   ├── StoreFull
│   ├── DatabaseUnavailable     in database.py
│   │   └── ExchangeLost        in jobs/turns.py
│   ├── HostUnreachable         in addresses.py
│   └── NeedsOperator
├── ClaimLost                   in jobs/claims.py
├── OverMinutes                 in jobs/transitions.py
├── MailRefused                 in smtp.py
├── MailUnclear
├── NoSuchBlob                  in blobs/interface.py
├── DamagedBlob
├── NoAnswer                    in proxy.py
│   └── Unreachable
├── SettingError                in settings.py
└── CannotStart                 in starting.py
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from events.errors import SpeakingError
from functions.shared import settings

__all__ = ["MARK", "PROBLEMS", "Kind", "NeedsOperator", "Problem", "StoreFull", "Unavailable"]

# The header with the code of a problem that is told as a page.
MARK = "X-Problem"


class Kind(NamedTuple):
    """What is the same for all problems of a code; `advice` is what a caller does beyond what `detail` says."""

    status: int
    title: str
    advice: str


PROBLEMS: dict[str, Kind] = {
    "bad-request": Kind(400, "The request cannot be understood", "Correct what `detail` names, and send it again."),
    "bad-option": Kind(400, "A conversion option is not valid", "Use a value of the table of options."),
    "digest-mismatch": Kind(
        400,
        "The video is not that of the digest",
        "Nothing was kept. Send it again; if it fails again, the file has changed since its digest was made.",
    ),
    "invalid-grant": Kind(
        400,
        "The refresh token is not valid",
        "Sign in again with email address and password. A refresh token is good once.",
    ),
    "unsupported-grant": Kind(
        400, "The grant type is not supported", "Use `grant_type=password` or `grant_type=refresh_token`."
    ),
    "invalid-scope": Kind(
        400, "The scope is not one that can be given", "Ask for scopes that the sign-in has, or for none by name."
    ),
    "invalid-link": Kind(
        400,
        "The link in the mail is not valid, or no longer",
        "Ask for another mail: by registering, changing the address, or at `POST /v1/password/forgot`.",
    ),
    "wrong-code": Kind(
        400,
        "The code is not the one that was sent, or not any more",
        "Read the newest SMS again, or have another code sent by `PUT /v1/me/phone`.",
    ),
    "sign-in-refused": Kind(
        400,
        "The sign-in by the identity provider did not succeed",
        "Start the sign-in again, at `POST /v1/oidc/start`. A code is good once, and not for long.",
    ),
    "unauthenticated": Kind(
        401,
        "A valid access token is needed",
        "Send `Authorization: Bearer …` with an access token of `POST /v1/token`, or an API key.",
    ),
    "no-session": Kind(
        401,
        "This browser is not signed in, or no longer",
        "Sign in at `POST /v1/session`, as the page does. Programs use `POST /v1/token`.",
    ),
    "invalid-credentials": Kind(401, "The email address or the password is wrong", "Check email address and password."),
    "insufficient-scope": Kind(
        403,
        "The access token or API key is not for this",
        "Use a token or an API key with the scope that `WWW-Authenticate` names.",
    ),
    "wrong-origin": Kind(
        403,
        "Only audiolift's own page may ask for this",
        "Programs use `POST /v1/token`. A browser says by `Sec-Fetch-Site` or `Origin` which page asks.",
    ),
    "account-suspended": Kind(403, "The account is suspended", "Ask the operator of audiolift."),
    "wrong-password": Kind(403, "The password is wrong", "Send the password of the account."),
    "quota-exceeded": Kind(
        403,
        "The account may have no more",
        "Wait for jobs to end, or delete some; `quota`, `limit` and `used` say what it is.",
    ),
    "final-upload": Kind(
        403, "The upload is put together of others, and takes no bytes", "Send bytes to the uploads that it is made of."
    ),
    "email-unverified": Kind(
        403,
        "The identity provider does not vouch for your email address",
        "Verify the address with the identity provider, then sign in again.",
    ),
    "not-found": Kind(
        404,
        "There is nothing here",
        "Check the address. A job of somebody else is answered like one that does not exist.",
    ),
    "method-not-allowed": Kind(405, "This address does not take that method", "Use a method of the `Allow` header."),
    "too-slow": Kind(
        408,
        "The request came too slowly",
        "Send the request again. A head must come within 20 seconds, a body at 512 bytes a second at least.",
    ),
    "identity-taken": Kind(
        409,
        "The identity belongs to another account",
        "Sign in by it, and unlink it there, or go on with that account.",
    ),
    "email-taken": Kind(
        409, "There already is an account with this email address", "Sign in, or register another address."
    ),
    "wrong-state": Kind(
        409,
        "The job is not in a state that allows this",
        "Read the job; `state` in the answer says where it is. `links` in a job are what it allows now.",
    ),
    "wrong-offset": Kind(
        409,
        "The upload is at another offset",
        "Ask by `HEAD` how much has arrived, and go on from there; `Upload-Offset` says it too.",
    ),
    "in-progress": Kind(
        409,
        "A request with this Idempotency-Key is still being handled",
        "Wait as long as `Retry-After` says, then send the same request.",
    ),
    "too-many-links": Kind(409, "The job has as many links as it can have", "Revoke a link that is not used any more."),
    "too-many-keys": Kind(
        409, "The account has as many API keys as it can have", "Revoke an API key that is not used any more."
    ),
    "operator-needed": Kind(
        409,
        "This operator is needed",
        "Let another operator do it, or the command line where audiolift runs.",
    ),
    "tus-version": Kind(
        412, "The upload protocol's version is not supported", "Send `Tus-Resumable: 1.0.0` with each request."
    ),
    "link-over": Kind(410, "The link is over", "Ask whoever gave you the link for another one."),
    "too-many-webhooks": Kind(
        409, "The account has as many webhooks as it can have", "Delete a webhook that is not used any more."
    ),
    "expired": Kind(410, "The files of this job have been deleted", "Upload the video again."),
    "file-changed": Kind(
        412, "The file is not the one that was asked for", "Ask without `If-Match`, and take all of the file anew."
    ),
    "too-large": Kind(413, "The video is too large", "Cut the video into parts; `limit_bytes` is the limit."),
    "unsupported-media-type": Kind(
        415, "This content type is not accepted here", "Use a content type that the route takes."
    ),
    "range-not-satisfiable": Kind(
        416, "The file has no such range", "Ask for bytes inside the file; `Content-Range` has its size."
    ),
    "invalid-account": Kind(422, "The account cannot be created or changed", "Correct the member that `detail` names."),
    "key-reused": Kind(
        422, "This Idempotency-Key was used for another request", "Use a new `Idempotency-Key` for a new upload."
    ),
    "upload-taken-over": Kind(
        423,
        "Another request goes on with this upload",
        "Ask by `HEAD` how much has arrived. Send the bytes of one upload one after the other.",
    ),
    "too-many-attempts": Kind(
        429,
        "There were too many wrong passwords",
        "Wait as long as `Retry-After` says, or have the password reset by mail, which ends the wait.",
    ),
    "too-many-codes": Kind(
        429,
        "Too many codes were sent",
        "Wait as long as `Retry-After` says; a code that has come is good until then.",
    ),
    "too-many-requests": Kind(
        429,
        "There were too many requests",
        "Wait as long as `Retry-After` says; `RateLimit` says in time how much is left.",
    ),
    "headers-too-large": Kind(
        431,
        "The request has too many headers, or too large ones",
        "Send fewer or shorter headers.",
    ),
    "checksum-mismatch": Kind(
        460,
        "The bytes are not those of the checksum",
        "Nothing of this request was kept. Send it again; if it fails again, the file has changed: begin anew.",
    ),
    "internal": Kind(
        500,
        "Something went wrong on our side",
        "Try again later. The operator finds the error in the log of the function.",
    ),
    "bad-gateway": Kind(502, "A part of audiolift did not answer", "Try again in a moment."),
    "unavailable": Kind(503, "audiolift is not available right now", "Try again after `Retry-After` seconds."),
    "too-busy": Kind(503, "audiolift has more work than it can take", "Send it again after `Retry-After` seconds."),
    "timed-out": Kind(
        504,
        "A part of audiolift took too long",
        "Try again in a moment. What the request asked for may have happened all the same.",
    ),
    "storage-full": Kind(
        507,
        "audiolift has no room for it",
        "Try again later: the operator has to make room. A resumable upload goes on from where it is.",
    ),
    "loop-detected": Kind(
        508,
        "The request goes round in a circle",
        "The operator corrects the address (`LOGIN_URL` and the like) that leads back to the gateway.",
    ),
}


_written = json.JSONEncoder(ensure_ascii=False).encode


class Problem(SpeakingError):
    """An answer to a request that cannot be fulfilled.

    Args: a code of PROBLEMS, a sentence that says what to do, extra response headers, extra members of the body.
    """

    def __init__(self, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.kind = PROBLEMS[code]
        self.status = self.kind.status
        self.headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", **(headers or {})}
        self.members = members

    def body(self) -> bytes:
        """The problem details as UTF-8 JSON (RFC 9457, section 3); at its `type` the gateway has a page about it."""
        details = {
            "type": f"{settings.text('PUBLIC_URL')}/v1/problems/{self.code}",
            "title": self.kind.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }
        return _written(details).encode()


class Unavailable(SpeakingError):
    """A store or a sink does not answer now; the same request may work later."""

    def problem(self) -> Problem:
        """The 503 that a caller sees; what exactly is down stays in the log."""
        return Problem("unavailable", "A part of audiolift is down. Try again in a moment.", {"Retry-After": "5"})


class StoreFull(Unavailable):
    """A store has no room for more; the same request may work once somebody has made some."""

    def problem(self) -> Problem:
        """The 507 that a caller sees (RFC 4918, section 11.5)."""
        return Problem("storage-full", "Nothing half-made was kept. Try again later.", {"Retry-After": "60"})


class NeedsOperator(Unavailable):
    """It works again once the operator has done something about it: a setting, an account, a permission."""
