"""Decoders, and from where each must begin so that it gives the very samples that it gave before.

A decoder remembers. What it remembers decides where a resumed conversion begins to decode:

    some packets ahead   it remembers no more than these
    where it was renewed what it remembers fades, or is the state of its random numbers (noise where none is heard,
                         dither): so a new one takes its place every RENEWED_AFTER packets, also in one go
    the first packet     it adds up differences; and whatever is not listed here
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import NamedTuple

from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet

__all__ = ["RENEWED", "RENEWED_AFTER", "Decoder", "Need", "need_of"]

# For 44.1 kHz AAC twelve minutes: what a resumed conversion decodes at most before it gets to where it was.
RENEWED_AFTER = 32_768


class Need(NamedTuple):
    """How many packets ahead a decoder needs, and whether it is renewed. `packets` None: all of them."""

    packets: int | None
    is_renewed: bool = False


_ALL, RENEWED, _FADING = Need(None), Need(32, is_renewed=True), Need(256, is_renewed=True)
_PLAIN, _FEW, _MAJOR_SYNC = Need(0), Need(64), Need(512)
_NEEDS = {
    # A block, a frame or a window stands for itself, or overlaps with its neighbour; mp3 has a reservoir of up to nine
    # frames (ISO/IEC 11172-3, 2.4.2.7), dca filters of 64 subband samples.
    **dict.fromkeys(("flac", "alac", "wavpack", "tta", "ape", "vorbis", "mp3", "dts", "wmav1", "wmav2"), _FEW),
    # Each block begins with its predictor and step (Microsoft's and IMA's block headers, SWF's of 4096 samples).
    **dict.fromkeys(("adpcm_ms", "adpcm_ima_wav", "adpcm_swf"), _FEW),
    # Decoding begins with a major sync, of which there is one in 128 access units at least.
    **dict.fromkeys(("truehd", "mlp"), _MAJOR_SYNC),
    # Its blocks of samples are cut by the packets anywhere.
    "pcm_dvd": _ALL,
    # Random numbers: perceptual noise substitution, mantissas without bits, dither of 16-bit samples, empty bands.
    **dict.fromkeys(("aac", "aac_latm", "ac3", "eac3", "mp2", "mp1", "nellymoser"), RENEWED),
    # Filters of speech codecs, which never quite forget; Opus has them in SILK. After 256 packets they are so near to
    # where they would be that nobody hears it.
    **dict.fromkeys(("opus", "speex", "amr_nb", "amr_wb", "gsm", "gsm_ms"), _FADING),
}


def need_of(codec: str) -> Need:
    """What a decoder of this codec (FFmpeg's name) needs."""
    return _NEEDS.get(codec, _PLAIN if codec.startswith("pcm_") else _ALL)


# Those of which each packet has a checksum of its samples, and FFmpeg's option to fail where that is wrong: else, what
# is damaged would be noise.
_CHECKED, _CHECKS = {"flac", "wavpack", "tta", "ape"}, {"err_detect": "crccheck+explode"}


class Decoder:
    """A decoder of a stream. `renewed_at` is the number of the packet that the one of now began with.

    A new one gets the packets before that, too, and what it makes of these is dropped: it sounds as the old one would.
    """

    def __init__(self, context: AudioCodecContext, need: Need) -> None:
        self.renewed_at = 0
        self._context = context
        # As the file has them: a decoder that runs may change its own.
        self._extradata, self._sample_rate = self._context.extradata, self._context.sample_rate
        self._layout = self._context.layout.name if self._context.channels else None
        self._need = need
        self._before: deque[Packet[AudioStream]] = deque(maxlen=need.packets)
        # From this packet on, the next one may soon be a new decoder's.
        self._keeps_from = 0
        # Checksums are believed once one was right: what wrote the file may have had them wrong.
        self._unchecked = self._another() if context.codec.canonical_name in _CHECKED else None
        if self._unchecked is not None:
            context.options = dict(_CHECKS)

    def decode(self, number: int, packet: Packet[AudioStream]) -> list[AudioFrame]:
        """The frames that packet `number` makes. Raises: FFmpegError, MemoryError."""
        if self._need.is_renewed and number >= self._keeps_from:
            self._keep_young(number, packet)
        if self._unchecked is not None:
            return self._first_decoded(packet, self._unchecked)
        return self._context.decode(packet)

    def flush(self) -> list[AudioFrame]:
        """What has not come out yet. Raises: as `decode`."""
        return self._context.decode(None)

    def _first_decoded(self, packet: Packet[AudioStream], unchecked: AudioCodecContext) -> list[AudioFrame]:
        try:
            frames = self._context.decode(packet)
        except FFmpegError:
            return unchecked.decode(packet)
        self._unchecked = None if frames else unchecked
        return frames

    def _keep_young(self, number: int, packet: Packet[AudioStream]) -> None:
        since, enough = number % RENEWED_AFTER, RENEWED_AFTER - (self._before.maxlen or 0)
        if number and since == 0:
            self._context, self.renewed_at = self._another(), number
            for each in self._before:
                with suppress(FFmpegError):
                    self._context.decode(each)
            self._before.clear()
        elif since >= enough:
            self._before.append(packet)
        else:
            self._keeps_from = number - since + enough

    def _another(self) -> AudioCodecContext:
        """A decoder for the same packets, made as the first one was."""
        made = CodecContext.create(self._context.codec, "r")
        assert isinstance(made, AudioCodecContext)
        made.extradata, made.sample_rate = self._extradata, self._sample_rate
        if self._layout:
            made.layout = self._layout
        # Threads would only make a fast decoder's frames come late.
        made.thread_count = 1
        return made
