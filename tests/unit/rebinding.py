"""A fetch from an attacker who has a name server, in a network of its own: tests/unit/test_rebinding.py runs it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from functions.shared.reasons import Failure
from functions.upload import fetch
from functions.upload.fetch import Remote
from tests.patience import PATIENCE
from tests.servers.names import PUBLIC, NameServer, prepare_network
from tests.unit.origin import Origin, Pieces

CONTENT = bytes(range(256)) * 1000


def main(directory: Path, turn: str, answers: list[str]) -> None:
    """Fetch by a name that gets these answers in turn, and print what came of it."""
    prepare_network(directory)
    fetch.PAUSES = (0.0, 0.0)
    with (
        NameServer([each.split() for each in answers]) as names,
        Origin(CONTENT, PUBLIC) as outside,
        Origin(CONTENT, "127.0.0.1", port=int(urlsplit(outside.url).port or 0)) as inside,
    ):
        url = outside.url.replace(PUBLIC, "rebind.example")
        if turn == "cut":
            outside.cut(1000)
        if turn == "redirect":
            outside.status(302, Location=url, Connection="close")
        result = fetched(url)
    print(json.dumps({"result": result, "asked": names.asked, "outside": outside.asked, "inside": inside.asked}))


def fetched(url: str) -> str:
    """What became of it, in a word."""
    sink = Pieces()
    try:
        fetch.fetch(url, Remote(), sink, time.monotonic() + PATIENCE)
    except Failure as failure:
        return failure.code
    return "whole" if bytes(sink.content) == CONTENT else "damaged"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
