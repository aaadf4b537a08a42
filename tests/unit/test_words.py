"""The texts of the page: the same in every language, each of them used, and none elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.gateway import assets, shell
from functions.shared.job_warnings import WARNINGS, names
from functions.shared.jobs.states import State
from functions.shared.problems import PROBLEMS
from functions.shared.reasons import HINTS, REASONS

# By Intl.PluralRules: a language may have more of these than another.
FORM = re.compile(r"\.(zero|one|two|few|many|other)$")
HTML, SCRIPTS = (
    {path.relative_to(assets.FILES).as_posix(): path.read_text(encoding="utf-8") for path in assets.FILES.rglob(kind)}
    for kind in ("*.html", "*.js")
)
# Pages that the gateway writes, for browsers without JavaScript.
PLAIN = [path.read_text(encoding="utf-8") for path in (Path(shell.__file__).parent / "plain").rglob("*.html")]
OWN = {name: text for name, text in SCRIPTS.items() if not name.startswith(("words/", "sound/", "vendor/"))}
NAMED = re.compile(r'"([a-z]+(?:[.:-][a-z0-9-]+)+)"')
BUILT = re.compile(r"`([a-z.]+\.)\$\{|\$\{\w+\}(\.[a-z.]+)`")
KEYS_OF_CODES = ("problem.", "reason.", "state.", "warning.")


def base(keys: dict[str, str]) -> set[str]:
    """The keys without what tells a plural from another."""
    return {FORM.sub("", key) for key in keys}


def test_all_languages_say_the_same_things() -> None:
    english = shell.words("en")
    for spoken in shell.LANGUAGES[1:]:
        words = shell.words(spoken)
        assert base(words) == base(english)
        for key in words.keys() & english.keys():
            assert sorted(re.findall(r"{\w+}", words[key])) == sorted(re.findall(r"{\w+}", english[key])), key
            assert words[key].strip(), key


FORMAL = re.compile(r"(?<![.:?!] )(?<!^)(?<!\")\b(?:Sie|Ihnen|Ihr(?:e[mnrs]?)?)\b")


def test_german_readers_are_addressed_as_du() -> None:
    """Sie is she, it or they where it begins a sentence, and the reader anywhere else."""
    assert {key: text for key, text in shell.words("de").items() if FORMAL.search(text)} == {}


def test_german_mails_say_du_as_the_page_does() -> None:
    folder = Path("functions/notify")
    texts = [*(folder / "templates" / "de").iterdir(), *folder.glob("*.py"), Path("functions/shared/link_pages.py")]
    assert len(texts) > 10
    assert {text.name: found[0] for text in texts if (found := FORMAL.search(text.read_text()))} == {}


def test_the_script_and_the_gateway_know_the_same_languages() -> None:
    found = re.search(r"LANGUAGES = \{(.*)\}", SCRIPTS["core/words.js"])
    assert found
    assert tuple(re.findall(r"(\w+):", found[1])) == shell.LANGUAGES
    assert {Path(name).stem for name in SCRIPTS if name.startswith("words/")} == set(shell.LANGUAGES)


def test_each_text_is_used_and_each_that_is_used_is_there() -> None:
    known = base(shell.words("en"))
    said = {key for text in HTML.values() for key in re.findall(r'data-say(?:-label)?="([\w.:-]+)"', text)}
    said |= {key for text in PLAIN for key in re.findall(r'say\("([\w.-]*\w)"', text)}
    assert said <= known
    named = {key for text in OWN.values() for key in NAMED.findall(text)}
    begun = tuple(first for text in OWN.values() for first, _ in BUILT.findall(text) if first)
    unused = {key for key in known - said - named if not key.startswith((*begun, *KEYS_OF_CODES))}
    assert unused == set()
    areas = {key.partition(".")[0] for key in known}
    assert {key for key in named - known if key.partition(".")[0] in areas and not key.endswith(".js")} == set()


def test_there_are_words_for_each_reason_and_state_and_none_for_what_does_not_exist() -> None:
    words = shell.words("en")
    for code in REASONS:
        assert {f"reason.{code}", f"reason.{code}.advice"} <= words.keys()
    assert {f"reason.{code}.{hint}" for hint, (code, _) in HINTS.items()} <= words.keys()
    told = {code: {*re.findall(r"{(\w+)}", words.get(f"warning.{code}", ""))} for code in WARNINGS}
    assert told == {code: names(code) for code in WARNINGS}
    assert {f"state.{state}" for state in State} == {key for key in words if key.startswith("state.")}
    codes = {key.split(".")[1] for key in words if key.startswith("problem.")}
    raised = {code for text in OWN.values() for code in re.findall(r'new Problem\([^,]+, "([a-z-]+)"', text)}
    assert codes <= PROBLEMS.keys() | raised | {"page"}


@pytest.mark.parametrize("name", sorted(HTML))
def test_no_text_of_the_html_is_without_a_key(name: str) -> None:
    text = re.sub(r"<!--.*?-->|<!doctype[^>]*>|<title>audiolift</title>|<span>audiolift</span>", "", HTML[name])
    assert re.findall(r">\s*([^<>\s][^<>]*)<", text) == []
    assert re.findall(r'(?:aria-label|placeholder|title|alt)="[^"]+"', text) == []


@pytest.mark.parametrize("name", sorted(OWN))
def test_no_sentence_is_outside_of_the_catalogue(name: str) -> None:
    without_comments = re.sub(r"/\*.*?\*/|//.*", "", OWN[name], flags=re.DOTALL)
    assert re.findall(r'["`](?:[A-Z][a-z]+ )?[A-Z]?[a-z]+,? [a-z]+ [a-z ,]+[.!?"`]', without_comments) == []
