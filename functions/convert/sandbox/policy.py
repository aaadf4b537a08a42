"""What is done about a kernel that cannot confine what parses videos: the setting SANDBOX."""

from __future__ import annotations

import logging

from functions.convert.errors import Unconfined
from functions.convert.sandbox import confine, landlock
from functions.shared import settings

__all__ = ["allows_ffmpeg", "check", "is_required"]

log = logging.getLogger(__name__)

_NO_SECCOMP = (
    "there are no system call filters (seccomp) here, without which no video is parsed. Run it on x86_64 or aarch64, "
    "on a kernel with CONFIG_SECCOMP_FILTER, in a container that may call seccomp(2); or set SANDBOX=off if you trust "
    "everybody who uploads"
)
_NO_LANDLOCK = (
    "no Landlock (Linux 5.13) here: a video over which the engine crashes is not tried with the ffmpeg command, "
    "which could read files"
)
_OFF = "SANDBOX=OFF: VIDEOS ARE PARSED EVEN IF THE KERNEL CANNOT CONFINE WHAT PARSES THEM. NOT CONFINED HERE BY: %s"


def is_required() -> bool:
    """Whether nothing parses a video unless it is confined."""
    return settings.text("SANDBOX") != "off"


def allows_ffmpeg() -> bool:
    """Whether the ffmpeg command may run: it opens files by their names, and only Landlock says which."""
    return landlock.is_supported() or not is_required()


def check() -> None:
    """Say in the log what the kernel lacks. Raises: Unconfined when conversions must not run here."""
    has_filters, has_landlock = confine.is_supported(), landlock.is_supported()
    if not is_required():
        lacking = [name for name, found in (("SECCOMP", has_filters), ("LANDLOCK", has_landlock)) if not found]
        log.warning(_OFF, ", ".join(lacking) or "NOTHING, ALL IS THERE")
    elif not has_filters:
        raise Unconfined(_NO_SECCOMP)
    elif not has_landlock:
        log.warning(_NO_LANDLOCK)
