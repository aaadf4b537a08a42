"""The sources that one image holds: its function, what functions share, and the events; never another function.

    python3 tree.py gateway /src /app

copies them. The image `migrate` holds the migrations and no function; no other holds migrations. It runs inside the
image that is being built, before anything is installed: standard library only.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

__all__ = ["MIGRATE", "copy", "images"]

MIGRATE = "migrate"
_MIGRATIONS = ("migrations", "migrate.py")


def images(source: Path) -> list[str]:
    """The names of all images: one per function, and the migrations'."""
    return [*sorted(main.parent.name for main in source.glob("functions/*/main.py")), MIGRATE]


def copy(name: str, source: Path, target: Path) -> None:
    """Copy what the image holds from the checkout at source to target, which is made. Raises: ValueError."""
    if name not in images(source):
        raise ValueError(f"there is no image {name!r}, only {', '.join(images(source))}")
    functions = target / "functions"
    functions.mkdir(parents=True)
    shutil.copy(source / "functions" / "__init__.py", functions)
    folders = ["events", "functions/shared", *([] if name == MIGRATE else [f"functions/{name}"])]
    left_out = () if name == MIGRATE else _MIGRATIONS
    for folder in folders:
        shutil.copytree(source / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__", *left_out))


if __name__ == "__main__":
    copy(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
