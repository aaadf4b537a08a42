"""Sound whose codec changes under the same PID: a station's, or that of two recordings joined end to end.

FFmpeg cuts packets by the new codec then, and leaves it to its caller to decode them by it.
"""

from __future__ import annotations

from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.packet import Packet

__all__ = ["CHANGING", "changed", "decoder_of", "made"]

# Containers that say anew which codec a stream has, again and again (ISO/IEC 13818-1, 2.4.4.8).
CHANGING = ("mpegts", "mpeg")
# Codec → the decoder for it and its relatives, which needs to know nothing but the packets.
_DECODERS = {
    **dict.fromkeys(("mp1", "mp2", "mp3"), "mp3float"),
    **dict.fromkeys(("ac3", "eac3"), "eac3"),
    **{name: name for name in ("aac", "aac_latm")},
}
# The words that packets begin with: of AC-3 (ETSI TS 102 366, 5.4.1), LATM in LOAS (ISO/IEC 14496-3, 1.7.2), and MPEG
# audio (ISO/IEC 11172-3, 2.4.1.3), in which the layer is 0 for AAC in ADTS (ISO/IEC 14496-3, 1.A.3).
_AC3, _LOAS, _MPEG = 0x0B77, 0x2B7, 0x7FF


def decoder_of(codec: str) -> str:
    """The decoder for a codec that may change to another one; "" for all others."""
    return _DECODERS.get(codec, "")


def changed(packet: Packet[AudioStream], after: Packet[AudioStream] | None, decoder: str) -> str | None:
    """The decoder for a packet, if it is for another one than `decoder`; None if not.

    The packet `after` it has to agree: one alone may be damaged.
    """
    found = _by_content(packet)
    is_other = bool(found) and found != decoder
    return found if is_other and (after is None or _by_content(after) == found) else None


def made(decoder: str) -> AudioCodecContext:
    """A decoder of that name."""
    context = CodecContext.create(decoder, "r")
    assert isinstance(context, AudioCodecContext)
    context.thread_count = 1
    return context


def _by_content(packet: Packet[AudioStream]) -> str:
    word = int.from_bytes(bytes(memoryview(packet)[:2]), "big")
    if word == _AC3:
        return "eac3"
    if word >> 5 == _LOAS:
        return "aac_latm"
    if word >> 5 == _MPEG:
        return "mp3float" if word & 0b110 else "aac"
    return ""
