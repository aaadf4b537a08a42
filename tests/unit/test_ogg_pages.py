"""functions/convert/conversion/containers/ogg_pages.py: pages with wrong checksums are told of, and decoded."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from functions.convert.conversion.containers.ogg_pages import checksum
from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.sound.decode import blocks
from functions.convert.conversion.source import RangeFile
from functions.shared.job_warnings import JobWarning
from tests.unit.bytes_source import Bytes
from tests.unit.clocks import source_time
from tests.unit.conversions import joined, plan_of
from tests.unit.endings import ended
from tests.unit.troubles import SECONDS, audio

KINDS = {"v.ogg": "libvorbis", "o.opus": "libopus", "f.oga": "flac"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def whole(directory: Path, name: str) -> bytes:
    return audio(directory, name, "-c:a", KINDS[name])


def pages(data: bytes) -> list[int]:
    """Where they begin."""
    return [at for at in range(len(data)) if data.startswith(b"OggS\0", at)]


def spoiled(data: bytes, offset: int, which: Callable[[list[int]], list[int]]) -> bytes:
    """With another byte so far behind where some of the pages begin."""
    made = bytearray(data)
    for at in which(pages(data)):
        made[at + offset] ^= 0x55
    return bytes(made)


def test_the_checksum_is_that_of_rfc_3533(directory: Path) -> None:
    data = whole(directory, "v.ogg")
    begins = [*pages(data), len(data)]
    for start, stop in pairwise(begins):
        assert checksum(data[start:stop]) == int.from_bytes(data[start + 22 : start + 26], "little")


@pytest.mark.parametrize("offset", [1, 22], ids=["mark", "checksum"])
@pytest.mark.parametrize("name", KINDS)
def test_what_can_be_decoded_of_damaged_pages_is_heard(directory: Path, name: str, offset: int) -> None:
    found = ended(spoiled(whole(directory, name), offset, lambda starts: [starts[len(starts) // 2], *starts[-2:]]))
    assert (found.code, found.warnings) == ("done", (JobWarning("damaged-pages", {"pages": 3}),))
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    for at in (1, 3, 5, 5.8):
        assert source_time(found.samples(), at) == pytest.approx(at, abs=0.05)


@pytest.mark.parametrize("offset", [14, 18], ids=["stream", "number"])
def test_a_page_whose_head_does_not_fit_is_silent_and_told_of(directory: Path, offset: int) -> None:
    found = ended(spoiled(whole(directory, "v.ogg"), offset, lambda starts: [starts[4]]))
    assert (found.code, found.warnings) == ("done", (JobWarning("damaged-pages", {"pages": 1}),))
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    assert [source_time(found.samples(), at) for at in (1, 3, 5)] == [
        pytest.approx(1, abs=0.05),
        None,
        pytest.approx(5, abs=0.05),
    ]


def test_the_last_page_is_told_of_where_it_is_lost(directory: Path) -> None:
    found = ended(spoiled(whole(directory, "f.oga"), 18, lambda starts: starts[-1:]))
    assert (found.code, found.warnings) == ("done", (JobWarning("damaged-pages", {"pages": 1}),))
    assert found.seconds == pytest.approx(5.22, abs=0.02)


@pytest.mark.parametrize("which", [2, -2], ids=["before", "behind"])
def test_resumed_it_is_the_same_and_told_of_once(directory: Path, which: int) -> None:
    path = directory / "resumed.oga"
    path.write_bytes(spoiled(whole(directory, "f.oga"), 22, lambda starts: [starts[which]]))
    plan, told = plan_of(path), [JobWarning("damaged-pages", {"pages": 1})]
    warnings: list[JobWarning] = []
    all_of_it = list(blocks(opened(RangeFile(Bytes(path.read_bytes()))), plan, warnings=warnings))
    assert warnings == told
    middle = next(number for number, block in enumerate(all_of_it) if number > len(all_of_it) // 2 and block.resume)
    resumed: list[JobWarning] = []
    file = RangeFile(Bytes(path.read_bytes()))
    rest = list(blocks(opened(file), plan, all_of_it[middle].resume, warnings=resumed))
    assert resumed == told
    assert (joined(rest) == joined(all_of_it[middle:])).all()
