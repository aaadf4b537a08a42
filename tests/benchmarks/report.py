"""Figures as Markdown tables and as a plot, and the place for them in a page of the docs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape

__all__ = ["PAGE", "bars", "say", "spread", "table", "write"]

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

# The plot, in pixels: the names to the left, the bars, and the figures behind them.
_LEFT, _WIDTH, _RIGHT, _BAR, _GAP, _TOP = 250, 420, 130, 18, 14, 34
_COLOURS = ("#2f6f9f", "#9aa5ad", "#d08a4b")
# Readable before a light and a dark page.
_TEXT = 'font-family="sans-serif" font-size="13" fill="#7a8288"'


def say(what: str) -> None:
    """Tell at once how far it got."""
    print(what, file=sys.stderr, flush=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; what is not in the first column stands to the right."""
    ruler = ["---", *("--:" for _ in heads[1:])]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in (heads, ruler, *rows))


def spread(values: Sequence[float], places: int = 2) -> str:
    """The median, and from where to where they go where there are several: `0.58 (0.57–0.61)`."""
    middle, least, most = (f"{value:.{places}f}" for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least}–{most})"


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Put the text between `<!-- measured: NAME -->` and `<!-- end of measured -->`.

    Raises: ValueError when the page has no such place.
    """
    place = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end of measured -->)", re.DOTALL)
    filled, count = place.subn(lambda match: f"{match[1]}{text.strip()}\n{match[2]}", page.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{page} has {count} places for {name}")
    page.write_text(filled, encoding="utf-8")


def bars(title: str, groups: Mapping[str, Mapping[str, tuple[float, str]]]) -> str:
    """An SVG with a bar for each value of each group: group → label → the value, and the words behind its bar."""
    most = max(value for group in groups.values() for value, _ in group.values())
    lines, y = [_words(8, 20, title)], _TOP
    for name, group in groups.items():
        lines.append(_words(8, y + 14, name))
        for colour, (label, (value, words)) in zip(_COLOURS, group.items(), strict=False):
            width = max(1, round(value / most * _WIDTH))
            lines.append(_words(_LEFT - 8, y + 14, label, ' text-anchor="end"'))
            lines.append(f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" fill="{colour}"/>')
            lines.append(_words(_LEFT + width + 6, y + 14, words))
            y += _BAR + 4
        y += _GAP
    size = f'viewBox="0 0 {_LEFT + _WIDTH + _RIGHT} {y}"'
    inner = "\n".join(lines)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{inner}\n</svg>\n'


def _words(x: int, y: int, text: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" {_TEXT}{more}>{escape(text)}</text>'
