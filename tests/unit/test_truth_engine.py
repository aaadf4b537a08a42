"""functions/convert/engine.py: what should be copied and has to be encoded, in its sandbox and over deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.convert.errors import Unfinished
from functions.convert.sandbox import nursery
from functions.shared.blobs import Blobs
from functions.shared.jobs import transitions
from functions.shared.reasons import Failure
from tests import media
from tests.unit.endings import ffmpeg
from tests.unit.test_engine import again, claimed, converted, spied, stored

pytestmark = pytest.mark.usefixtures("tables")

SECONDS = 120


@pytest.fixture(autouse=True)
def workers() -> Iterator[None]:
    """No warm process outlives its test."""
    yield
    nursery.close()


@pytest.fixture(scope="module")
def stitched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of one rate, then some seconds of another: it shows late that this is no single stream."""
    directory = tmp_path_factory.mktemp("stitched")
    path = directory / "stitched.mp3"
    parts = ((220, SECONDS, 44100), (880, 4, 22050))
    made = [
        ffmpeg(directory / f"{hertz}.mp3", "-f", "lavfi", "-i", f"sine={hertz}:sample_rate={rate}:duration={seconds}")
        for hertz, seconds, rate in parts
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in made))
    return path


def test_no_frame_of_a_copy_that_was_given_up_is_in_the_mp3(
    store: Blobs, stitched: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    restarts = spied(monkeypatch, lambda _worker, header: header["kind"] == "restart")
    audio = converted(claimed(store, stitched))
    assert restarts == ["restart"]
    assert audio.duration_seconds == pytest.approx(SECONDS + 4, abs=0.2)
    (tmp_path / "made.mp3").write_bytes(stored(store, audio))
    heard = media.samples(tmp_path / "made.mp3", 1)
    assert heard.shape[1] / 44100 == pytest.approx(audio.duration_seconds, abs=0.1)
    assert media.tone(stored(store, audio)) == pytest.approx(220, abs=2)


def test_what_was_thrown_away_does_not_count_for_the_size(
    store: Blobs, stitched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, copied = converted(claimed(store, stitched)).size_bytes, stitched.stat().st_size
    most = int(1.1 * max(made, copied))
    assert most < 0.9 * (made + copied)
    monkeypatch.setenv("MAX_AUDIO_BYTES", str(most))
    assert converted(claimed(store, stitched)).size_bytes == made


def test_the_next_deliveries_do_not_try_to_copy_again(
    store: Blobs, stitched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored(store, converted(claimed(store, stitched)))
    monkeypatch.setattr("functions.convert.engine.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("functions.convert.engine.MARGIN_SECONDS", 1e9)
    monkeypatch.setattr("functions.convert.engine.MARGIN_SHARE", 1.0)
    restarts = spied(monkeypatch, lambda _worker, header: header["kind"] == "restart")
    claim, deliveries, audio = claimed(store, stitched), 0, None
    while audio is None:
        deliveries += 1
        try:
            audio = converted(claim)
        except Unfinished:
            transitions.postpone(claim)
            claim = again(claim)
    assert deliveries > 3
    assert restarts == ["restart"]
    assert stored(store, audio) == whole


def test_advice_that_fits_comes_out_of_the_sandbox(store: Blobs, tmp_path: Path) -> None:
    whole = media.make(tmp_path / "mp4-aac.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Failure) as caught:
        converted(claimed(store, tmp_path / "cut.mp4", {"partial": True}))
    assert (caught.value.code, caught.value.hint) == ("truncated", "no-index")
    assert "partial" not in caught.value.detail
