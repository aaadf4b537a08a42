"""The trees of errors: drawn in the module's docstring as they are, and each error has something to say."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
from bridge import errors as bridge

from events import errors as events
from events.errors import SpeakingError
from knative.local import errors as local

trees = pytest.mark.parametrize("module", [events, local, bridge], ids=lambda module: module.__name__)


@trees
def test_every_error_of_a_package_grows_from_one_and_is_drawn_under_its_parent(module: ModuleType) -> None:
    drawn = dict(lines(module.__doc__ or ""))
    own = [error for error in errors(module) if error.__module__ == module.__name__ and error is not SpeakingError]
    assert own
    for error in own:
        assert issubclass(error, SpeakingError)
        parent = drawn[error.__name__]
        assert parent in (None, error.__mro__[1].__name__), error


@trees
def test_an_error_without_a_message_says_the_first_line_of_its_docstring(module: ModuleType) -> None:
    for error in errors(module):
        if "__init__" not in vars(error) or error is SpeakingError:
            assert str(error()) == inspect.getdoc(error).partition("\n")[0] != ""  # type: ignore[union-attr]
            assert str(error("why")) == "why"


def errors(module: ModuleType) -> list[type[Exception]]:
    return [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, Exception)]


def lines(drawing: str) -> Iterator[tuple[str, str | None]]:
    """The names in a drawing, each with the one that it is drawn under."""
    above: list[str] = []
    for line in drawing.splitlines():
        head = line.lstrip("│ ├└─")
        depth = (len(line) - len(head)) // 4
        if head and head[0].isupper() and (depth or line == head.split()[0]):
            name = head.split()[0]
            above[depth:] = [name]
            yield name, above[depth - 1] if depth else None
