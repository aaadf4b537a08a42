"""What pages for readers have in common: plain HTML, without a script. Their style sheets are the gateway's."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

__all__ = ["laid_out", "prose", "table"]

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>audiolift: {title}</title>
  <link rel="icon" href="/assets/current/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/current/style/all.css">
</head>
<body>
<a class="skip" href="#main">{skip}</a>
<header class="bar">
<a class="brand" href="/"><img src="/assets/current/icon.svg" alt="" width="36" height="36">audiolift</a>
</header>
<main id="main" class="reference" tabindex="-1">
{content}
</main>
</body>
</html>
"""


_SKIP = {"en": "Skip to the content", "de": "Zum Inhalt springen"}


def laid_out(title: str, content: str, language: str = "en") -> str:
    """A whole page in a language of ours; `content` is HTML, `title` is text."""
    return _PAGE.format(language=language, skip=_SKIP[language], title=html.escape(title), content=content)


def prose(text: str) -> str:
    """Text as HTML, with `code` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def table(caption: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table that can be scrolled on its own; cells are HTML."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" role="group" aria-label="{caption}" tabindex="0">'
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
