"""The page as a whole: barriers, languages, themes, its weight, and ways to nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from functions.gateway import shell
from tests.browser.rows import insert
from tests.browser.screen import SLOW_MS, module, open_account, sign_in, sign_out, sign_up, workspace
from tests.browser.stage import ORIGIN, Stage
from tests.browser.states import STATES
from tests.provision import modules
from tests.system import Audiolift

OpenPage = Callable[..., Page]
TOOLS = Path(__file__).with_name("tools")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LIMIT_BYTES = 100_000
QUIET_MS = 1000
# WCAG 2.2, success criterion 1.4.12.
SPACED = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
p { margin-bottom: 2em !important }"""


# Whatever is wider than the window, or than the dialog that it is in.
STICKS_OUT = """[document.documentElement, ...document.querySelectorAll("dialog[open]")]
  .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.outerHTML.slice(0, 80))"""


def barriers(page: Page) -> list[str]:
    """What axe finds."""
    page.evaluate((modules(TOOLS) / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    code = "(rules) => axe.run({ runOnly: rules }).then(({ violations }) => violations)"
    found = page.evaluate(code, RULES)
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("name", STATES)
def test_no_state_has_barriers_in_either_theme(browser: Browser, name: str) -> None:
    state = STATES[name]
    narrow: Any = {"width": 360, "height": 740}
    with browser.new_context(viewport=narrow, has_touch=state.touch, is_mobile=state.touch, locale="en") as context:
        page = state.open(context)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            assert barriers(page) == [], theme
        assert page.evaluate(STICKS_OUT) == []
        # Longer words; by script, since what is modal covers the choice. What nobody chooses it on has few.
        if page.locator("#language").count():
            page.evaluate("(path) => import(path).then(({ choose }) => choose('de'))", module(page, "core/words.js"))
        assert page.evaluate(STICKS_OUT) == []


@pytest.mark.parametrize("spoken", shell.LANGUAGES)
def test_the_first_view_is_light(open_page: OpenPage, spoken: str) -> None:
    """As sent, with the heads of all answers."""
    page = open_page(locale=spoken)
    assert received(page) < LIMIT_BYTES


def test_the_first_view_of_who_is_signed_in_is_light(page: Page, audiolift: Audiolift, owner: str) -> None:
    """With an empty list, and with a short one, in the language that has more to say."""
    page.locator("#language").select_option("de")
    expect(page.get_by_role("heading", name="Deine Audios")).to_be_visible()
    page.reload()
    assert received(page) < LIMIT_BYTES
    insert(audiolift, owner, *({"filename": f"Vorlesung {number}.mp4"} for number in range(3)))
    assert received(page) < LIMIT_BYTES
    expect(page.get_by_role("listitem")).to_have_count(3)


def received(page: Page) -> int:
    """How many bytes come for the page when nothing of it is kept. Returns once nothing has come for a second."""
    session, sizes = page.context.new_cdp_session(page), [0]
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.reload()
    # Not "networkidle": the stream of events goes on.
    seen = 0
    while len(sizes) > seen:
        seen = len(sizes)
        page.wait_for_timeout(QUIET_MS)
    session.detach()
    assert len(sizes) > 20
    return sum(sizes)


def test_the_page_speaks_the_browsers_language_until_another_is_chosen(open_page: OpenPage) -> None:
    page = open_page(locale="de-AT")
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.locator("#language").select_option("en")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.goto("/nothing")
    expect(page.get_by_role("heading", name="There is nothing here.")).to_be_visible()


def test_what_is_shown_already_follows_the_language(page: Page) -> None:
    page.locator("#language").select_option("de")
    expect(page.get_by_role("heading", name="Deine Audios")).to_be_visible()
    expect(page.get_by_text("Noch nichts da.")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("navigation").get_by_role("link", name="Konto").click()
    expect(page.get_by_text("Dieses hier")).to_be_visible(timeout=SLOW_MS)
    page.locator("#language").select_option("en")
    expect(page.get_by_text("This one")).to_be_visible()


def test_a_wrong_password_is_said_in_german_too_and_at_the_field(open_page: OpenPage) -> None:
    page = open_page(locale="de")
    page.get_by_label("E-Mail").fill("anna@example.org")
    page.get_by_label("Passwort", exact=True).fill("falsch")
    page.keyboard.press("Enter")
    said = page.get_by_role("alert")
    expect(said).to_have_text(
        "Die E-Mail-Adresse oder das Passwort stimmt nicht. Prüfe beides und versuche es noch einmal."
    )
    field = page.get_by_label("Passwort", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert said.get_attribute("id") in (field.get_attribute("aria-describedby") or "").split()
    field.press("x")
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_what_is_left_out_is_said_at_the_field(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("form").locator("[type=submit]").click()
    email = page.get_by_label("Email")
    expect(email).to_be_focused()
    expect(email).to_have_accessible_description("Please fill this in.")
    expect(page.get_by_text("Please fill this in.")).to_have_count(2)
    email.fill("anna@example.org")
    expect(page.get_by_text("Please fill this in.")).to_have_count(1)


def test_a_chosen_theme_is_kept_and_is_there_before_anything_is_painted(open_page: OpenPage) -> None:
    ground = "Math.max(...getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number))"
    page = open_page(color_scheme="light")
    page.locator("#theme").select_option("dark")
    assert page.evaluate(ground) < 64
    page.route("**/core/app.js", lambda route: route.abort())
    page.reload()
    assert page.evaluate(ground) < 64
    page.unroute_all()
    page.reload()
    page.locator("#theme").select_option("system")
    assert page.evaluate(ground) > 192


def test_views_have_addresses_and_the_browsers_way_back_works(page: Page) -> None:
    open_account(page)
    expect(page).to_have_url(re.compile("/account$"))
    expect(page).to_have_title("Account · audiolift")
    page.go_back()
    expect(workspace(page)).to_be_focused()
    expect(page).to_have_title("audiolift")
    page.go_forward()
    page.reload()
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_focused(timeout=SLOW_MS)
    sign_out(page)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_follows_a_link_to_a_view_gets_there_after_signing_in(open_page: OpenPage) -> None:
    email = sign_up(open_page())
    page = open_page()
    page.goto("/account")
    sign_in(page, email)
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_focused(timeout=SLOW_MS)


def test_a_job_that_is_not_there_is_told_of_in_place(page: Page) -> None:
    page.goto(f"/jobs/{'0' * 32}")
    expect(page.get_by_role("heading", name="There is nothing here.")).to_be_focused(timeout=SLOW_MS)
    page.get_by_role("link", name="To your audio").click()
    expect(workspace(page)).to_be_focused()


def test_forced_colours_leave_every_control_its_edge(open_page: OpenPage) -> None:
    page = open_page(forced_colors="active")
    sign_up(page)
    code = """() => [...document.querySelectorAll("button, .button, select, input")]
      .filter((each) => each.checkVisibility({ opacityProperty: true }) && !each.matches(".link, [type=checkbox]"))
      .filter((each) => getComputedStyle(each).borderTopWidth === "0px").map((each) => each.outerHTML)"""
    assert page.evaluate(code) == []


def test_nothing_moves_for_who_wants_no_motion(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="reduce")
    sign_up(page)
    page.get_by_role("button", name="Your account").click()
    code = "document.getAnimations().length"
    assert page.evaluate(code) == 0


def test_wide_text_fits_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 320, "height": 640}, bypass_csp=True)
    page.add_style_tag(content=SPACED)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    sign_up(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_the_menu_is_opened_gone_through_and_closed_by_keyboard(browser: Browser) -> None:
    with browser.new_context(locale="en") as context:
        page = STATES["home-empty"].open(context)
        opener = page.get_by_role("button", name="Your account")
        opener.focus()
        page.keyboard.press("ArrowDown")
        expect(opener).to_have_attribute("aria-expanded", "true")
        focused = "document.activeElement.textContent.trim()"
        seen = []
        for _ in range(4):
            seen.append(page.evaluate(focused))
            page.keyboard.press("ArrowDown")
        assert seen == ["Audio", "Account", "Operation", "Sign out"]
        assert page.evaluate(focused) == "Audio"
        page.keyboard.press("Escape")
        expect(opener).to_be_focused()
        expect(opener).to_have_attribute("aria-expanded", "false")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_focused()
        expect(opener).to_have_attribute("aria-expanded", "false")


def test_the_banner_comes_and_goes_with_the_server_and_keeps_what_is_shown(browser: Browser) -> None:
    with browser.new_context(locale="en") as context:
        stage = Stage(context, member=True)
        page = context.new_page()
        page.goto(ORIGIN)
        expect(workspace(page)).to_be_visible()
        stage.away = True
        context.set_offline(True)
        banner = page.get_by_role("region", name="You are offline. We go on as soon as you are back.")
        expect(banner).to_be_visible()
        expect(workspace(page)).to_be_visible()
        stage.away = False
        context.set_offline(False)
        expect(page.get_by_role("button", name="Try now")).to_be_hidden()
        expect(page.get_by_role("status")).to_contain_text("The connection is back.")
