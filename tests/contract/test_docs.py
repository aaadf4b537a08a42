"""The docs are true where a program can tell: tables, links, headings, make targets, names of files and settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import client_models, generate
from functions.shared.problems import PROBLEMS
from functions.shared.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "SECURITY", "CONTRIBUTING")),
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
CODE_FOLDERS = ("functions/", "events/", "knative/", "tests/", "docs/", "rabbitmq-source/")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

# What is set for make, and not for a function.
OF_MAKE = {"SHOW", "SETTLE", "STACK", "PORT", "PYTHON", "VIDEO", "ID", "OVERLAY", "REGISTRY", "TAG", "RUN"}
OF_MAKE |= {"SECRET", "DROP", "EMAIL", "SEED", "JOBS", "DIR", "TYPE", "STATE", "SOURCE", "JOB", "HOSTILE_SEEDS"}


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_tables_are_those_of_the_code() -> None:
    pages = generate.documents()
    assert {path.name for path in pages} == {
        "api.md",
        "configuration.md",
        "conversion.md",
        "deploy.md",
        "events.md",
        "observability.md",
    }
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: run make docs"


def test_the_states_of_the_page_are_those_of_the_code() -> None:
    assert generate.STATES.read_text(encoding="utf-8") == generate.states(), "states.js is out of date: run make docs"


def test_the_models_of_the_client_are_those_of_the_api() -> None:
    made = client_models.PATH.read_text(encoding="utf-8")
    assert made == client_models.written(), "knative/client/models.py is out of date: run make docs"


def test_every_table_is_shown_once() -> None:
    shown = re.findall(r"<!-- table: (\w+) -->", "".join(page.read_text(encoding="utf-8") for page in PAGES))
    assert sorted(shown) == sorted(generate.TABLES)


def test_there_is_advice_on_every_problem() -> None:
    assert [code for code, kind in PROBLEMS.items() if not kind.advice.endswith(".")] == []


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        assert target.exists(), f"{link} leads nowhere"
        assert not fragment or fragment in anchors(target), f"{target.name} has no heading for {link}"


@each_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"^(?:\$ )?make ([a-z]+)", "\n".join(FENCE.findall(text)), re.MULTILINE)
    named += re.findall(r"`(?:\w+=\S+ )?make ([a-z]+)[^`]*`", text)
    assert set(named) <= targets


@each_page
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = [
        code for code in CODE.findall(prose(page)) if code.startswith(CODE_FOLDERS) and not re.search(r"[A-Z*…]", code)
    ]
    for name in named:
        assert (ROOT / name).exists(), f"{name} does not exist"


@each_page
def test_every_setting_that_is_set_exists(page: Path) -> None:
    known = {setting.name for setting in SETTINGS} | OF_MAKE | {"CI"}
    in_code = " ".join(CODE.findall(prose(page)))
    assert set(re.findall(r"\b([A-Z][A-Z_]+)=", in_code)) <= known


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {link.removeprefix("docs/") for link in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= reached
