"""The corpus of hostile files, by family."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TypeAlias

from tests.hostile import bombs, broken, lists
from tests.hostile.hostile import Hostile

__all__ = ["FAMILIES", "LEAST", "RUNS", "SEEDS"]

# How often each container has its bits flipped. With more than once, everything else is done to each, too.
SEEDS = int(os.environ.get("HOSTILE_SEEDS", "1"))
# So many files have to be in it.
LEAST = 250
_EACH, _SOME = (1, 1) if SEEDS > 1 else (3, 4)

Make: TypeAlias = Callable[[Mapping[str, bytes], int, str], Iterator[Hostile]]
# Name → what makes the files, of a whole one of each container, the port of a canary, and the path of a secret.
FAMILIES: dict[str, Make] = {
    "lists": lambda _, port, secret: lists.lists(port, secret),
    "references": lambda _, port, secret: lists.references(port, secret),
    "spans": lambda whole, *_: bombs.spans(whole),
    "sizes": lambda whole, *_: bombs.sizes(whole),
    "many": lambda whole, *_: bombs.many(whole),
    "texts": lambda whole, *_: bombs.texts(whole),
    "pictures": lambda whole, *_: bombs.pictures(whole),
    "cut": lambda whole, *_: broken.cut(whole, SEEDS),
    "flipped": lambda whole, *_: broken.flipped(whole, SEEDS),
    "renamed": lambda whole, *_: islice(broken.renamed(whole), 0, None, _EACH),
    "foreign": lambda *_: broken.foreign(),
    "nested": lambda whole, *_: broken.nested(whole),
}

# The ffmpeg command takes what the engine crashes over: what names other files it could open, if it were let. It is
# slower to start, so that it gets some of them.
RUNS: dict[tuple[str, str], int] = {
    **{(family, "engine"): 1 for family in FAMILIES},
    ("lists", "ffmpeg"): _SOME,
    ("references", "ffmpeg"): _SOME,
}
