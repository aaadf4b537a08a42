"""What users do not see, and tests must: rows, blobs, mails on the disk, and processes."""

from __future__ import annotations

import email
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import jwt

from tests.patience import PATIENCE, eventually
from tests.system import ROOT, Audiolift

__all__ = [
    "blobs",
    "check_problem",
    "children",
    "engines",
    "environment",
    "forge",
    "function_processes",
    "job_row",
    "mails",
    "peak_rss",
    "plain",
    "readers",
    "rows",
    "run_inside",
    "secrets",
    "tick",
    "tree",
]


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Fail unless the response is that problem, complete (RFC 9457), and tells nothing of the inside.

    Returns: it; of the answer to HEAD, which has no body, nothing.
    """
    assert response.status_code == status, response.text[:500]
    assert response.headers["Content-Type"] == "application/problem+json"
    if response.request.method == "HEAD":
        return {}
    problem: dict[str, Any] = response.json()
    assert problem["type"].endswith(f"/v1/problems/{code}")
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"].endswith(".")
    assert "Traceback" not in response.text
    assert ".py" not in response.text
    return problem


def rows(audiolift: Audiolift, query: str, *parameters: Any) -> list[sqlite3.Row]:
    """What a query finds in the database."""
    with closing(
        sqlite3.connect(f"file:{audiolift.data}/audiolift.db?mode=ro", uri=True, timeout=PATIENCE)
    ) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query, parameters).fetchall()


def job_row(audiolift: Audiolift, job_id: str) -> sqlite3.Row:
    """The row of a job."""
    return rows(audiolift, "SELECT * FROM jobs WHERE id = ?", job_id)[0]


def blobs(audiolift: Audiolift) -> set[str]:
    """The names of all blobs, the unfinished ones too."""
    root = audiolift.data / "blobs"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def plain(mail: EmailMessage) -> str:
    """The text of a mail, as who does not read HTML sees it."""
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content())


def mails(audiolift: Audiolift, to: str) -> list[EmailMessage]:
    """The mails to somebody, as they lie on the disk."""
    read = (_parsed(path.read_bytes()) for path in (audiolift.data / "mail").glob("*.eml"))
    return [mail for mail in read if mail["To"] == to]


def secrets(audiolift: Audiolift) -> dict[str, str]:
    """The keys that this audiolift signs with."""
    kept: dict[str, dict[str, str]] = json.loads((audiolift.data / "secrets.json").read_text())
    return kept["audiolift-tokens"]


def forge(audiolift: Audiolift, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    """An access token signed with the system's own key: good, but for what the arguments say."""
    key, now = json.loads(secrets(audiolift)["signing-key"]), int(time.time())
    good = {"iss": "audiolift", "aud": "audiolift", "sub": "nobody", "iat": now, "exp": now + 60, **claims}
    return jwt.encode(good, jwt.PyJWK(key).key, "ES256", headers={"kid": key["kid"], "typ": "at+jwt", **(header or {})})


def tick(audiolift: Audiolift) -> None:
    """Have sweep do now what it does every minute."""
    run_inside(audiolift, "from functions.sweep.main import tick; tick()")


def run_inside(audiolift: Audiolift, code: str) -> None:
    """Run Python code in a process that has the environment of a function."""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(audiolift), check=True)


def environment(audiolift: Audiolift) -> dict[str, str]:
    """The environment of a function that emits events and has the files; waits until there is one."""
    found: dict[str, str] = eventually(lambda: next(_emitters(audiolift), None), "a function that has both")
    return found


def function_processes(audiolift: Audiolift, name: str) -> list[int]:
    """The processes that the runner started for a function; convert has engines below it (`tree`)."""
    words = f"functions.shared.server\0{name}\0".encode()
    return [pid for pid in children(audiolift.process.pid) if words in _read(pid, "cmdline")]


def readers(job_id: str) -> list[int]:
    """The processes that have a job's video open: functions that have it converted."""
    return [pid for pid in _pids() if any(f"/video/{job_id}" in link for link in _open_files(pid))]


def engines(root: int) -> list[int]:
    """The processes below one that compute: forked from a warm one that does nothing else."""
    return [pid for pid in tree(root) if _is_of_sandbox(pid) and _is_of_sandbox(_parent(pid))]


def children(parent: int) -> list[int]:
    """The children of a process."""
    return [pid for pid in _pids() if _parent(pid) == parent]


def tree(root: int) -> list[int]:
    """A process, and all below it."""
    return [root, *(pid for child in children(root) for pid in tree(child))]


def peak_rss(pid: int) -> int:
    """The most memory that a process has held, in bytes (VmHWM, proc(5))."""
    lines = _read(pid, "status").decode().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


def _emitters(audiolift: Audiolift) -> Iterator[dict[str, str]]:
    for pid in children(audiolift.process.pid):
        pairs = (line.partition("=") for line in _read(pid, "environ").decode().split("\0"))
        environment = {name: value for name, _, value in pairs if name}
        if {"K_SINK", "BLOBS_URL"} <= environment.keys():
            yield environment


def _parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, _class=EmailMessage, policy=policy.default)


def _is_of_sandbox(pid: int) -> bool:
    return b"functions.convert.sandbox.zygote" in _read(pid, "cmdline")


def _open_files(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield os.readlink(link)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _parent(pid: int) -> int:
    # The command's name may hold anything but ends at the last bracket (proc(5)).
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
