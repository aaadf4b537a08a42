"""What a client says it would like (RFC 9110, sections 12.5.1, 12.5.3 and 12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["language", "takes"]

_ITEM = re.compile(r"\s*([^\s;,]+)\s*((?:;[^,]*)?)")
_WEIGHT = re.compile(r";\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:;|$)", re.IGNORECASE)


def takes(header: str, wanted: str) -> bool:
    """Whether `wanted` is named, and not refused by q=0: programs take anything, browsers say what they want."""
    return dict(_weights(header)).get(wanted, 0) > 0


def language(header: str, known: Collection[str], otherwise: str) -> str:
    """The language of `known` (two letters each) that is liked best; `otherwise` when none of them is named."""
    liked = [(weight, tag.partition("-")[0]) for tag, weight in _weights(header)]
    best = max((each for each in liked if each[0] and each[1] in known), key=lambda each: each[0], default=None)
    return best[1] if best else otherwise


def _weights(header: str) -> list[tuple[str, float]]:
    items = filter(None, map(_ITEM.fullmatch, header.split(",")))
    return [(found[1].lower(), _weight(found[2])) for found in items]


def _weight(parameters: str) -> float:
    found = _WEIGHT.search(parameters)
    return float(found[1]) if found else 1.0
