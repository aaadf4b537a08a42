"""The MP3 encoder: libmp3lame, the system's own or else the one that PyAV carries."""

from __future__ import annotations

import ctypes
import math
import sys
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING

from functions.convert.errors import LameError

if TYPE_CHECKING:
    from functions.convert.conversion.plan import Shape

__all__ = ["DELAY", "SAMPLE_BYTES", "Encoder", "available", "tag"]

# Samples that the encoder puts before the first one (ENCDELAY in LAME's encoder.h), as its tag counts them.
DELAY = 576
# A native float.
SAMPLE_BYTES = 4

# enum vbr_mode and MPEG_mode of lame.h.
_VBR_ABR, _VBR_MTRH = 3, 4
_JOINT_STEREO, _MONO = 1, 3
# lame.h: the buffer has to hold 1.25 times the samples and 7200 bytes.
_ROOM = 7200
# LAME's function for floats takes 32767 for full scale; ffmpeg and every decoder take 32768.
_SCALE = 32768 / 32767
# LAME aborts the process on NaN and infinity, and on samples a million times beyond full scale. What reaches twice
# full scale differs from the rest in one bit of each sample, and is no loss.
_WILD = 2.0
_TAMEST = math.nextafter(_WILD, 0.0) - 2.0**-23
_TOP_BYTE = 3 if sys.byteorder == "little" else 0
_TAME_BYTES = bytes(byte for byte in range(256) if byte & 0x7F < 0x40)


def available() -> bool:
    """Whether there is an encoder. It is loaded now, if it was not: a process that cannot open files later does so."""
    with suppress(LameError):
        _library()
        return True
    return False


@cache
def tag(shape: Shape) -> bytes:
    """The frame with which LAME begins an MP3 of this shape that has no sound: what it says about itself."""
    with Encoder(shape, tagged=True) as encoder:
        encoder.flush()
        found = encoder.tag()
    # Where frames of a constant bitrate are too short for it, LAME makes none; with an average bitrate it does.
    return tag(replace(shape, mode="abr")) if not found and shape.mode == "cbr" else found


@cache
def _library() -> ctypes.CDLL:
    for path in ("libmp3lame.so.0", _carried()):
        with suppress(OSError, AttributeError):
            return _declared(ctypes.CDLL(path))
    raise LameError("there is no libmp3lame")


def _carried() -> str:
    # PyAV's library of codecs is linked with a libmp3lame, three times slower, in which a look-up ends.
    import av.codec.codec

    return av.codec.codec.__file__


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    library.lame_init.restype = ctypes.c_void_p
    library.lame_init_params.argtypes = library.lame_close.argtypes = [ctypes.c_void_p]
    floats = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    library.lame_encode_buffer_ieee_float.argtypes = [ctypes.c_void_p, *floats, ctypes.c_void_p, ctypes.c_int]
    library.lame_get_lametag_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    library.lame_encode_flush.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    for name in ("scale", "VBR_quality"):
        getattr(library, f"lame_set_{name}").argtypes = [ctypes.c_void_p, ctypes.c_float]
    return library


class Encoder:
    """One run of LAME, as ffmpeg sets it up, without tags. Use it in a `with`, or close it.

    A call does not hold the interpreter: several encoders run at once in as many threads.
    """

    def __init__(self, shape: Shape, tagged: bool = False) -> None:
        """`tagged`: the first frame is left empty for `tag`. Raises: LameError when it is missing or cannot do this."""
        self._lame = _library()
        self._handle = ctypes.c_void_p(self._lame.lame_init())
        self._channels = shape.channels
        try:
            self._configure(shape, tagged)
        except BaseException:
            self.close()
            raise

    def _configure(self, shape: Shape, tagged: bool) -> None:
        for name, value in (
            ("errorf", None),
            ("debugf", None),
            ("msgf", None),
            ("bWriteVbrTag", int(tagged)),
            ("findReplayGain", 0),
            ("num_channels", shape.channels),
            ("mode", _MONO if shape.channels == 1 else _JOINT_STEREO),
            ("in_samplerate", shape.sample_rate),
            ("out_samplerate", shape.sample_rate),
            ("scale", _SCALE),
            *_rate(shape),
        ):
            self._checked(getattr(self._lame, f"lame_set_{name}")(self._handle, value))
        self._checked(self._lame.lame_init_params(self._handle))

    def encode(self, planes: Sequence[bytes], samples: int) -> bytes:
        """Encode `samples` samples of each plane: native 32-bit floats, ±1.0 being full scale. Gives what is ready."""
        room = samples * 5 // 4 + _ROOM
        buffer, tame = ctypes.create_string_buffer(room), [*map(_tamed, planes)]
        written = self._lame.lame_encode_buffer_ieee_float(self._handle, tame[0], tame[-1], samples, buffer, room)
        return ctypes.string_at(buffer, self._checked(written))

    def flush(self) -> bytes:
        """End the stream: its last bytes. LAME fills the last frame up with silence, and adds one if it must."""
        buffer = ctypes.create_string_buffer(_ROOM)
        written = self._lame.lame_encode_flush(self._handle, buffer, _ROOM)
        return buffer.raw[: self._checked(written)]

    def tag(self) -> bytes:
        """The frame that belongs in place of the first one, after the last."""
        buffer = ctypes.create_string_buffer(_ROOM)
        written = self._lame.lame_get_lametag_frame(self._handle, buffer, _ROOM)
        return buffer.raw[:written]

    def close(self) -> None:
        """Free the encoder; a second time does nothing."""
        if self._handle:
            self._lame.lame_close(self._handle)
            self._handle = ctypes.c_void_p()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _checked(self, result: int) -> int:
        if result < 0:
            raise LameError(f"the MP3 encoder failed ({result})")
        return result


def _rate(shape: Shape) -> list[tuple[str, int | float]]:
    """The settings of ffmpeg's -q:a, -b:a, and -b:a with -abr 1."""
    if shape.mode == "vbr":
        return [("VBR", _VBR_MTRH), ("VBR_quality", float(shape.value))]
    if shape.mode == "abr":
        return [("VBR", _VBR_ABR), ("VBR_mean_bitrate_kbps", shape.value)]
    return [("brate", shape.value)]


def _tamed(plane: bytes) -> bytes:
    """The samples of a plane, without wild ones."""
    if not plane[_TOP_BYTE::SAMPLE_BYTES].translate(None, _TAME_BYTES):
        return plane
    return array("f", map(_tame, memoryview(plane).cast("f"))).tobytes()


def _tame(sample: float) -> float:
    if abs(sample) < _WILD:
        return sample
    return 0.0 if math.isnan(sample) else math.copysign(_TAMEST, sample)
