"""A name whose addresses change (DNS rebinding): what the fetch asks a real name server, and whom it connects to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.names import PUBLIC, in_own_network, why_not

NAME = "rebind.example"
INSIDE = "127.0.0.1"


@pytest.fixture(autouse=True, scope="module")
def own_network() -> None:
    if reason := why_not():
        pytest.skip(f"NOT CHECKED: {reason}")


# A connection that was cut, and a redirect, make a second connection, and so a second lookup.
@pytest.mark.parametrize(
    ("turn", "answers", "result", "lookups", "requests"),
    [
        ("none", [PUBLIC, INSIDE], "whole", 1, 1),
        ("cut", [PUBLIC, INSIDE], "refused-url", 2, 1),
        ("redirect", [PUBLIC, INSIDE], "refused-url", 2, 1),
        ("none", [INSIDE], "refused-url", 1, 0),
        ("none", [f"{PUBLIC} {INSIDE}"], "refused-url", 1, 0),
        ("none", [f"{PUBLIC} ::1"], "refused-url", 1, 0),
        ("none", [f"{PUBLIC} ::ffff:{INSIDE}"], "refused-url", 1, 0),
    ],
)
def test_a_name_that_leads_inwards_is_not_followed_there(
    tmp_path: Path, turn: str, answers: list[str], result: str, lookups: int, requests: int
) -> None:
    told = in_own_network("tests.unit.rebinding", tmp_path, turn, *answers)

    assert (told["result"], told["inside"]) == (result, [])
    # The address that was checked is the one that is connected to: there is no other lookup in between.
    assert (told["asked"], len(told["outside"])) == ([NAME] * lookups, requests)
