"""functions/shared/once.py: one for all threads of a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from functions.shared import blobs, database
from functions.shared.blobs.directory import DirectoryBlobs
from functions.shared.once import once

THREADS = 8


def at_once(call: Callable[[], Any]) -> list[Any]:
    """What eight threads get that call at the same moment."""
    together = threading.Barrier(THREADS)

    def wait_and_call(_: int) -> Any:
        together.wait()
        return call()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(wait_and_call, range(THREADS)))


def slowly(made: list[Any], real: Callable[..., Any]) -> Callable[..., Any]:
    """The same, so slow that all others come meanwhile; `made` has what it made."""

    def make(*args: Any, **options: Any) -> Any:
        time.sleep(0.05)
        made.append(real(*args, **options))
        return made[-1]

    return make


@pytest.mark.parametrize("url", ["sqlite:///{path}", "mysql+pymysql://nobody@127.0.0.1:1/none"])
def test_the_first_calls_of_eight_threads_make_one_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    made: list[Any] = []
    monkeypatch.setenv("DATABASE_URL", url.format(path=tmp_path / "rows.db"))
    monkeypatch.setattr(sa, "create_engine", slowly(made, sa.create_engine))
    database.engine.cache_clear()
    assert at_once(database.engine) == made * THREADS
    assert len(made) == 1
    database.engine.cache_clear()


def test_the_first_calls_of_eight_threads_make_one_blob_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setenv("BLOBS_URL", f"file:{tmp_path}")
    monkeypatch.setattr("functions.shared.blobs.directory.DirectoryBlobs", slowly(made, DirectoryBlobs))
    blobs.store.cache_clear()
    assert at_once(blobs.store) == made * THREADS
    assert len(made) == 1
    blobs.store.cache_clear()


def test_what_failed_is_tried_again_by_the_next_who_asks() -> None:
    answers = iter([ValueError("not yet"), "made"])

    @once
    def make() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ValueError, match="not yet"):
        make()
    assert (make(), make()) == ("made", "made")
