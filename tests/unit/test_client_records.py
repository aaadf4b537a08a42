"""knative/client/records.py: what the client remembers of conversions is not kept for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

from knative.client.records import KEPT_SECONDS, Record, Records

URL = "http://localhost:8080"


def kept(records: Records, video: Path) -> Path:
    """The place of a conversion, with its record and the sound that is to be sent."""
    video.write_bytes(b"video")
    place = records.place(URL, video, {})
    (place / "sound.mp4").write_bytes(b"sound")
    records.keep(place, Record(str(video), 5, video.stat().st_mtime_ns, 5, str(place / "sound.mp4"), "job"))
    return place


def aged(place: Path, seconds: float) -> None:
    moment = time.time() - seconds
    for each in (*place.iterdir(), place):
        os.utime(each, (moment, moment))


def test_a_conversion_that_nobody_returns_to_is_forgotten_with_its_sound(tmp_path: Path) -> None:
    records = Records(tmp_path / "conversions")
    old, young = kept(records, tmp_path / "old.mp4"), kept(records, tmp_path / "young.mp4")
    aged(old, KEPT_SECONDS + 3600)
    aged(young, KEPT_SECONDS - 3600)
    new = kept(records, tmp_path / "new.mp4")
    assert sorted((tmp_path / "conversions").iterdir()) == sorted((young, new))


def test_who_returns_finds_what_there_is_and_it_is_young_again(tmp_path: Path) -> None:
    records = Records(tmp_path / "conversions")
    place = kept(records, tmp_path / "long.mp4")
    aged(place, KEPT_SECONDS + 3600)
    assert records.place(URL, tmp_path / "long.mp4", {}) == place
    kept(records, tmp_path / "new.mp4")
    found = records.load(place)
    assert found is not None
    assert found.is_of(tmp_path / "long.mp4")
