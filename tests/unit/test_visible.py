"""functions/shared/visible.py: what stays of a stranger's text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.visible import one_line, visible

ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    "text",
    ["👩\u200d🚀", "می\u200cخواهم", ENGLAND, "\u0600123", "\u06dd5", "ﷺ", "Grüße 你好 🎬", "नमस्\u200dते", "\ue000"],
)
def test_what_is_part_of_what_is_seen_is_kept(text: str) -> None:
    assert visible(text) == one_line(text, 100) == text


@pytest.mark.parametrize(
    "hidden", "\x00\x1b\x7f\x85\xad\u200b\u200e\u200f\u202a\u202e\u2028\u2029\u2060\u2066\u2069\ufeff"
)
def test_what_is_not_seen_is_left_out(hidden: str) -> None:
    assert visible(f"a{hidden}b") == "ab"


def test_letters_are_composed() -> None:
    assert visible("u\u0308") == "ü"


@given(st.text(), st.integers(1, 20))
def test_a_line_is_one_however_often_it_is_made(text: str, length: int) -> None:
    line = one_line(text, length)
    assert len(line) <= length
    assert len(line.splitlines()) <= 1
    assert one_line(line, length) == line
    assert unicodedata.is_normalized("NFC", line)
