"""Which audio track a person would take: one table of rules, the first of which that tells two tracks apart decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.convert.conversion.media import Track
from functions.convert.conversion.mpeg.tag import cleaned
from functions.convert.conversion.tracks.languages import same_language
from functions.shared.job_warnings import JobWarning

__all__ = [
    "ASIDE",
    "MAX_NAME",
    "MAX_TITLE",
    "MAX_TRACKS",
    "RULES",
    "Rule",
    "needs_listening",
    "offer",
    "own_choice",
    "ranked",
    "remarks",
    "taken",
    "to_mix",
    "views",
]

# What a track is beside the main one, the later in this list the less wanted: FFmpeg's names (but for the last one),
# which it takes from the flags of Matroska (RFC 9559, 5.1.4.1.5 to 5.1.4.1.10), `kind` in MP4 (DASH roles, ISO/IEC
# 23009-1, 5.8.5.5), the ISO 639 audio type (ISO/IEC 13818-1, 2.6.18) and the supplementary audio descriptor (ETSI
# EN 300 468, 6.4.11) in TS, and `bsmod` in AC-3 (ATSC A/52, 5.4.2.2). Titles are free text in all of these, and so
# decide nothing.
ASIDE = {
    "hearing_impaired": "for the hard of hearing",
    "karaoke": "karaoke",
    "clean_effects": "without speech",
    "comment": "a commentary",
    "visual_impaired": "an audio description",
    "descriptions": "an audio description",
    "dependent": "to be mixed with another",
    "disabled": "switched off",
}
_ASIDE = tuple(ASIDE)
# Codes that stand where a language should: French and British television have these for audio descriptions, and
# ISO 639-2 has one for sound without speech.
_AS_LANGUAGES = {"qad": "visual_impaired", "nar": "visual_impaired", "zxx": "clean_effects"}
# As many tracks as the option `track` can name, and so many as one listens to.
MAX_TRACKS, MAX_HEARD = 64, 8
# Of the texts that a job shows, in characters: a language or codec, and a title.
MAX_NAME, MAX_TITLE = 40, 200


@dataclass(frozen=True)
class Rule:
    """Tracks of a lower `rank` go before others. `warning` is what the owner is told where that passes over another."""

    before: str
    after: str
    rank: Callable[[Track], int]
    warning: str | None = None


RULES = (
    Rule("in a codec that can be read", "in one that cannot", lambda track: not track.codec, "track-unreadable"),
    Rule("not empty", "empty", lambda track: track.empty, "track-empty"),
    Rule("the main sound", ", ".join(dict.fromkeys(ASIDE.values())), lambda track: _aside(track), "track-aside"),
    Rule("marked as the default", "not marked so", lambda track: not track.default),
    Rule("marked as the original language", "not marked so", lambda track: "original" not in track.roles),
    Rule("not marked as dubbed", "dubbed", lambda track: "dub" in track.roles),
    Rule("earlier in the video", "later", lambda track: track.position),
)


def ranked(tracks: Iterable[Track], options: Mapping[str, Any]) -> tuple[Track, ...]:
    """The tracks that the options `track` or `language` allow, best first; none when there is no such track."""
    fitting = tuple(track for track in tracks if _fits(track, options))
    return tuple(sorted(fitting, key=lambda track: tuple(rule.rank(track) for rule in RULES)))


def own_choice(tracks: Iterable[Track], options: Mapping[str, Any]) -> Track | None:
    """The track that the video itself puts first: its default, else its first one, among those that are allowed."""
    fitting = [track for track in tracks if _fits(track, options)]
    return next((track for track in fitting if track.default), fitting[0] if fitting else None)


def needs_listening(candidates: Sequence[Track]) -> tuple[Track, ...]:
    """Which of the ranked candidates to listen to, as the best may be silent; none where there is no choice."""
    able = tuple(track for track in candidates[:MAX_HEARD] if track.codec and not track.empty)
    return able if len(able) > 1 else ()


def to_mix(tracks: Iterable[Track], options: Mapping[str, Any]) -> tuple[Track, ...]:
    """The tracks that the option `tracks` mixes; none where it is not given, or there are not two."""
    if options.get("tracks") != "mix":
        return ()
    able = tuple(track for track in tracks if track.codec and not track.empty)
    return able[:MAX_TRACKS] if len(able) > 1 else ()


def taken(tracks: Sequence[Track], options: Mapping[str, Any]) -> tuple[Track, ...]:
    """What the MP3 is made of, before one listens."""
    return to_mix(tracks, options) or ranked(tracks, options)[:1]


def remarks(own: Track | None, chosen: Track) -> tuple[JobWarning, ...]:
    """What to tell about a track that is not the one that the video puts first."""
    if own is None or own.position == chosen.position:
        return ()
    deciding = next(rule for rule in RULES if rule.rank(own) != rule.rank(chosen))
    # Where the rules are for the other one, it was listened to.
    code = deciding.warning if deciding.rank(chosen) < deciding.rank(own) else "track-silent"
    return (JobWarning(code, {"track": own.position, "chosen": chosen.position}),) if code else ()


def offer(tracks: Sequence[Track], options: Mapping[str, Any], chosen: Track) -> tuple[JobWarning, ...]:
    """That there is more to mix, where the tracks are those of several microphones: all mono, and of one kind."""
    able = [track for track in tracks if track.codec and not track.empty]
    kinds = {(track.channels, track.language, track.roles - {"default"}) for track in able}
    if len(able) < 2 or kinds != {(1, chosen.language, frozenset())} or options.keys() & {"track", "language"}:
        return ()
    return (JobWarning("several-microphones", {"count": len(able), "chosen": chosen.position}),)


def views(tracks: Sequence[Track], chosen: Iterable[Track]) -> list[dict[str, Any]]:
    """The tracks as the job shows them (`audio_tracks`), at most MAX_TRACKS."""
    positions = {track.position for track in chosen}
    return [
        {
            "position": track.position,
            "codec": track.codec,
            "language": _text(track.language, MAX_NAME),
            "title": _text(track.title, MAX_TITLE),
            "channels": track.channels,
            "sample_rate": track.sample_rate,
            "seconds": track.seconds,
            "default": track.default,
            "chosen": track.position in positions,
        }
        for track in tracks[:MAX_TRACKS]
    ]


def _text(text: str, longest: int) -> str:
    # Where it was cut there may be a space now.
    return cleaned(text, longest).rstrip()


def _aside(track: Track) -> int:
    roles = {*track.roles, _AS_LANGUAGES.get(track.language)}
    return max((_ASIDE.index(role) + 1 for role in roles if role in ASIDE), default=0)


def _fits(track: Track, options: Mapping[str, Any]) -> bool:
    if "track" in options:
        return bool(track.position == options["track"])
    return "language" not in options or same_language(track.language, options["language"])
