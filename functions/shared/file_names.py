"""What files are called: what came, what is made of it, and what is in a zip."""

from __future__ import annotations

import re
from typing import Any

from functions.shared.visible import visible

__all__ = ["UNNAMED", "clean_name", "ending_of", "given_name", "renamed", "safe_name"]

UNNAMED = "video"

ZIP = "application/zip"

# What ends a name because of the kind of file that it is. Anything else after a dot belongs to the name: "Lecture 3.2
# Introduction", "Dr. No".
_ENDINGS = (
    "3g2|3ga|3gp|3gpp|aa|aac|aax|aaxc|ac3|adts|aif|aifc|aiff|amr|amv|ape|asf|au|avi|awb|caf|dav|dff|divx|dsf|dts|dtshd|dv|"
    "dvr-ms|eac3|ec3|evo|f4a|f4v|flac|flv|gsm|gxf|insv|isma|ismv|loas|lrv|m1a|m1v|m2t|m2ts|m2v|m4a|m4b|m4p|m4r|m4v|mj2|mk3d|"
    "mka|mkv|mlp|mmf|mod|mov|mp1|mp2|mp3|mp4|mpa|mpc|mpe|mpeg|mpg|mpg4|mts|mxf|nut|nuv|oga|ogg|ogm|ogv|ogx|opus|qcp|qt|ra|"
    "ram|rf64|rm|rmvb|shn|snd|sox|spx|swf|tak|thd|tod|trp|ts|tta|voc|vob|vro|w64|wav|wave|weba|webm|wm|wma|wmv|wtv|wv|xvid"
)
_ENDING = re.compile(rf"(?<=.)\.(?:{_ENDINGS})$", re.IGNORECASE | re.ASCII)

# What Windows, macOS or a shell's user would stumble over in a name; and what Windows takes for a device.
_UNSAFE = re.compile(r'[/\\:*?"<>|]')
_DEVICE = re.compile(r"^(?=(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$))", re.IGNORECASE)


def clean_name(name: str, unnamed: str = UNNAMED) -> str:
    """The last part of a path, in Unicode NFC and one line, without what is not seen, 255 characters at the most.

    `unnamed`, if nothing is left. A mail's subject must not have two lines.
    """
    return visible(name.replace("\\", "/").rpartition("/")[2]).strip()[-255:].lstrip() or unnamed


def given_name(name: str, unnamed: str = UNNAMED) -> str:
    """As `clean_name`, of a name that somebody has typed, and that is no path: "AC/DC" is not "DC"."""
    return clean_name(name.replace("/", "-").replace("\\", "-"), unnamed)


def ending_of(job: Any) -> str:
    """The ending, without its dot, of the MP3 or zip that a row of jobs has: its options may be for the next one."""
    if job.audio_type:
        return "zip" if job.audio_type == ZIP else "mp3"
    return "zip" if job.options.get("chapters") == "split" else "mp3"


def renamed(filename: str, ending: str) -> str:
    """The name of what was made of a video or sound file, with another ending (without its dot), 255 bytes at most."""
    return f"{_fitting(_ENDING.sub('', filename), ending) or 'audio'}.{ending}"


def safe_name(stem: str, ending: str, longest: int = 100) -> str:
    """A name that every file system takes, in one line: at most `longest` characters, and 255 bytes."""
    plain = " ".join(_UNSAFE.sub(" ", visible(stem)).split())
    short = _DEVICE.sub("_", plain)[: longest - len(ending) - 1]
    return f"{_fitting(short, ending).rstrip(' .') or 'audio'}.{ending}"


def _fitting(stem: str, ending: str) -> str:
    """So much of a name that no file system finds it too long, with its ending."""
    return stem.encode()[: 255 - len(ending) - 1].decode(errors="ignore")
