"""The licences of what requirements.lock pins, as the installed packages state them: `make audit`.

A licence that is none of ALLOWED has to be looked at by a person, and is added there or the package is not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

__all__ = ["ALLOWED", "licence_of", "main", "pinned"]

LOCK = Path(__file__).parents[2] / "requirements.lock"
# Each lets audiolift be given away under MIT, with the package beside it. Of LGPL and MPL, a changed package would have
# to come with its sources.
ALLOWED = re.compile(
    r"\b(?:MIT|ISC|PSF|Unlicense|Zlib|CC0|0BSD)\b|\b(?:BSD|Apache|Python|MPL|Mozilla|LGPL)", re.IGNORECASE
)


def main() -> int:
    """Print each package with its licence; the exit status is 1 when there is one to be looked at."""
    found = {name: licence_of(name) for name in pinned(LOCK.read_text(encoding="utf-8"))}
    for name, licence in found.items():
        print(f"{name:44} {licence or '(not installed here)'}")
    odd = [name for name, licence in found.items() if licence and not ALLOWED.search(licence)]
    if odd:
        print(f"audiolift: look at the licences of {', '.join(odd)}", file=sys.stderr)
    return 1 if odd else 0


def pinned(lock: str) -> Iterator[str]:
    """The names of the packages that a lock file pins, each once."""
    yield from dict.fromkeys(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))


def licence_of(name: str) -> str:
    """What a package says of its licence: by SPDX, in words, or by classifier; "" when it is not installed."""
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    classifiers = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier", []) if "License ::" in each]
    said = [*about.get_all("License-Expression", []), *about.get_all("License", []), ""]
    text = said[0].strip().partition("\n")[0]
    return text if text and len(text) < 80 and text != "UNKNOWN" else ", ".join(classifiers) or "(it does not say)"


if __name__ == "__main__":
    sys.exit(main())
