"""What a function needs before it serves: declared where it is used, checked once at the start, not at 3 a.m."""

from __future__ import annotations

from collections.abc import Callable

from events.errors import SpeakingError
from functions.shared import settings

__all__ = ["CannotStart", "before_serving", "check", "needs"]

_needed: list[str] = []
_checks: list[Callable[[], None]] = []


class CannotStart(SpeakingError):
    """The function lacks something without which it must not serve."""


def needs(*names: str) -> None:
    """Declare settings that have no default, and without which this function cannot work."""
    _needed.extend(names)


def before_serving(check: Callable[[], None]) -> Callable[[], None]:
    """Decorate a check of something else, which raises CannotStart."""
    _checks.append(check)
    return check


def check() -> None:
    """Raises: SettingError or CannotStart when something that was declared is not there."""
    for name in _needed:
        settings.required(name)
    for each in _checks:
        each()
