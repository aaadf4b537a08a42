"""What a file that is made of another one is called."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["ending_of", "renamed"]

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


def ending_of(job: Any) -> str:
    """The ending, without its dot, of the MP3 or zip that a row of jobs has: its options may be for the next one."""
    if job.audio_type:
        return "zip" if job.audio_type == ZIP else "mp3"
    return "zip" if job.options.get("chapters") == "split" else "mp3"


def renamed(filename: str, ending: str) -> str:
    """The name of what was made of a video or sound file, with another ending (without its dot)."""
    return f"{_ENDING.sub('', filename) or 'audio'}.{ending}"
