"""What people see: progress on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from .converting import Outcome, Seen
from .models import Job, State

__all__ = ["Bars", "job_line", "line", "printable", "table"]


class Bars:
    """A bar for each video, on a terminal; nothing when `quiet`, or elsewhere."""

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[step]}"),
        )
        self._progress = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def of(self, video: Path) -> Seen:
        """What to tell of the progress of a video."""
        task = self._progress.add_task(escape(video.name), total=1.0, step="")

        def seen(step: str, share: float, also: str) -> None:
            said = f"{step}, {also}" if also else step
            self._progress.update(task, completed=share, step=escape(said))

        return seen


def line(outcome: Outcome) -> str:
    """How a conversion ended, in a line."""
    if outcome.mp3 is None:
        return f"{outcome.video}: {outcome.text}"
    return f"{outcome.video} → {outcome.mp3}" + (f" ({outcome.text})" if outcome.text else "")


def job_line(job: Job) -> str:
    """A job in a line."""
    state = f"{job.state} {job.progress:.0%}" if job.state in (State.RECEIVING, State.CONVERTING) else job.state
    return f"{job.id}  {state:15}  {printable(job.filename)}" + (f"  ({job.error.title})" if job.error else "")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as what is in them."""
    cells = [list(map(printable, each)) for each in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, each, widths)).rstrip() for each in cells)


def printable(text: str) -> str:
    """Others' words, none of which may move the cursor of a terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)
