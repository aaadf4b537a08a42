"""The web page as the gateway serves it: its HTML in each language, its files, and the way to nowhere."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping

import pytest

from functions.gateway import assets, shell
from functions.shared.accepts import language, takes
from tests.asgi import Answered, app_of, call

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip, deflate, br"}


def get(path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answered:
    """What the gateway answers."""
    return call(app_of("gateway"), method, path, headers or {})


@pytest.mark.parametrize("path", ["/", "/account", "/operator", "/jobs/0123456789abcdef"])
@pytest.mark.parametrize(("liked", "spoken"), [("de-CH, en;q=0.5", "de"), ("fr, en;q=0.1", "en"), ("", "en")])
def test_the_page_comes_in_the_readers_language(path: str, liked: str, spoken: str) -> None:
    page = get(path, {"Accept-Language": liked})
    assert (page.status, page.headers["content-language"]) == (200, spoken)
    assert {"Accept-Language", "Accept-Encoding", "Cookie", "Sec-Fetch-Site"} == set(page.headers["vary"].split(", "))
    assert f'<html lang="{spoken}"' in page.body.decode()
    assert shell.words(spoken)["welcome.title"] in page.body.decode()
    assert not re.search(r"<!-- |/assets/current/|data-say=\"[^\"]+\"[^>]*></", page.body.decode())


@pytest.mark.parametrize(
    ("headers", "is_visitor"),
    [
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Cookie": "other=1"}, True),
        ({"Sec-Fetch-Site": "none", "Cookie": "__Host-audiolift-session=x"}, False),
        ({"Sec-Fetch-Site": "none", "Cookie": "a=b; audiolift-session=x"}, False),
        # A browser that comes by a link in a mail leaves its cookie out, and one by plain HTTP this header.
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({}, False),
    ],
)
def test_who_can_have_no_session_is_shown_the_welcome_at_once(headers: dict[str, str], is_visitor: bool) -> None:
    text = get("/", headers).body.decode()
    for ident, shown in (("welcome", is_visitor), ("loading", not is_visitor)):
        found = re.search(rf'<[^>]*id="{ident}"[^>]*>', text)
        assert found
        assert (" hidden" in found[0]) != shown


def test_all_that_the_page_refers_to_is_there_and_kept_for_good() -> None:
    page = get("/", BROWSER)
    named = re.findall(r'(?:href|src)="(/assets/[^"]+)"', gzip.decompress(page.body).decode())
    assert len(named) > 20
    for path in named:
        answer = get(path, BROWSER)
        assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable"), path
        whole = gzip.decompress(answer.body) if "content-encoding" in answer.headers else answer.body
        assert whole == assets.content()[path.split("/", 3)[3]]
        assert ("content-encoding" in answer.headers) == (not path.endswith(".woff2"))


def test_a_module_is_announced_with_all_that_it_imports() -> None:
    names = shell.modules()
    assert names[0] == shell.ENTRY
    assert {"core/words.js", "core/icons.js"} <= set(names)
    assert "account/signin.js" in shell.modules("account/door.js")
    # What takes the sound out is for who chooses a video, what plays for who listens.
    late = re.compile(r"sound/|account/signin|upload/(list|queue|send)|jobs/(player|deeds|share)")
    assert not [name for name in (*names, *shell.modules("jobs/home.js")) if late.match(name)]


@pytest.mark.parametrize(("chosen", "spoken"), [("de", "de"), ("en", "en"), ("xx", "en")])
def test_the_page_comes_in_the_language_that_was_chosen_on_it(chosen: str, spoken: str) -> None:
    page = get("/", {"Cookie": f"a=b; audiolift-language={chosen}", "Accept-Language": "en"})
    assert page.headers["content-language"] == spoken


def test_who_is_signed_out_need_not_wait_for_the_form() -> None:
    pages = (get("/", headers).body.decode() for headers in ({"Sec-Fetch-Site": "none"}, {}))
    assert [bool(re.search("<link[^>]*account/signin.js", page)) for page in pages] == [True, False]


def test_what_is_loaded_later_is_listed_without_what_is_there_by_then() -> None:
    found = re.search("<meta name='later' content='([^']+)'>", get("/").body.decode())
    assert found
    later = json.loads(found[1])
    assert "upload/queue.js" in later["upload/list.js"]
    assert "words/later/en.js" in later["account/view.js"]
    for names in later.values():
        assert assets.content().keys() >= set(names)
        assert not set(names) & set(shell.modules())
    assert not set(later["jobs/player.js"]) & set(shell.modules("jobs/home.js"))


def test_scripts_are_sent_without_comments_and_with_each_line_where_it_was() -> None:
    for name in ("core/dom.js", "jobs/store.js", "style/jobs.css"):
        source, sent = (assets.FILES / name).read_text().split("\n"), assets.content()[name].decode().split("\n")
        assert len(source) == len(sent)
        left_out = [line.strip() for line, kept in zip(source, sent, strict=True) if line != kept]
        assert left_out
        assert all(line.startswith(("/", "*")) for line in left_out)
    assert b"/*" not in assets.content()["jobs/store.js"]
    assert assets.content()["vendor/tus.min.js"] == (assets.FILES / "vendor/tus.min.js").read_bytes()


def test_each_text_of_a_style_sheet_is_in_one_of_the_two_that_are_sent() -> None:
    sheet, later = assets.content()[assets.SHEET], assets.content()[assets.LATER]
    whole = (assets.SHEET, assets.LATER)
    parts = [data for name, data in assets.content().items() if name.startswith("style/") and name not in whole]
    assert len(sheet) + len(later) == sum(map(len, parts))
    assert all(part in sheet or part in later for part in parts)
    assert sheet.startswith(assets.content()["style/tokens.css"])


def test_a_file_of_another_release_is_not_kept() -> None:
    answer = get("/assets/0000000000000000/core/app.js")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")
    again = get("/assets/0000000000000000/core/app.js", {"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/docs", "/v1/problems", "/v1/problems/bad-option"])
def test_what_describes_the_api_is_sent_packed_and_only_when_it_has_changed(path: str) -> None:
    packed, whole = get(path, {"Accept-Encoding": "gzip"}), get(path, {"Accept-Encoding": "identity"})
    assert gzip.decompress(packed.body) == whole.body
    again = get(path, {"If-None-Match": packed.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "name", ["index.html", "missing.html", "account", "", "core", "../main.py", "core/../../main.py"]
)
def test_only_files_that_are_for_the_browser_are_served(name: str) -> None:
    answer = get(f"/assets/{assets.version()}/{name}")
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "not-found")


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/jobs", "/account/x", "/%3Cscript%3E"])
@pytest.mark.parametrize("liked", ["en", "de"])
def test_who_browses_to_nowhere_gets_a_page_and_a_program_a_problem(path: str, liked: str) -> None:
    page = get(path, {**BROWSER, "Accept-Language": liked})
    assert (page.status, page.headers["x-problem"], page.headers["content-encoding"]) == (404, "not-found", "gzip")
    assert {"Accept", "Accept-Language", "Accept-Encoding"} <= set(re.split(", ?", page.headers["vary"]))
    text = gzip.decompress(page.body).decode()
    assert shell.words(liked)["missing.title"] in text
    assert "script%3E" not in text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    program = get(path, {"Accept": "*/*"})
    assert (program.status, program.headers["content-type"]) == (404, "application/problem+json")
    assert get(path, BROWSER, "POST").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("header", "liked"),
    [
        ("de", "de"),
        ("DE-at;q=0.8,en;q=0.9", "en"),
        ("fr,*;q=0.5", "en"),
        ("de;q=0", "en"),
        ("de;q=x", "de"),
        (",,;", "en"),
        ("en;q=0.5, de;q=0.5", "en"),
    ],
)
def test_the_language_that_is_liked_best_is_spoken(header: str, liked: str) -> None:
    assert language(header, ("en", "de"), "en") == liked


def test_what_is_refused_is_not_taken() -> None:
    assert takes("gzip", "gzip")
    assert takes("br, GZIP;q=0.5", "gzip")
    assert not takes("gzip;q=0, br", "gzip")
    assert not takes("*", "gzip")
    assert not takes("", "gzip")
