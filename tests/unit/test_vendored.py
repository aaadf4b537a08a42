"""What the page has of other projects is what the list says, with a licence for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from knative import vendor


def test_every_file_is_the_one_of_the_list() -> None:
    assert vendor.wrong() == []
    listed = {file["to"] for package in vendor.packages() for file in package["file"]}
    assert listed >= {path.relative_to(vendor.PAGE).as_posix() for path in (vendor.PAGE / "vendor").iterdir()}


def test_every_package_brings_its_licence() -> None:
    for package in vendor.packages():
        assert any("LICENSE" in file["from"] for file in package["file"]), package["name"]


def test_a_file_that_was_changed_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = vendor.packages()[0]["file"][0]["to"]
    (tmp_path / first).parent.mkdir(parents=True)
    (tmp_path / first).write_bytes((vendor.PAGE / first).read_bytes() + b"//")
    monkeypatch.setattr(vendor, "PAGE", tmp_path)
    assert first in vendor.wrong()
