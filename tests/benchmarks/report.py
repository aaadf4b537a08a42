"""Figures as Markdown tables and as a plot, and the place for them in a page of the docs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape

from functions.convert.sandbox import cores
from tests.media import ffmpeg

__all__ = ["PAGE", "bars", "conditions", "read", "say", "spread", "svg", "table", "words", "write"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
_MEASURED = ("functions", "events", "knative", "rabbitmq-source")

# The plot, in pixels: the names to the left, the bars, and the figures behind them.
_LEFT, _WIDTH, _RIGHT, _BAR, _GAP, _TOP = 250, 420, 130, 18, 14, 34
_COLOURS = ("#2f6f9f", "#9aa5ad", "#d08a4b")
# Readable before a light and a dark page.
_TEXT = 'font-family="sans-serif" font-size="13" fill="#7a8288"'


def say(what: str) -> None:
    """Tell at once how far it got."""
    print(what, file=sys.stderr, flush=True)


def conditions() -> str:
    """The state that was measured, and on what machine: commit, cores, load, ffmpeg."""
    said = subprocess.run([ffmpeg(), "-version"], capture_output=True, text=True, check=True).stdout
    machine = f"{cores.available()} cores, load {os.getloadavg()[2]:.1f} in the last minutes, ffmpeg {said.split()[2]}"
    return f"At {_commit()}: {machine}."


def _commit() -> str:
    """The commit's short name, with a plus where something that is measured was changed since."""
    named = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *_MEASURED], cwd=ROOT, check=False).returncode
    return f"{named.stdout.strip() or 'no commit'}{'+' if changed else ''}"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; what is not in the first column stands to the right."""
    ruler = ["---", *("--:" for _ in heads[1:])]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in (heads, ruler, *rows))


def spread(values: Sequence[float], places: int = 2) -> str:
    """The median, and from where to where they go where there are several: `0.58 (0.57–0.61)`."""
    middle, least, most = (f"{value:.{places}f}" for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least}–{most})"


def read(name: str, page: Path = PAGE) -> str:
    """What is between `<!-- measured: NAME -->` and `<!-- end of measured -->`; nothing where that is not there."""
    found = _place(name).search(page.read_text(encoding="utf-8"))
    return found[2] if found else ""


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Put the text there. Raises: ValueError when the page has no such place."""
    before = page.read_text(encoding="utf-8")
    filled, count = _place(name).subn(lambda match: f"{match[1]}{text.strip()}\n{match[3]}", before)
    if count != 1:
        raise ValueError(f"{page} has {count} places for {name}")
    page.write_text(filled, encoding="utf-8")


def _place(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- measured: {name} -->\n)(.*?)(<!-- end of measured -->)", re.DOTALL)


def bars(title: str, groups: Mapping[str, Mapping[str, tuple[float, str]]]) -> str:
    """An SVG with a bar for each value of each group: group → label → the value, and the words behind its bar."""
    most = max(value for group in groups.values() for value, _ in group.values())
    lines, y = [words(8, 20, title)], _TOP
    for name, group in groups.items():
        lines.append(words(8, y + 14, name))
        for colour, (label, (value, said)) in zip(_COLOURS, group.items(), strict=False):
            width = max(1, round(value / most * _WIDTH))
            lines.append(words(_LEFT - 8, y + 14, label, ' text-anchor="end"'))
            lines.append(f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" fill="{colour}"/>')
            lines.append(words(_LEFT + width + 6, y + 14, said))
            y += _BAR + 4
        y += _GAP
    return svg(_LEFT + _WIDTH + _RIGHT, y, lines)


def svg(width: int, height: int, lines: Iterable[str]) -> str:
    """An SVG of that size in pixels."""
    inner = "\n".join(lines)
    size = f'viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{inner}\n</svg>\n'


def words(x: int, y: int, text: str, more: str = "") -> str:
    """A text in an SVG, with its left end on the line at that place; `more` are other attributes."""
    return f'<text x="{x}" y="{y}" {_TEXT}{more}>{escape(text)}</text>'
