"""What is wrong in the middle of a file, and is put right while it is read."""

from __future__ import annotations

from functools import partial

from functions.convert.conversion.containers import flac, wavpack
from functions.convert.conversion.containers.beginnings import begins_as_media
from functions.convert.conversion.containers.mp3_file import after_id3
from functions.convert.conversion.containers.ogg_pages import Pages
from functions.convert.conversion.containers.tails import ts_packet
from functions.convert.conversion.containers.ts_twice import Doubled
from functions.convert.conversion.source import RangeFile

__all__ = ["watch"]


def watch(file: RangeFile, head: bytes) -> None:
    """Have a file with these first bytes put right while it is read.

    Pages of an Ogg, joined FLACs, holes in a WavPack, doubled packets.
    """
    if head.startswith(b"OggS") and file.pages is None:
        file.pages = Pages(file)
        file.watch = file.pages.mended
    elif (begins := file.peek(start := after_id3(file), 4)) == flac.MAGIC:
        file.watch = partial(flac.up_to_the_next, file, start)
    elif begins == wavpack.MAGIC:
        file.watch = wavpack.Blocks(file, start).mended
    elif (packet := ts_packet(file))[1] and not begins_as_media(file):
        file.watch = Doubled(file, *packet).mended
