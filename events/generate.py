"""Writes events/schemas, events/examples and events/asyncapi.json from the catalogue: `make events`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from events.catalogue import CATALOGUE
from events.schema import asyncapi, example, json_schema

__all__ = ["documents", "main"]

HERE = Path(__file__).parent


def documents() -> dict[Path, str]:
    """Each generated file and its whole text."""
    made: dict[Path, Any] = {HERE / "asyncapi.json": asyncapi()}
    for event_type in CATALOGUE:
        made[HERE / "schemas" / f"{event_type.TYPE}.json"] = json_schema(event_type)
        made[HERE / "examples" / f"{event_type.TYPE}.json"] = example(event_type)
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in made.items()}


def main() -> None:
    """Write every document."""
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
