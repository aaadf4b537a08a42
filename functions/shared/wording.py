"""Mails that are a few paragraphs and perhaps a link: written in a language, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from functions.shared import settings
from functions.shared.languages import Language
from functions.shared.templating import templates

__all__ = ["Words", "home", "written"]

LINK = "{link}"
GREETINGS: Mapping[Language, str] = {"en": "Hello,", "de": "Hallo,"}


class Words(NamedTuple):
    """What a mail says: `body` has paragraphs with values in braces, and the line `{link}` where a link goes.

    `action` is what the link is called in HTML.
    """

    subject: str
    body: str
    action: str = ""


def written(words: Words, language: Language, link: str = "", **values: str) -> tuple[str, str]:
    """A mail as text, whose first line is the subject, and as an HTML document."""
    blocks = [block for paragraph in words.body.strip().split("\n\n") for block in _blocks(paragraph)]
    said = [LINK if block == LINK else block.format(**values) for block in blocks]
    about = {
        "subject": words.subject,
        "greeting": GREETINGS[language],
        "paragraphs": said,
        "marker": LINK,
        "link": link,
        "action": words.action,
        "language": language,
        "home": home(),
    }
    text, html = (templates().get_template(f"letter.{ending}").render(about) for ending in ("txt", "html"))
    return text, html


def home() -> str:
    """Where the page is, without a slash at the end."""
    return settings.text("PUBLIC_URL").rstrip("/")


def _blocks(paragraph: str) -> list[str]:
    """The text of a paragraph, and the link that may follow it."""
    text = paragraph.removesuffix(LINK).strip()
    return [text, LINK] if paragraph.endswith(LINK) else [text]
