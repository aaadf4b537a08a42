"""A conversion that is resumed, at whatever checkpoint, makes the very MP3 that it makes in one go."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg
import numpy as np
import pytest

from functions.convert.conversion.saved import resume_point
from functions.convert.conversion.tracks import decoders
from functions.convert.conversion.tracks.decoders import need_of
from tests import media
from tests.unit.conversions import conversion, decoded, joined

QUALITY = {"quality": 9}
# Segments are so short that there are some checkpoints, and decoders are renewed once or more.
CHECKPOINTS, RENEWED_AFTER = 4, 280


class Kind(NamedTuple):
    """A file: its encoder, the sample rate and the channels of the sound, and how long it is."""

    words: str
    rate: int = 16000
    channels: int = 1
    seconds: int = 20


KINDS = {
    "aac.mp4": Kind("-c:a aac", seconds=40),
    "aac.mkv": Kind("-c:a aac -b:a 24k", seconds=40),
    "aac.ts": Kind("-c:a aac -aac_pns 1", seconds=40),
    "aac.aac": Kind("-c:a aac", 24000, 2),
    "latm.ts": Kind("-c:a aac -f mpegts -mpegts_flags latm", 44100, 2),
    "ac3.mkv": Kind("-c:a ac3 -b:a 96k", 48000, 2, 20),
    "ac3.ac3": Kind("-c:a ac3 -b:a 192k", 48000, 6, 10),
    "ac3.mpg": Kind("-c:a ac3 -b:a 96k", 48000, 2, 20),
    "eac3.mp4": Kind("-c:a eac3 -b:a 64k", 48000, 2),
    "mp2.mp2": Kind("-c:a mp2", 16000, 2, 40),
    "mp2.mpg": Kind("-c:a mp2", 44100, 2),
    "mp2.ts": Kind("-c:a mp2", 44100, 2),
    "nellymoser.flv": Kind("-c:a nellymoser", 22050),
    "opus.ogg": Kind("-c:a libopus", 48000, 2),
    "voice.webm": Kind("-c:a libopus -b:a 8k -application voip", 16000),
    "speex.ogg": Kind("-c:a libspeex"),
    "speex.flv": Kind("-c:a libspeex"),
    "amr.amr": Kind("-c:a libopencore_amrnb -b:a 12.2k", 8000),
    "amr.3gp": Kind("-c:a libopencore_amrnb -b:a 12.2k", 8000),
    "gsm.wav": Kind("-c:a libgsm_ms", 8000),
    "yamaha.wav": Kind("-c:a adpcm_yamaha", 22050),
    "yamaha.mkv": Kind("-c:a adpcm_yamaha", 22050, 2),
    "qt.mov": Kind("-c:a adpcm_ima_qt", 22050, 1, 8),
    "ms.wav": Kind("-c:a adpcm_ms", 22050, 2),
    "ima.wav": Kind("-c:a adpcm_ima_wav", 22050, 2),
    "swf.flv": Kind("-c:a adpcm_swf", 22050, 2),
    "truehd.mkv": Kind("-c:a truehd -strict -2", 48000, 2, 4),
    "interval.mkv": Kind("-c:a truehd -strict -2 -max_interval 128", 48000, 2, 4),
    "mlp.mkv": Kind("-c:a mlp -strict -2 -max_interval 128", 48000, 2, 4),
    "dts.mkv": Kind("-c:a dca -strict -2", 48000, 2, 10),
    "mp3.mp3": Kind("-c:a libmp3lame", 44100, 2),
    "mp3.avi": Kind("-c:a libmp3lame -b:a 320k", 44100, 2),
    "vorbis.webm": Kind("-c:a libvorbis", 44100, 2),
    "wma1.wma": Kind("-c:a wmav1", 44100, 2),
    "wma2.wma": Kind("-c:a wmav2", 44100, 2),
    "alac.m4a": Kind("-c:a alac", 44100, 2, 10),
    "flac.flac": Kind("-c:a flac", 44100, 2, 10),
    "wavpack.wv": Kind("-c:a wavpack", 44100, 2, 10),
    "tta.tta": Kind("-c:a tta", 44100, 2, 10),
    "pcm.wav": Kind("-c:a pcm_s16le", 44100, 2, 10),
    "pcm.mov": Kind("-c:a pcm_f64be", 44100, 2, 10),
    "mulaw.wav": Kind("-c:a pcm_mulaw", 8000),
    "dvd.mpg": Kind("-c:a pcm_dvd", 48000, 2, 10),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are kept, each made once."""
    return tmp_path_factory.mktemp("resuming")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Some checkpoints, and several decoders."""
    kind = KINDS.get(request.node.callspec.params["name"]) if hasattr(request.node, "callspec") else None
    kind = kind or KINDS["aac.mp4"]
    frames = kind.seconds * kind.rate // (576 if kind.rate < 32000 else 1152)
    monkeypatch.setattr("functions.convert.conversion.mpeg.segments.SEGMENT", frames // (CHECKPOINTS + 1))
    monkeypatch.setattr("functions.convert.conversion.tracks.decoders.RENEWED_AFTER", RENEWED_AFTER)


@pytest.mark.parametrize("name", KINDS)
def test_resumed_at_each_checkpoint_it_makes_the_same_mp3(directory: Path, name: str) -> None:
    path = made(directory, name)
    options = {**QUALITY, "force": True}
    whole = conversion(path, options)
    assert len(whole.checkpoints) >= CHECKPOINTS
    for frames, state in whole.checkpoints:
        assert state["place"]
        resumed = conversion(path, options, frames, state)
        assert resumed.mp3 == whole.mp3
        assert resumed.peaks == whole.peaks is not None


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith(("aac", "opus", "speex", "nelly", "mp2"))])
def test_what_has_been_renewed_is_not_decoded_from_the_start(directory: Path, name: str) -> None:
    path = made(directory, name)
    _, state = conversion(path, {**QUALITY, "force": True}).checkpoints[-1]
    assert state["origin"][0] % RENEWED_AFTER == 0
    assert state["place"][0] - state["origin"][0] < RENEWED_AFTER


@pytest.mark.parametrize(
    ("name", "greatest", "mean"),
    [
        ("aac.ts", 0.1, 0.003),
        ("ac3.mkv", 0.1, 0.006),
        ("mp2.mpg", 1e-4, 3e-5),
        ("nellymoser.flv", 0.05, 0.003),
        ("opus.ogg", 1e-4, 1e-6),
        ("voice.webm", 1e-4, 1e-6),
        ("speex.flv", 1e-4, 1e-6),
        ("amr.amr", 0.005, 0.0005),
        ("gsm.wav", 1e-4, 1e-6),
    ],
)
def test_a_renewed_decoder_sounds_as_the_one_before_it_would(
    directory: Path, monkeypatch: pytest.MonkeyPatch, name: str, greatest: float, mean: float
) -> None:
    """But for noise that is random by design. The sound's own mean is 0.2."""
    path = made(directory, name)
    renewed = joined(decoded(path)[0])
    monkeypatch.setattr("functions.convert.conversion.tracks.decoders.RENEWED_AFTER", 10**9)
    difference = np.abs(renewed - joined(decoded(path)[0]))
    assert difference.max() < greatest
    assert np.sqrt(np.mean(difference**2)) < mean


def test_a_checkpoint_of_the_release_before_knows_no_origin(directory: Path) -> None:
    """It is resumed as it was there: with the packets just before."""
    path = made(directory, "aac.mp4")
    whole = conversion(path, QUALITY)
    frames, state = whole.checkpoints[-1]
    del state["origin"]
    resumed = conversion(path, QUALITY, frames, state).mp3
    assert len(resumed) == pytest.approx(len(whole.mp3), rel=0.02)
    point = resume_point({"place": state["place"]})
    assert point
    blocks, _ = decoded(path, at=point)
    assert sum(block.samples for block in blocks) == joined(decoded(path)[0]).shape[1] - point.sample


def test_what_is_not_known_is_decoded_from_the_first_packet() -> None:
    assert need_of("a codec of tomorrow") == decoders.Need(None)


def made(directory: Path, name: str) -> Path:
    path, kind = directory / name, KINDS[name]
    if path.exists():
        return path
    if not encoder(kind):
        pytest.skip(f"no encoder for {name}")
    # A tone that rises, with noise, that is loud and quiet by turns.
    tones = "|".join(
        f"(0.3*sin(2*PI*({200 + 100 * channel}+8*t)*t)+0.05*(random({channel})-0.5))*(0.6+0.4*sin(3*t))"
        for channel in range(kind.channels)
    )
    sound = ["-f", "lavfi", "-i", f"aevalsrc={tones}:s={kind.rate}:d={kind.seconds}"]
    command = [encoder(kind), "-v", "error", "-nostdin", "-y", *sound, *kind.words.split()]
    subprocess.run([*command, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


def encoder(kind: Kind) -> str:
    """The ffmpeg that has the encoder; "" for none."""
    wanted = kind.words.split()[1]
    # Of the two, only the newer one has all options of its encoders; and only the other one some encoders.
    programs = imageio_ffmpeg.get_ffmpeg_exe(), media.ffmpeg()
    return next((each for each in programs if f" {wanted} " in encoders(each)), "")


@functools.cache
def encoders(program: str) -> str:
    return subprocess.run([program, "-v", "error", "-encoders"], check=True, capture_output=True, text=True).stdout
