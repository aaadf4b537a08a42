"""The short form of `make chaos`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.aftermath import Aftermath
from tests.chaos.storm import Storm
from tests.servers import Missing

JOBS, SEED = 15, 3


def test_in_a_storm_no_order_is_lost_none_is_done_twice_and_nothing_is_left_behind(tmp_path: Path) -> None:
    try:
        with Storm(tmp_path, SEED) as storm:
            storm.rage(JOBS)
            assert Aftermath(storm).look() == []
            assert storm.faults.log
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
