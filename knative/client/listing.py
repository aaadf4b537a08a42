"""The commands that list and watch: jobs, watch, keys."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable

import click
import msgspec

from . import calls
from .client import Audiolift
from .models import ENDED, Job, State
from .showing import job_line, table

__all__ = ["jobs", "keys", "watch"]

Connect = Callable[[], Audiolift]
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Lines of JSON.")
SCOPES = ("jobs:read", "jobs:write", "account:read")


@click.command()
@click.option("--state", help="Only those in this state.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@AS_JSON
@click.pass_obj
def jobs(connect: Connect, state: str | None, limit: int, as_json: bool) -> None:
    """List your jobs, newest first."""
    with connect() as client:
        for job in client.jobs(state, limit):
            _show(job, as_json)


@click.command()
@click.argument("job_ids", nargs=-1)
@AS_JSON
@click.pass_obj
def watch(connect: Connect, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Watch jobs until they are over: JOB_IDS, or all that are not over yet."""
    with connect() as client:
        ids = job_ids or [job.id for job in client.jobs(None, 1000) if job.state not in ENDED]
        ends = [client.wait(job_id, lambda job: _show(job, as_json)).state for job_id in ids]
    sys.exit(0 if all(state == State.DONE for state in ends) else 1)


@click.group()
def keys() -> None:
    """List, make and revoke API keys."""


@keys.command("list")
@AS_JSON
@click.pass_obj
def list_keys(connect: Connect, as_json: bool) -> None:
    """List your API keys."""
    with connect() as client:
        found = client.do(calls.api_keys()).items
    if as_json:
        for key in found:
            click.echo(msgspec.json.encode(key))
    elif found:
        rows = [(key.id, key.name, f"{key.start}…", " ".join(key.scopes), key.last_used_at or "never") for key in found]
        click.echo(table(("id", "name", "key", "scopes", "last used"), rows))


@keys.command("make")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may; else all about jobs.")
@click.option("--days", type=click.IntRange(1, 3650), help="So long it is good; else until it is revoked.")
@AS_JSON
@click.pass_obj
def make_key(connect: Connect, name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make an API key for NAME, and print it. It is not shown again."""
    with connect() as client:
        made = client.do(calls.make_api_key(name, scopes or SCOPES[:2], _in_days(days) if days else None))
    click.echo(msgspec.json.encode(made) if as_json else made.key)


@keys.command("revoke")
@click.argument("key_id")
@click.pass_obj
def revoke_key(connect: Connect, key_id: str) -> None:
    """Revoke the API key with this id."""
    with connect() as client:
        client.do(calls.revoke_api_key(key_id))


def _in_days(days: int) -> str:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return ends.isoformat(timespec="seconds")


def _show(job: Job, as_json: bool) -> None:
    click.echo(msgspec.json.encode(job) if as_json else job_line(job))
