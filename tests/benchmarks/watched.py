"""What the functions of a running audiolift do, and when, as watching/sitecustomize.py notes it inside of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Step", "Trip", "Watch"]

WATCHING = Path(__file__).with_name("watching")


@dataclass(frozen=True)
class Step:
    """A call of a function that matters (`what`) in the function `by`: when it began (Unix seconds), how long it took.

    Of `fetch`, the time is what all reading of the video took, all through a conversion.
    """

    by: str
    what: str
    at: float
    seconds: float

    @property
    def end(self) -> float:
        """When it was over."""
        return self.at + self.seconds


@dataclass(frozen=True)
class Trip:
    """A round trip to a store; on SQLite, a statement or a commit. `what`: `UPDATE jobs`, `GridFS: find`."""

    by: str
    what: str


class Watch:
    """Notes in a file, and what has functions write them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        paths = filter(None, [str(WATCHING), os.environ.get("PYTHONPATH")])
        self.environment = {"WATCHED": str(file), "PYTHONPATH": os.pathsep.join(paths)}

    def forget(self) -> None:
        """Leave out what has been noted until now."""
        self._read = self._file.stat().st_size if self._file.exists() else 0

    def steps(self) -> Sequence[Step]:
        """The steps that have ended."""
        return [Step(note["by"], note["what"], note["at"], note["seconds"]) for note in self._notes() if "what" in note]

    def trips(self, *functions: str) -> Sequence[Trip]:
        """The round trips of these functions."""
        found = [Trip(note["by"], note["trip"]) for note in self._notes() if "trip" in note]
        return [trip for trip in found if trip.by in functions]

    def _notes(self) -> Iterator[dict[str, Any]]:
        if self._file.exists():
            with self._file.open("rb") as file:
                file.seek(self._read)
                yield from map(json.loads, file)
