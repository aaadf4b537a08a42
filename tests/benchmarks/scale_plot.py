"""The plot of docs/scale.md: how much of each limit is used, by the number of jobs a day."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from tests.benchmarks import report

__all__ = ["plot"]

TITLE = "Jobs of ten minutes a day, and how much of each limit they use in the busiest hour"
# The plot, in pixels; both axes are logarithmic.
_LEFT, _TOP, _WIDTH, _HEIGHT, _RIGHT, _BOTTOM = 60, 40, 520, 320, 260, 50
_JOBS, _SHARES = (1e4, 1e7), (1e-3, 1e1)
_COLOURS = ("#2f6f9f", "#d08a4b", "#5a8f4a", "#a0527f", "#c0392b", "#7a6fb0", "#9aa5ad")


def plot(uses: Mapping[str, Callable[[float], float]]) -> str:
    """Lines of how much of each limit, by name, is used by so many jobs a day (1 is all)."""
    lines = [report.words(_LEFT, 20, TITLE)]
    lines += [_grid_line(_x(10.0**power), True, f"{10**power:,}") for power in range(4, 8)]
    lines += [_grid_line(_y(10.0**power), False, f"{10.0**power:.1%}") for power in range(-3, 2)]
    edge = f'x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{_y(1):.0f}" y2="{_y(1):.0f}"'
    lines.append(f'<line {edge} stroke="#c0392b" stroke-width="2" stroke-dasharray="6 4"/>')
    steps = [10 ** (4 + step / 10) for step in range(31)]
    for place, (name, used) in enumerate(sorted(uses.items(), key=lambda pair: -pair[1](_JOBS[1]))):
        points = " ".join(f"{_x(jobs):.0f},{_y(used(jobs)):.0f}" for jobs in steps)
        colour = _COLOURS[place]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = _TOP + 20 + 22 * place
        lines.append(f'<rect x="{_LEFT + _WIDTH + 14}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        lines.append(report.words(_LEFT + _WIDTH + 32, y, name))
    return report.svg(_LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BOTTOM, lines)


def _grid_line(at: float, upright: bool, said: str) -> str:
    right, low = _LEFT + _WIDTH, _TOP + _HEIGHT
    ends = (at, at, _TOP, low) if upright else (_LEFT, right, at, at)
    place = (at, low + 18, "middle") if upright else (_LEFT - 6, at + 4, "end")
    x1, x2, y1, y2 = (f"{each:.0f}" for each in ends)
    line = f'<line x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}" stroke="#9aa5ad" stroke-opacity="0.4"/>'
    return line + report.words(round(place[0]), round(place[1]), said, f' text-anchor="{place[2]}"')


def _x(jobs: float) -> float:
    return _LEFT + _WIDTH * _within(jobs, _JOBS)


def _y(share: float) -> float:
    return _TOP + _HEIGHT * (1 - _within(share, _SHARES))


def _within(value: float, ends: Sequence[float]) -> float:
    """Where a value stands between two ends, from 0 to 1, by its logarithm."""
    low, high = map(math.log10, ends)
    return min(1.0, max(0.0, (math.log10(max(value, 1e-12)) - low) / (high - low)))
