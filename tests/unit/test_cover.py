"""functions/convert/conversion/mpeg/cover.py, on real containers and hostile pictures; Pillow judges what comes out."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.container import InputContainer
from PIL import Image

from functions.convert.conversion.containers.probe import opened, probe
from functions.convert.conversion.mpeg import tag
from functions.convert.conversion.mpeg.cover import MAX_BYTES, cover
from functions.convert.conversion.source import RangeFile
from tests import media

# MPEG-1 layer III, 128 kbit/s, 44.1 kHz, silent.
FRAME = b"\xff\xfb\x90\x64" + bytes(413)
RED, GREEN = (200, 30, 40), (20, 180, 60)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'

CONFINED = """
import sys
from io import BytesIO

import av
import av.subtitles.stream

from functions.convert.conversion.mpeg.cover import cover
from functions.convert.errors import Unconfined
from functions.convert.sandbox.confine import confine

content = BytesIO(open(sys.argv[1], "rb").read())
try:
    confine()
except Unconfined:
    sys.exit(77)
with av.open(content) as container:
    print(bool(cover(container, 1)))
"""


class Memory:
    """A video in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        return b"".join(self.content[start : start + length] for start, length in ranges)


def container_of(content: bytes) -> InputContainer:
    return opened(RangeFile(Memory(content)))


def cover_of(content: bytes) -> bytes | None:
    """The cover of a file, as the conversion takes it."""
    with container_of(content) as container:
        index = probe(container).cover_stream
        assert index is not None
        return cover(container, index)


def made_from(picture: bytes) -> bytes | None:
    """What is made of a picture that an MP3 carries and calls a JPEG."""
    return cover_of(tag.id3v2({}, [], picture) + FRAME * 50)


def halves(width: int = 300, height: int = 200, mode: str = "RGB") -> Image.Image:
    """A picture that is red on the left and green on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    return image.quantize() if mode == "P" else image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def shown(jpeg: bytes | None) -> Image.Image:
    assert jpeg is not None
    image = Image.open(BytesIO(jpeg))
    assert image.format == "JPEG"
    image.load()
    return image


def assert_halves(image: Image.Image, tolerance: int = 12) -> None:
    for x, colour in ((image.width // 4, RED), (image.width * 3 // 4, GREEN)):
        pixel: Any = image.getpixel((x, image.height // 2))
        assert np.abs(np.subtract(pixel, colour)).max() <= tolerance, pixel


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of its deflated rows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.mp4", ["-map", "1", "-c:v:1", "copy", "-c:a", "aac", "-disposition:v:1", "attached_pic"]),
        ("a.m4a", ["-map", "1", "-c:v", "copy", "-c:a", "aac", "-disposition:v", "attached_pic"]),
        ("a.mp3", ["-map", "1", "-c:v", "copy", "-c:a", "libmp3lame", "-disposition:v", "attached_pic"]),
        ("a.flac", ["-map", "1", "-c:v", "copy", "-c:a", "flac", "-disposition:v", "attached_pic"]),
        ("a.mkv", ["-c:a", "flac", "-attach", "PICTURE", "-metadata:s:t", "mimetype=image/png"]),
    ],
)
def test_the_cover_of_every_container_that_has_one(name: str, arguments: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(saved(halves(), "png"))
    sound = ["-f", "lavfi", "-i", "sine=duration=1"]
    moving = ["-f", "lavfi", "-i", "testsrc=duration=1", "-map", "2", "-c:v:0", "mpeg4"] if name == "a.mp4" else []
    words = [str(picture) if word == "PICTURE" else word for word in arguments]
    inputs = [*sound, "-i", str(picture), *moving, "-map", "0"]
    subprocess.run([media.ffmpeg(), "-v", "error", *inputs, *words, str(tmp_path / name)], check=True)
    image = shown(cover_of((tmp_path / name).read_bytes()))
    assert image.size == (300, 200)
    assert_halves(image)


def test_an_attachment_that_ffmpeg_takes_for_no_picture(tmp_path: Path) -> None:
    picture, video = tmp_path / "picture.webp", tmp_path / "a.mkv"
    picture.write_bytes(saved(halves(), "webp", quality=90))
    attached = ["-attach", str(picture), "-metadata:s:t", "mimetype=image/webp"]
    sound = ["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "flac"]
    subprocess.run([media.ffmpeg(), "-v", "error", *sound, *attached, str(video)], check=True)
    with container_of(video.read_bytes()) as container:
        assert_halves(shown(cover(container, container.streams.attachments[0].index)))
        assert cover(container, container.streams.audio[0].index) is None


def test_no_sound_is_taken_with_the_cover() -> None:
    with container_of(tag.id3v2({}, [], saved(halves(), "jpeg")) + FRAME * 50) as container:
        assert cover(container, 1)
        sizes = [packet.size for packet in container.demux(container.streams.audio[0]) if packet.size]
    assert sizes == [len(FRAME)] * 50


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("jpeg", "RGB", {}),
        ("jpeg", "RGB", {"progressive": True}),
        ("jpeg", "RGB", {"subsampling": 0}),
        ("jpeg", "CMYK", {}),
        ("png", "RGB", {}),
        ("png", "RGBA", {}),
        ("png", "P", {}),
        ("webp", "RGB", {"lossless": True}),
        ("webp", "RGB", {"quality": 90}),
        ("bmp", "RGB", {}),
        ("gif", "RGB", {}),
        ("gif", "RGB", {"save_all": True, "append_images": [Image.new("RGB", (300, 200))]}),
    ],
)
def test_pictures_keep_their_colours(kind: str, mode: str, options: dict[str, Any]) -> None:
    image = shown(made_from(saved(halves(mode=mode), kind, **options)))
    assert (image.mode, image.size) == ("RGB", (300, 200))
    assert_halves(image)


def test_a_png_of_16_bits_with_alpha() -> None:
    row = b"\0" + struct.pack(">4H", *(257 * value for value in (*RED, 255))) * 150
    row += struct.pack(">4H", *(257 * value for value in (*GREEN, 255))) * 150
    image = shown(made_from(png(300, 200, zlib.compress(row * 200), depth=16, colour=6)))
    assert_halves(image)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ((4000, 1000), (1000, 250)),
        ((500, 2000), (250, 1000)),
        ((30, 20), (30, 20)),
        ((1, 1), (1, 1)),
        ((3000, 1), (1000, 1)),
    ],
)
def test_sides_keep_their_proportion_and_are_at_most_1000_pixels(given: tuple[int, int], made: tuple[int, int]) -> None:
    assert shown(made_from(saved(halves(*given), "png"))).size == made


def test_the_jpeg_is_a_baseline_one_and_nothing_but_the_picture() -> None:
    jpeg = made_from(saved(halves(), "jpeg", progressive=True, comment=b"secret", exif=b"Exif\0\0secret"))
    assert jpeg is not None
    assert jpeg.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF\0")
    assert b"\xff\xc0" in jpeg
    assert b"\xff\xc2" not in jpeg
    assert b"secret" not in jpeg
    assert b"Lavc" not in jpeg


def test_noise_is_made_small_enough() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    jpeg = made_from(saved(Image.fromarray(noise), "png"))
    assert shown(jpeg).size == (1000, 1000)
    assert len(jpeg or b"") <= MAX_BYTES


JPEG_BYTES, PNG_BYTES = saved(halves(), "jpeg"), saved(halves(), "png")


@pytest.mark.parametrize(
    "picture",
    [
        JPEG_BYTES[: len(JPEG_BYTES) * 3 // 4],
        JPEG_BYTES[:3],
        PNG_BYTES[:-60],
        saved(halves(), "webp")[:-40],
        saved(halves(), "bmp")[:-10_000],
        saved(halves(), "tiff"),
        b"GIF89a",
        b"BM",
        b"RIFF",
        SVG,
        b"\xff\xd8\xff" + SVG,
        b"#EXTM3U\nfile:///etc/passwd\n",
        bytes(1000),
    ],
    ids=lambda picture: repr(picture[:12]),
)
def test_a_picture_that_is_broken_or_none_is_dropped(picture: bytes) -> None:
    assert made_from(picture) is None


def rows(width: int, height: int) -> bytes:
    """The deflated rows of a black picture."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(1 + 3 * width)) for _ in range(height)), packer.flush()])


def test_a_picture_of_36_megapixels_is_taken() -> None:
    assert shown(made_from(png(6000, 6000, rows(6000, 6000)))).size == (1000, 1000)


@pytest.mark.parametrize(("width", "height"), [(30000, 30000), (6400, 6400), (2**31 - 1, 1), (0, 10)])
def test_a_bomb_is_dropped(width: int, height: int) -> None:
    assert made_from(png(width, height, rows(6400, 6400))) is None


def test_a_picture_of_more_than_20_megabytes_is_dropped() -> None:
    assert made_from(JPEG_BYTES + bytes(20_000_000)) is None


@pytest.mark.parametrize("seed", range(40))
def test_damage_never_fails_the_conversion(seed: int) -> None:
    random = np.random.default_rng(seed)
    for kind in ("jpeg", "png", "webp", "gif", "bmp"):
        damaged = np.frombuffer(saved(halves(60, 40), kind), np.uint8).copy()
        at = random.integers(8, len(damaged), 6)
        damaged[at] = random.integers(0, 256, 6)
        jpeg = made_from(damaged.tobytes())
        assert jpeg is None or shown(jpeg)


def test_the_sandbox_is_no_obstacle(tmp_path: Path) -> None:
    """No file, no thread, no other process is needed once the modules are there."""
    path = tmp_path / "a.mp3"
    path.write_bytes(tag.id3v2({}, [], PNG_BYTES) + FRAME * 50)
    command = [sys.executable, "-c", CONFINED, str(path)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    if ended.returncode == 77:
        pytest.skip("no seccomp here")
    assert (ended.stdout, ended.stderr) == ("True\n", "")
