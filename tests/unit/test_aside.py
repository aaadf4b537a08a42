"""A digest that is computed beside."""

from __future__ import annotations

import hashlib
import random

from functions.upload.aside import WORTH_BYTES, Aside


def test_it_is_that_of_all_bytes_in_their_order_however_they_come() -> None:
    chance = random.Random(3)
    aside, plain = Aside(), hashlib.sha256()
    for number in range(60):
        piece = chance.randbytes(chance.choice([1, WORTH_BYTES - 1, WORTH_BYTES, 3 * WORTH_BYTES]))
        aside.update(piece)
        plain.update(piece)
        assert number % 7 or aside.hexdigest() == plain.hexdigest()
    assert aside.hexdigest() == plain.hexdigest()
