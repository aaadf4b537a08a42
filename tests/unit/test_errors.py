"""The trees of errors: drawn in the module's docstring as they are, and each error has something to say."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from bridge import errors as bridge

from events import errors as events
from events.errors import SpeakingError
from functions import shared
from functions.convert import errors as convert
from functions.shared import problems
from functions.shared.reasons import Failure
from knative.local import errors as local

trees = pytest.mark.parametrize(
    "module", [events, local, bridge, convert, problems], ids=lambda module: module.__name__
)
WITH_DETAILS = (problems.Problem, Failure, convert.ConvertError)


@trees
def test_every_error_of_a_package_grows_from_one_and_is_drawn_under_its_parent(module: ModuleType) -> None:
    drawn = dict(lines(module.__doc__ or ""))
    assert own(module)
    for error in own(module):
        assert issubclass(error, SpeakingError)
        parent = drawn[error.__name__]
        assert parent in (None, error.__mro__[1].__name__), error


@trees
def test_an_error_without_a_message_says_the_first_line_of_its_docstring(module: ModuleType) -> None:
    for error in own(module):
        if not issubclass(error, WITH_DETAILS) and "__init__" not in vars(error):
            assert str(error()) == inspect.getdoc(error).partition("\n")[0] != ""  # type: ignore[union-attr]
            assert str(error("why")) == "why"


def test_every_error_of_shared_is_drawn_in_its_tree() -> None:
    assert {error.__name__ for error in own(problems)} == dict(lines(problems.__doc__ or "")).keys() - {"SpeakingError"}


def own(module: ModuleType) -> list[type[Exception]]:
    """The errors that a module draws: its own, and those of the package where they are in many modules."""
    if module is not problems:
        return [each for each in errors(module) if each.__module__ == module.__name__ and each is not SpeakingError]
    names = [each.name for each in pkgutil.walk_packages(shared.__path__, "functions.shared.")]
    names = [name for name in names if ".migrations" not in name]
    found = {each for name in names for each in errors(import_module(name)) if each.__module__ == name}
    return sorted((each for each in found if not each.__name__.startswith("_")), key=lambda each: each.__name__)


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
