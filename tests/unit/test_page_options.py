"""The page offers all options of conversions that there are, with the values that they can have; and presets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from functions.gateway import assets, shell
from functions.shared.options import OPTIONS, parse

KINDS = {"flag": "boolean", "number": "number", "time": "number", "text": "string"}


def fields() -> list[dict[str, Any]]:
    """What stands behind `export default` in fields.js is JSON."""
    text = assets.content()["upload/fields.js"].decode().partition("export default ")[2]
    found: list[dict[str, Any]] = json.loads(text.rstrip().removesuffix(";"))
    return found


def test_every_option_is_there_once() -> None:
    assert sorted(field["name"] for field in fields()) == sorted(OPTIONS)


@pytest.mark.parametrize("field", fields(), ids=lambda field: field["name"])
def test_it_can_have_the_values_that_the_api_takes(field: dict[str, Any]) -> None:
    schema = OPTIONS[field["name"]].schema
    if values := field.get("values"):
        least, most = schema.get("minimum", 0), schema.get("maximum", -1)
        assert values == schema.get("enum", list(range(least, most + 1)))
    elif field["name"] != "track":
        assert schema["type"] == KINDS[field["kind"]]
    if "most" in field:
        assert field["most"] == schema["maximum"]
    words = shell.words("en")
    assert f"option.{field['name']}" in words
    assert all(
        f"option.{field['name']}.{value}" in words for value in field.get("values", []) if isinstance(value, str)
    )


def test_presets_are_options_that_can_be_together() -> None:
    text = assets.content()["upload/options.js"].decode()
    presets = re.search(r"PRESETS = \{(.*?)\n\};", text, re.DOTALL)
    assert presets
    found = re.findall(r"(\w+): (\{.*?\}),", presets[1])
    assert [name for name, _ in found] == ["music", "voice", "small", "best"]
    for _, values in found:
        parse(json.loads(re.sub(r"(\w+):", r'"\1":', values)))
