"""What to do with a video, from what is in it and what its owner asked for: nothing is read or decoded here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from functions.convert.conversion.media import Chapter, Media, Track
from functions.convert.conversion.tracks.choosing import offer, own_choice, ranked, remarks, to_mix
from functions.convert.conversion.tracks.languages import three_letters
from functions.convert.conversion.tracks.layouts import side_of
from functions.shared.job_warnings import JobWarning
from functions.shared.options import DEFAULT_QUALITY
from functions.shared.reasons import Failure

__all__ = ["MEASURING", "OWN_TAGS", "RATES", "TOLERANCE", "Plan", "Shape", "is_short", "planned", "within"]

# The sample rates of MPEG-1, MPEG-2 and MPEG-2.5 audio layer III.
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# The largest bitrate of MPEG-2.5 (as LAME has it) and MPEG-2; the rates up to which each is what is written.
_MAX_BITRATES = ((12000, 64), (24000, 160), (48000, 320))

# Options that leave the samples as they are; any other one makes MP3 frames be encoded again.
_HARMLESS = {
    *("track", "tracks", "language", "timeline", "partial", "cover", "chapters", "tags", "id3v1", "deduplicate"),
    *("title", "artist", "album", "genre", "date", "comment"),
    *("deduplicate", "keep_days", "keep_video"),
}
_TAGS = (
    *("title", "artist", "album", "album_artist", "composer", "genre", "date", "track", "disc"),
    *("comment", "copyright", "publisher", "description"),
)
OWN_TAGS = ("title", "artist", "album", "genre", "date", "comment")


# What measuring, the first of two passes, is of the whole work.
MEASURING = 0.2
# By how many seconds sound may be off the clock: as FFmpeg's resampler has it (min_hard_comp). People notice sound from
# 125 ms late on (ITU-R BT.1359).
TOLERANCE = 0.1
# In seconds, and as a share.
SHORT_SECONDS, SHORT_SHARE = 2.0, 0.02


@dataclass(frozen=True)
class Shape:
    """What the MP3 is: `value` is the VBR quality (0 to 9), or the bitrate in kbit/s."""

    sample_rate: int
    channels: int
    mode: Literal["vbr", "cbr", "abr"]
    value: int

    @property
    def layout(self) -> str:
        """FFmpeg's name of the channels."""
        return "mono" if self.channels == 1 else "stereo"

    def samples(self, seconds: float) -> int:
        """How many samples come before that time, or last so long."""
        return round(seconds * self.sample_rate)


@dataclass(frozen=True)
class Plan:
    """What is to be done with one track. Times are in seconds on the clock of the video, from its start on.

    `copy`: its MP3 frames are taken as they are. `strung`: sound is strung together, and times are those of its
    samples. `whole`: a file that ends too early is converted as far as it goes.
    `start` and `end` are the trim; `loudness` is a target in LUFS; `gain`, in dB, is what has been measured for it.
    `warnings` are what the owner has to know of these choices. Where several tracks are `mixed`, `track` is what comes
    out of the mix.
    """

    track: Track
    shape: Shape
    copy: bool = False
    strung: bool = False
    start: float | None = None
    end: float | None = None
    fade_in: float = 0.0
    fade_out: float = 0.0
    trim_silence: bool = False
    loudness: float | None = None
    gain: float | None = None
    cover: bool = True
    chapters: tuple[Chapter, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    id3v1: bool = False
    split_chapters: bool = False
    whole: bool = False
    seconds: float | None = None
    warnings: tuple[JobWarning, ...] = ()
    mixed: tuple[Track, ...] = ()

    @property
    def first_sample(self) -> int:
        """The number of the track's first sample that is kept, at the sample rate of the MP3."""
        return self.shape.samples(self.start or 0.0)

    @property
    def end_sample(self) -> int | None:
        """The number of the sample after the last one that is kept; None for all that there are."""
        return None if self.end is None else self.shape.samples(self.end)

    @property
    def resumable(self) -> bool:
        """Whether decoding can resume at a ResumePoint: nothing remembers what came long before."""
        resampled = self.track.sample_rate != self.shape.sample_rate
        return not (self.mixed or resampled or self.fade_in or self.fade_out)


def is_short(seconds: float, stated: float | None) -> bool:
    """Whether audio is so much shorter than what was stated that it was not cut by rounding."""
    return stated is not None and seconds < stated * (1 - SHORT_SHARE) - SHORT_SECONDS


def planned(media: Media, options: Mapping[str, Any], track: Track | None = None) -> Plan:
    """What `options`, as functions/shared/options.py gives them, make of a video.

    `track` is the one to take; else it is the best by the rules of choosing.py, of what the index of the video says.
    Raises: Failure (no-audio, no-track, unsupported-codec, truncated).
    """
    if mixed := to_mix(media.tracks, options):
        return replace(_planned(media, options, _mix(mixed)), mixed=mixed)
    track = track or next(iter(ranked(media.tracks, options)), None)
    if track is None or (track.empty and "track" in options):
        raise Failure("no-track")
    if not track.codec:
        raise Failure("encrypted" if track.encrypted else "unsupported-codec")
    if track.empty:
        raise Failure("no-audio")
    plan = _planned(media, options, track)
    own = own_choice(media.tracks, options)
    return replace(plan, warnings=remarks(own, track) + offer(media.tracks, options, track))


def _planned(media: Media, options: Mapping[str, Any], track: Track) -> Plan:
    if media.cut_off and not options.get("partial"):
        raise Failure("truncated")
    start, end = options.get("start"), options.get("end")
    split = options.get("chapters") == "split"
    return Plan(
        track=track,
        shape=_shape(track, options),
        copy=track.codec == "mp3" and track.sample_rate in RATES and not split and options.keys() <= _HARMLESS,
        strung=options.get("timeline") == "sound",
        start=start,
        end=end,
        fade_in=options.get("fade_in", 0.0),
        fade_out=options.get("fade_out", 0.0),
        trim_silence=options.get("trim_silence", False),
        loudness=options.get("loudness"),
        cover=options.get("cover") != "drop",
        chapters=() if options.get("chapters") == "drop" else within(media.chapters, start, end),
        tags=_tags(media, track, options),
        id3v1=options.get("id3v1", False),
        split_chapters=split,
        whole=options.get("partial", False),
        seconds=_seconds(media.seconds if track.seconds is None else track.seconds, start, end),
    )


def _mix(tracks: tuple[Track, ...]) -> Track:
    """What several tracks are together: plain samples, stereo unless all are in the middle."""
    is_mono = all(track.channels == 1 and side_of(track.layout) is None for track in tracks)
    languages = {track.language for track in tracks}
    return Track(
        tracks[0].position,
        tracks[0].stream_index,
        codec="pcm_f32le",
        sample_rate=max(track.sample_rate for track in tracks),
        channels=1 if is_mono else 2,
        layout="mono" if is_mono else "stereo",
        language=languages.pop() if len(languages) == 1 else "",
        seconds=max((track.seconds for track in tracks if track.seconds is not None), default=None),
    )


def within(chapters: Iterable[Chapter], start: float | None, end: float | None) -> tuple[Chapter, ...]:
    """The chapters between two times, which then count from the first of the two."""
    first, last = start or 0.0, float("inf") if end is None else end
    return tuple(
        Chapter(max(chapter.start, first) - first, min(chapter.end, last) - first, chapter.title)
        for chapter in chapters
        if chapter.end > first and chapter.start < last
    )


def _shape(track: Track, options: Mapping[str, Any]) -> Shape:
    rate = options.get("sample_rate") or _fitting(track.sample_rate or 48000)
    channels = options.get("channels") or (1 if track.channels == 1 else 2)
    if "bitrate" not in options:
        return Shape(rate, channels, "vbr", options.get("quality", DEFAULT_QUALITY))
    largest = next(bitrate for up_to, bitrate in _MAX_BITRATES if rate <= up_to)
    return Shape(rate, channels, options.get("bitrate_mode", "cbr"), min(options["bitrate"], largest))


def _fitting(rate: int) -> int:
    """The sample rate to make of one that MP3 may not have: by halves, which resampling does best, else the next.

    What is above the highest one becomes that, where halves would leave out what people hear.
    """
    halved = rate
    while halved > RATES[-1]:
        halved //= 2
    is_low = halved < rate and halved < RATES[-2]
    return RATES[-1] if is_low else next(fitting for fitting in RATES if fitting >= halved)


def _tags(media: Media, track: Track, options: Mapping[str, Any]) -> dict[str, str]:
    kept = {} if options.get("tags") == "drop" else {name: media.tags[name] for name in _TAGS if name in media.tags}
    if track.language:
        kept["language"] = three_letters(track.language)
    return kept | {name: options[name] for name in OWN_TAGS if name in options}


def _seconds(stated: float | None, start: float | None, end: float | None) -> float | None:
    if stated is None:
        return None if end is None else end - (start or 0.0)
    return max(min(stated, stated if end is None else end) - (start or 0.0), 0.0)
