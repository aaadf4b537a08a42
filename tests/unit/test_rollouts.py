"""functions/shared/jobs/rollouts.py: videos are named as before until the convert and the sweep of before are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from functions.shared import database, migrate
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, names, rollouts, transitions
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from tests import asgi, engines
from tests.patience import eventually
from tests.unit import rows

JOB = "a" * 32


@pytest.fixture
def old_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those of before revision 0004."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/old.db")
    database.engine.cache_clear()
    migrate.upgrade()
    command.downgrade(migrate.config(), "0003")
    yield
    engines.leave()


@pytest.mark.usefixtures("old_tables")
def test_where_jobs_were_videos_keep_their_names_until_both_functions_have_taken_over() -> None:
    open_old_job()
    migrate.upgrade()
    new = rows.job(State.RECEIVING)
    for gone in (rollouts.OLD_SWEEP, rollouts.OLD_CONVERT):
        assert claims.claim_upload(new).video == names.old_video(new)
        rollouts.end(gone)
    assert claims.claim_upload(new).video == names.video(new, 0)


@pytest.mark.usefixtures("old_tables")
def test_where_no_jobs_were_nobody_is_waited_for() -> None:
    migrate.upgrade()
    assert claims.claim_upload(JOB).video == names.video(JOB, 0)


@pytest.mark.usefixtures("old_tables", "store")
@pytest.mark.parametrize(("function", "left"), [("convert", rollouts.OLD_SWEEP), ("sweep", rollouts.OLD_CONVERT)])
def test_a_function_takes_over_before_it_is_ready(function: str, left: tuple[str, ...]) -> None:
    open_old_job()
    migrate.upgrade()
    app = asgi.app_of(function)
    eventually(lambda: asgi.call(app, "GET", "/readyz", {}).status == 200, f"{function} is ready")
    with database.reading() as connection:
        assert {*connection.execute(sa.text("SELECT name FROM rollouts")).scalars()} == {*left}


@pytest.mark.usefixtures("old_tables")
def test_videos_are_joined_of_pieces_once_both_functions_know_that() -> None:
    open_old_job()
    migrate.upgrade()
    for gone in (rollouts.OLD_SWEEP, rollouts.OLD_CONVERT):
        with database.reading() as connection, pytest.raises(Unavailable):
            rollouts.check_joining(connection)
        rollouts.end(gone)
    with database.reading() as connection:
        rollouts.check_joining(connection)


@pytest.mark.usefixtures("tables")
def test_what_the_upload_of_before_has_stored_is_found_by_convert() -> None:
    """It writes no name into the row."""
    job = rows.job(State.QUEUED)
    claim = claims.claim(job)
    assert claim
    assert claim.video == f"video/{job}"


@pytest.mark.usefixtures("old_tables")
def test_what_is_stored_meanwhile_is_found_by_the_convert_of_before_and_by_the_new_one(store: Blobs) -> None:
    open_old_job()
    migrate.upgrade()
    job = rows.job(State.RECEIVING)
    receiving = claims.claim_upload(job)
    with store.writing(receiving.video) as writer:
        writer.write(b"video")
    transitions.queue(receiving, "talk.mp4", {}, 5)
    rollouts.end(rollouts.OLD_SWEEP)
    rollouts.end(rollouts.OLD_CONVERT)
    claim = claims.claim(job)
    assert claim
    assert claim.video == f"video/{job}"
    assert store.size(f"video/{job}") == 5


def open_old_job() -> None:
    """A job, by an INSERT of the release before."""
    columns = "id, user_id, state, filename, options, progress, created_at, updated_at, attempts, fencing_token"
    with database.transaction() as connection:
        user = {"id": JOB, "email": "anna@example.com", "at": rows.ago(0).replace(tzinfo=None).isoformat(" ")}
        added = "INSERT INTO users (id, email, password_hash, created_at) VALUES (:id, :email, '-', :at)"
        connection.execute(sa.text(added), user)
        values = "VALUES (:id, :id, 'queued', 'x', '{}', 0, :at, :at, 0, 0)"
        connection.execute(sa.text(f"INSERT INTO jobs ({columns}) {values}"), user)
