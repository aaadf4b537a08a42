"""Why a conversion can fail for good: one table code → title → what the owner can do."""

from __future__ import annotations

from events.errors import SpeakingError

__all__ = ["HINTS", "REASONS", "Failure", "hint_of", "title"]

REASONS: dict[str, tuple[str, str]] = {
    "empty": ("The file is empty", "Check the file on your side and upload it again."),
    "not-media": (
        "The file is not a video or audio file",
        "Upload the video itself, for example an .mp4, .mkv, .webm or .mov file.",
    ),
    "refused-format": (
        "Files of this kind are not accepted",
        "Playlists and scripts that point to other files are refused, and so are rare formats. Upload the video "
        "itself, for example as an .mp4, .mkv, .webm or .mov file.",
    ),
    "no-audio": ("The video has no audio track", "There is nothing to convert. Check that the video plays with sound."),
    "no-track": (
        "The video has no such audio track",
        "Choose one of the tracks that the video has, or leave the choice to us.",
    ),
    "unsupported-codec": (
        "The audio is in a format that cannot be read",
        "Re-encode the video with common audio such as AAC, and upload it again.",
    ),
    "encrypted": (
        "The audio is encrypted",
        "Rented and protected videos and audiobooks cannot be converted. Upload a copy without protection.",
    ),
    "truncated": (
        "The file ends too early",
        "The upload or the copy was cut off. Upload all of it, or take what there is with the option `partial`.",
    ),
    "damaged": ("The audio in the file is damaged", "Check that the video plays to its end, and upload a sound copy."),
    "nothing-left": ("Nothing would be left of the audio", "Choose a `start` that is before its end."),
    "too-long": ("The audio is too long", "Cut the video into shorter parts and upload them one by one."),
    "too-large": ("The MP3 would be too large", "Choose a lower quality, or cut the video into parts."),
    "timed-out": ("The conversion took too long", "Try again, choose a lower quality, or cut the video into parts."),
    "cancelled": ("The conversion was cancelled", "Upload the video again if you want its MP3 after all."),
    "refused-url": (
        "The address of the video is not accepted",
        "Give an http or https address that the public internet can reach, without a user name or password in it.",
    ),
    "unreachable": (
        "The video could not be fetched",
        "Check that its address can be opened without signing in, and retry.",
    ),
    "too-large-video": ("The video is too large", "Cut it into parts, or lower its resolution: only the sound counts."),
    "over-quota": (
        "Your account may have no more",
        "Wait for jobs to end, or delete some. Then retry this one.",
    ),
    "over-minutes": (
        "Your account has used up its minutes of today",
        "Retry the job tomorrow (UTC), or ask the operator for more.",
    ),
    "gave-up": (
        "The conversion failed several times",
        "Retry the job later. If it fails again, tell the operator its id.",
    ),
}

# Where more is known of why it fails: what the owner can do instead. One table name → code of REASONS → what to do.
HINTS: dict[str, tuple[str, str]] = {
    "picture": ("not-media", "This is a picture, which has no sound. Upload the video itself."),
    "no-index": (
        "truncated",
        "The part that says where the sound lies is missing, so that nothing can be read: the upload or the copy was "
        "cut off, or the recording was not finished. Upload all of it, or have it repaired by what recorded it.",
    ),
    "no-name": (
        "refused-url",
        "Its host has letters that are in no host's name, or are there to be taken for others. Check the address.",
    ),
    "no-host": ("unreachable", "There is no host of that name. Check the address of the video."),
    "certificate": (
        "unreachable",
        "The certificate of its server is not valid. Have that mended, or give an address with a valid one, and retry.",
    ),
    "encoded": (
        "unreachable",
        "Its server compresses the file on the way (Content-Encoding), though it was asked not to. Give an address "
        "that leads to the file as it is.",
    ),
}


def hint_of(code: str, detail: str | None) -> str | None:
    """The hint whose words a row has beside this code; None if it is none, or one of another release."""
    return next((hint for hint, said in HINTS.items() if said == (code, detail)), None)


def title(code: str) -> str:
    """What is wrong, in a few words. A code of a newer release, which is not known here, stands for itself."""
    return REASONS[code][0] if code in REASONS else code


class Failure(SpeakingError):
    """A conversion failed for good: trying again gives the same. `code` is one of REASONS, `hint` one of its HINTS."""

    def __init__(self, code: str, hint: str = "") -> None:
        self.code, self.hint = code, hint
        self.title, self.detail = REASONS[code]
        if hint:
            self.detail = HINTS[hint][1]
        super().__init__(self.title)
