"""Every operation of the API, called by everybody there is: who gets in, who is told to come back with more, and who
does not get to know that there is anything. A route that is added is called too, by its declaration."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from functions.gateway import contract
from functions.shared import api_keys
from functions.shared.operations import Access
from functions.shared.scopes import FOR_KEYS, OF_A_PERSON, Scope
from tests.e2e.inside import check_problem, forge, function_processes, rows, secrets
from tests.patience import PATIENCE, eventually
from tests.system import PASSWORD, ROOT, Audiolift, User

OPERATIONS = sorted(contract.operations(), key=lambda each: (each.path, each.method))
# What belongs to nobody, or to whoever has the link.
UNOWNED = {"account_id", "letter_id", "signed", "unsubscription"}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "10", "Upload-Offset": "0"}
TUS |= {"Content-Type": "application/offset+octet-stream"}
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")


@dataclass(frozen=True)
class Visitor:
    """Somebody who calls: how the credential is had, what it is for, and whether it is the owner's of what is called.

    `status` is what every route that takes a token answers, whatever it is for.
    """

    who: str
    make: Callable[[Audiolift, User], str | None]
    scopes: frozenset[Scope] = frozenset()
    is_owner: bool = False
    is_key: bool = False
    status: int | None = None

    def expected(self, operation: contract.Target) -> int | None:
        """The status of the refusal; None when the call gets through."""
        if operation.access is not Access.TOKEN:
            return None
        if self.is_key and operation.scope not in FOR_KEYS:
            return 403
        if self.status:
            return self.status
        if operation.scope not in self.scopes:
            return 403
        # An operator sees everybody's.
        owned = set() if operation.scope is Scope.ADMIN else set(re.findall(r"<(\w+)>", operation.path)) - UNOWNED
        return 404 if owned and not self.is_owner else None


def for_one(scope: Scope, *, by_key: bool) -> Visitor:
    """The owner's token, or key, for one scope."""
    if by_key:
        return Visitor(f"a key for {scope}", lambda _, owner: made_key(owner, scope), frozenset({scope}), True, True)
    return Visitor(f"the owner, for {scope}", lambda _, owner: narrowed(owner, scope), frozenset({scope}), True)


def changed(statement: str) -> Callable[[Audiolift, User], str]:
    """Makes a key, then changes it behind the functions' back."""

    def make(audiolift: Audiolift, owner: User) -> str:
        key = made_key(owner, *sorted(FOR_KEYS))
        with writing(audiolift) as database:
            database.execute(f"{statement} WHERE digest = ?", (api_keys.digest(key),))
        return key

    return make


VISITORS = [
    Visitor("nobody", lambda *_: None, status=401),
    Visitor("rubbish", lambda *_: "x", status=401),
    Visitor("no key", lambda *_: "al_nothing", status=401),
    Visitor("a link", lambda audiolift, owner: link_to(audiolift, job_of(owner)), status=401),
    Visitor("another user", lambda audiolift, _: str(audiolift.user().tokens["access_token"]), OF_A_PERSON),
    *(for_one(scope, by_key=False) for scope in sorted(OF_A_PERSON)),
    *(for_one(scope, by_key=True) for scope in sorted(FOR_KEYS)),
    Visitor("an expired key", changed("UPDATE api_keys SET expires_at = '2026-01-01'"), is_key=True, status=401),
    Visitor("a revoked key", changed("DELETE FROM api_keys"), is_key=True, status=401),
    Visitor("a forged key", lambda *_: api_keys.make(), is_key=True, status=401),
    Visitor("an operator", lambda audiolift, _: operator(audiolift), frozenset(Scope)),
    Visitor("an operator no longer", lambda audiolift, _: operator(audiolift, still=False), OF_A_PERSON),
    Visitor("the owner", lambda _, owner: str(owner.tokens["access_token"]), OF_A_PERSON, True),
]


@pytest.fixture(scope="module")
def anyone(audiolift: Audiolift) -> Iterator[httpx.Client]:
    """A client without a token."""
    with httpx.Client(base_url=audiolift.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def owner(audiolift: Audiolift) -> User:
    """Whose things are called, where nothing is changed by it."""
    return audiolift.user()


@pytest.fixture(scope="module")
def credentials(audiolift: Audiolift, owner: User) -> dict[str, str | None]:
    """What each visitor brings along."""
    return {each.who: each.make(audiolift, owner) for each in VISITORS}


@every_operation
def test_everybody_gets_what_is_theirs_and_nothing_else(
    operation: contract.Target,
    audiolift: Audiolift,
    anyone: httpx.Client,
    owner: User,
    credentials: dict[str, str | None],
) -> None:
    path = filled(operation.path, audiolift, owner)
    for visitor in VISITORS:
        wanted = visitor.expected(operation)
        if wanted is not None:
            answer = called(anyone, operation.method, path, credentials[visitor.who])
            assert answer.status_code == wanted, f"{visitor.who}: {answer.text}"
            check_refusal(answer, operation)
    assert_unharmed(path, owner)


@every_operation
def test_who_may_gets_through(
    operation: contract.Target,
    audiolift: Audiolift,
    anyone: httpx.Client,
    owner: User,
    credentials: dict[str, str | None],
) -> None:
    """Each as somebody new, where it may change something: that may be the end of the account."""
    for visitor in VISITORS:
        if visitor.expected(operation) is None:
            changes = operation.method != "GET" and operation.access is Access.TOKEN
            host = audiolift.user() if changes else owner
            credential = visitor.make(audiolift, host) if changes else credentials[visitor.who]
            answer = called(anyone, operation.method, filled(operation.path, audiolift, host), credential)
            # Whoever comes to sign in is told that the password is wrong, or that there is no cookie.
            signing_in = operation.access is not Access.TOKEN and operation.path.startswith(
                ("/v1/token", "/v1/session")
            )
            refusals = {401, 403, 404, 405, 500, 502, 503} - ({401} if signing_in else set())
            # There is no identity provider here.
            refusals -= {404} if "/oidc" in operation.path else set()
            # Its owner has no MP3 that could be in a zip.
            refusals -= {404} if operation.path.startswith("/v1/archives/") else set()
            assert answer.status_code not in refusals, f"{visitor.who}: {answer.text}"


def test_of_what_is_not_there_nobody_learns_more_than_of_what_is_somebody_else_s(
    audiolift: Audiolift, user: User, owner: User
) -> None:
    for operation in OPERATIONS:
        owned = set(re.findall(r"<(\w+)>", operation.path)) - UNOWNED
        if owned and operation.scope in OF_A_PERSON:
            theirs = called(user.http, operation.method, filled(operation.path, audiolift, owner))
            nobodys = called(user.http, operation.method, re.sub("<[^>]+>", uuid.uuid4().hex, operation.path))
            assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)


def test_head_asks_for_the_same_as_get(anyone: httpx.Client, user: User) -> None:
    key = made_key(user, "account:read")
    headers = {"Authorization": f"Bearer {key}"}
    assert anyone.head("/v1/jobs").status_code == 401
    assert anyone.head("/v1/jobs", headers=headers).status_code == 403
    assert anyone.head("/v1/me", headers=headers).status_code == 200


def test_a_key_works_without_signing_in_until_it_is_revoked(anyone: httpx.Client, user: User) -> None:
    made = user.http.post("/v1/api-keys", json={"name": "import", "scopes": ["jobs:read", "jobs:write"]})
    key = made.json()
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/api-keys/{key['id']}")
    anyone_with_it = {"Authorization": f"bearer {key['key']}", "Content-Type": "video/mp4"}
    job = anyone.post("/v1/jobs?filename=x.mp4", content=b"", headers=anyone_with_it).json()
    assert [each["id"] for each in user.http.get("/v1/jobs").json()["items"]] == [job["id"]]
    (listed,) = user.http.get("/v1/api-keys").json()["items"]
    assert listed["last_used_at"]
    assert key["key"] not in json.dumps(listed)
    assert user.http.delete(f"/v1/api-keys/{key['id']}").status_code == 204
    check_problem(anyone.get("/v1/jobs", headers=anyone_with_it), 401, "unauthenticated")
    check_problem(user.http.delete(f"/v1/api-keys/{key['id']}"), 404, "not-found")


def test_a_key_makes_no_key_whatever_it_was_made_for(anyone: httpx.Client, user: User) -> None:
    key = made_key(user, *sorted(FOR_KEYS))
    answer = anyone.post(
        "/v1/api-keys", json={"name": "x", "scopes": ["jobs:read"]}, headers={"Authorization": f"Bearer {key}"}
    )
    check_problem(answer, 403, "insufficient-scope")
    assert 'scope="account:write"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("scopes", [["admin"], ["jobs:read", "account:write"], []])
def test_a_key_is_not_made_for_what_is_not_for_keys(user: User, scopes: list[str]) -> None:
    check_problem(user.http.post("/v1/api-keys", json={"name": "x", "scopes": scopes}), 400, "bad-request")


def test_a_sign_in_asks_for_less_and_never_gets_more(anyone: httpx.Client, user: User) -> None:
    form = {"grant_type": "password", "username": user.email, "password": PASSWORD, "scope": "jobs:read"}
    tokens = anyone.post("/v1/token", data=form).json()
    assert tokens["scope"] == "jobs:read"
    renewal = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    problem = check_problem(anyone.post("/v1/token", data={**renewal, "scope": "jobs:write"}), 400, "invalid-scope")
    assert problem["error"] == "invalid_scope"
    check_problem(anyone.post("/v1/token", data={**form, "scope": "admin"}), 400, "invalid-scope")
    assert anyone.post("/v1/token", data=renewal).json()["scope"] == "jobs:read"


def test_a_token_that_says_admin_of_somebody_who_is_none_is_refused(audiolift: Audiolift, user: User) -> None:
    """As if the key that signs had signed it: the database has the last word."""
    token = forge(audiolift, sub=user.http.get("/v1/me").json()["id"], scope="admin")
    answer = httpx.get(
        f"{audiolift.url}/v1/admin/users", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
    )
    check_problem(answer, 403, "insufficient-scope")


def test_an_operator_is_made_by_command_line_sees_acts_and_is_none_at_once(audiolift: Audiolift, user: User) -> None:
    environment = {"DATABASE_URL": f"sqlite:///{audiolift.data}/audiolift.db"}
    command = [sys.executable, "-m", "functions.login.operators"]
    subprocess.run([*command, "--grant", user.email], cwd=ROOT, env=environment, check=True)
    user.http.headers["Authorization"] = f"Bearer {user.sign_in()['access_token']}"
    letter = recorded_letter(audiolift)
    listed = user.http.get("/v1/admin/dead-letters", params={"limit": 200}).json()["items"]
    assert letter in {each["id"] for each in listed}
    settled = user.http.post("/v1/admin/dead-letters/settle", json={"ids": [letter]}, headers={"X-Request-Id": "r-1"})
    assert settled.json() == {"settled": 1}
    own_id = user.http.get("/v1/me").json()["id"]
    (act,) = user.http.get("/v1/admin/audit", params={"actor": own_id}).json()["items"]
    assert (act["action"], act["target"], act["request_id"]) == (
        "dead-letters.settled",
        {"ids": [letter], "count": 1},
        "r-1",
    )
    (found,) = user.http.get("/v1/admin/users", params={"email": user.email}).json()["items"]
    assert (found["id"], found["operator"]) == (own_id, True)
    subprocess.run([*command, "--revoke", user.email], cwd=ROOT, env=environment, check=True)
    check_problem(user.http.get("/v1/admin/audit"), 403, "insufficient-scope")
    assert user.http.get("/v1/me").status_code == 200


def test_an_operator_sees_what_runs_of_each_function(audiolift: Audiolift, anyone: httpx.Client) -> None:
    chief = {"Authorization": f"Bearer {operator(audiolift)}"}
    seen = anyone.get("/v1/admin/functions", headers=chief).json()
    assert seen["unseen"] is None
    ready = {
        each["name"]: [one["name"] for one in each["instances"] if one["state"] == "ready"] for each in seen["items"]
    }
    for name in ("gateway", "sweep"):
        assert {f"{name}-00001-{pid}" for pid in function_processes(audiolift, name)} >= set(ready[name]) != set()


def test_who_is_suspended_gets_nowhere_by_anything_from_the_next_request_on(
    audiolift: Audiolift, anyone: httpx.Client, user: User
) -> None:
    key, account = made_key(user, "jobs:read"), user.http.get("/v1/me").json()["id"]
    link = link_to(audiolift, job_of(user))
    chief = {"Authorization": f"Bearer {operator(audiolift)}"}
    form = {"grant_type": "password", "username": user.email, "password": PASSWORD}

    for _ in range(2):
        assert anyone.post(f"/v1/admin/users/{account}/suspend", headers=chief).status_code == 204

    for credential in (user.tokens["access_token"], key):
        answer = anyone.get("/v1/jobs", headers={"Authorization": f"Bearer {credential}"})
        check_problem(answer, 403, "account-suspended")
    check_problem(anyone.post("/v1/token", data=form), 403, "account-suspended")
    check_problem(anyone.post("/v1/token", data={**form, "password": "wrong, and long"}), 401, "invalid-credentials")
    renewal = {"grant_type": "refresh_token", "refresh_token": user.tokens["refresh_token"]}
    check_problem(anyone.post("/v1/token", data=renewal), 400, "invalid-grant")
    check_problem(anyone.get(f"/v1/files/{link}"), 404, "not-found")
    listed = anyone.get("/v1/admin/users", params={"email": user.email}, headers=chief).json()["items"]
    assert [each["suspended"] for each in listed] == [True]

    assert anyone.post(f"/v1/admin/users/{account}/resume", headers=chief).status_code == 204

    assert anyone.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert anyone.post("/v1/token", data=form).status_code == 200
    check_problem(anyone.post("/v1/token", data=renewal), 400, "invalid-grant")
    for action in ("user.suspended", "user.resumed"):
        acts = anyone.get("/v1/admin/audit", params={"action": action}, headers=chief).json()["items"]
        assert [each["target"] for each in acts if each["target"]["user_id"] == account] == [{"user_id": account}]


def filled(path: str, audiolift: Audiolift, owner: User) -> str:
    """The path, its parts filled with what is new and the owner's."""
    makers: dict[str, Callable[[], str]] = {
        "account_id": lambda: str(audiolift.user().http.get("/v1/me").json()["id"]),
        "identity_id": lambda: identity_of(audiolift, owner),
        "job_id": lambda: job_of(owner),
        "key_id": lambda: next(iter(keys_of(owner, "for the path"))),
        "session_id": lambda: str(owner.sign_in()["session_id"]),
        "upload_id": lambda: upload_of(owner),
        "letter_id": lambda: recorded_letter(audiolift),
        "link_id": lambda: link_of_newest(audiolift, owner),
        "webhook_id": lambda: webhook_of(owner),
        "delivery_id": lambda: delivery_of(owner, f"/v1/webhooks/{webhook_of(owner)}/deliveries"),
        "notice_id": lambda: delivery_of(owner, "/v1/me/notices"),
        "unsubscription": lambda: unsubscription_of(audiolift, owner),
        "signed": lambda: link_to(audiolift, job_of(owner)),
    }
    unknown = set(re.findall(r"<(\w+)>", path)) - set(makers)
    assert not unknown, f"say how to make one that belongs to somebody: {unknown}"
    return re.sub(r"<(\w+)>", lambda match: makers[match[1]](), path)


def upload_of(owner: User) -> str:
    """A resumable upload of which nothing has come."""
    answer = owner.http.post("/v1/uploads", headers={**TUS, "Upload-Length": "10"})
    return str(answer.raise_for_status().headers["Location"].rpartition("/")[2])


def called(client: httpx.Client, method: str, path: str, credential: str | None = None) -> httpx.Response:
    """The answer, or the head of a stream.

    To resumable uploads, what their protocol wants is said; to all else, that our own page asks; where a password is
    asked for, it is everybody's here.
    """
    headers = dict(TUS) if path.startswith("/v1/uploads") else {"Sec-Fetch-Site": "same-origin"}
    headers |= {"Authorization": f"Bearer {credential}"} if credential else {}
    body = {"password": PASSWORD} if "/identities/" in path else None
    with client.stream(method, path, headers=headers, json=body) as answer:
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            answer.read()
        return answer


def check_refusal(answer: httpx.Response, operation: contract.Target) -> None:
    """Fail unless it says what it has to, and nothing of what is there."""
    codes = {401: "unauthenticated", 403: "insufficient-scope", 404: "not-found"}
    check_problem(answer, answer.status_code, codes[answer.status_code])
    challenge = answer.headers.get("WWW-Authenticate", "")
    assert challenge.startswith('Bearer realm="audiolift"') is (answer.status_code != 404)
    assert (f'error="insufficient_scope", scope="{operation.scope}"' in challenge) is (answer.status_code == 403)


def assert_unharmed(path: str, owner: User) -> None:
    """What the owner has is there as before."""
    if named := re.search(r"/v1/jobs/([0-9a-f]{32})", path):
        assert owner.wait(named[1])["state"] == "failed"
    if named := re.search(r"/v1/uploads/([0-9a-f]{32})", path):
        assert owner.job(named[1])["state"] == "receiving"
    if named := re.search(r"/v1/api-keys/([0-9a-f]{32})", path):
        assert named[1] in {each["id"] for each in owner.http.get("/v1/api-keys").json()["items"]}
    if named := re.search(r"/v1/me/identities/([0-9a-f]{32})", path):
        assert named[1] in {each["id"] for each in owner.http.get("/v1/me/identities").json()["items"]}
    if named := re.search(r"/v1/webhooks/([0-9a-f]{32})", path):
        assert owner.http.get(f"/v1/webhooks/{named[1]}").json()["enabled"]
    assert owner.http.get("/v1/me").json()["email"] == owner.email


def job_of(owner: User) -> str:
    """A job of an empty file, which fails."""
    answer = owner.http.post("/v1/jobs?filename=x.mp4", content=b"", headers={"Content-Type": "video/mp4"})
    return str(answer.raise_for_status().json()["id"])


def identity_of(audiolift: Audiolift, owner: User) -> str:
    """An identity that opens the owner's account, as if a provider had been asked."""
    made, user_id = uuid.uuid4().hex, owner.http.get("/v1/me").json()["id"]
    with writing(audiolift) as database:
        values = (made, "https://provider.example", made, user_id, "2026-01-01 00:00:00")
        database.execute("INSERT INTO identities VALUES (?, ?, ?, ?, ?)", values)
    return made


def webhook_of(owner: User) -> str:
    """A webhook at a host that there is not."""
    for each in owner.http.get("/v1/webhooks").json()["items"]:
        return str(each["id"])
    made = owner.http.post("/v1/webhooks", json={"url": "https://nowhere.invalid/"})
    return str(made.raise_for_status().json()["id"])


def delivery_of(owner: User, listed: str) -> str:
    """A notice in that list, about a job that has failed."""
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [each["id"] for each in owner.http.get(listed).json()["items"]]
        return bool(found)

    if not is_there():
        job_of(owner)
        eventually(is_there, "the owner is told")
    return found[0]


def made_key(owner: User, *scopes: str) -> str:
    """An API key."""
    return str(owner.http.post("/v1/api-keys", json={"name": "x", "scopes": scopes}).raise_for_status().json()["key"])


def keys_of(owner: User, name: str) -> list[str]:
    """The id of a new key of that name, and of those before it."""
    owner.http.post("/v1/api-keys", json={"name": name, "scopes": ["jobs:read"]}).raise_for_status()
    return [each["id"] for each in owner.http.get("/v1/api-keys").json()["items"] if each["name"] == name]


def narrowed(owner: User, scope: str) -> str:
    """A token of the owner's for one scope."""
    form = {"grant_type": "password", "username": owner.email, "password": PASSWORD, "scope": scope}
    return str(owner.http.post("/v1/token", data=form).raise_for_status().json()["access_token"])


def operator(audiolift: Audiolift, still: bool = True) -> str:
    """The token of an operator, or of one who was when it was made."""
    user = audiolift.user()
    user_id = user.http.get("/v1/me").json()["id"]
    with writing(audiolift) as database:
        database.execute("INSERT INTO operators VALUES (?, '2026-01-01 00:00:00')", (user_id,))
    token = user.sign_in()
    assert "admin" in token["scope"]
    if not still:
        with writing(audiolift) as database:
            database.execute("DELETE FROM operators WHERE user_id = ?", (user_id,))
    return str(token["access_token"])


def recorded_letter(audiolift: Audiolift) -> str:
    """The id of a new dead letter."""
    letter_id = uuid.uuid4().hex
    columns = "id, attributes, data, reason, recorded_at, state, replays, source, type, event_id"
    values = (letter_id, '{"id": "1"}', b"{}", "500", "2026-01-01 00:00:00", "recorded", 0, "/cms", "x", letter_id)
    with writing(audiolift) as database:
        database.execute(f"INSERT INTO dead_letters ({columns}) VALUES ({','.join('?' * len(values))})", values)
    assert rows(audiolift, "SELECT id FROM dead_letters WHERE id = ?", letter_id)
    return letter_id


def link_of_newest(audiolift: Audiolift, owner: User) -> str:
    """The id of a link that was made to the owner's newest job."""
    (job,) = owner.http.get("/v1/jobs?limit=1").json()["items"]
    values = (uuid.uuid4().hex, job["id"], "2026-01-01 00:00:00", "2036-01-01 00:00:00")
    with writing(audiolift) as database:
        database.execute("INSERT INTO links (id, job_id, created_at, expires_at) VALUES (?, ?, ?, ?)", values)
    return values[0]


def link_to(audiolift: Audiolift, job_id: str) -> str:
    """The end of a signed link to a job."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINK_SECRET", secrets(audiolift)["link-secret"])
        from functions.shared import tokens

        return tokens.link(tokens.Link(job_id), 4_000_000_000)


def unsubscription_of(audiolift: Audiolift, owner: User) -> str:
    """The end of a link by which its owner gets no more mails of a kind."""
    user_id = owner.http.get("/v1/me").json()["id"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINK_SECRET", secrets(audiolift)["link-secret"])
        from functions.notify import preferences

        return preferences.unsubscribe_token(user_id, "dev.audiolift.audio.created.v1")


class writing:
    """The database, for what no client can do."""

    def __init__(self, audiolift: Audiolift) -> None:
        self._connection = sqlite3.connect(f"{audiolift.data}/audiolift.db", timeout=PATIENCE)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_error: Any) -> None:
        with closing(self._connection):
            self._connection.commit()
