"""What may stand in a line of a stranger's text that people are shown: names of files, titles, languages."""

from __future__ import annotations

import unicodedata

__all__ = ["one_line", "visible"]

# Formatting characters (Cf) that are part of what is seen: ZWNJ (Persian) and ZWJ (emoji), the tags that flags are
# spelled with (UTS #51, annex C), and the signs that enclose numbers (Unicode 23.2, "Prepended Concatenation Marks").
_SHAPING = frozenset(
    "\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
) | frozenset(map(chr, range(0xE0020, 0xE0080)))
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def visible(text: str) -> str:
    """The text in Unicode NFC, without what is not seen: controls, ends of lines, and formatting characters.

    Those that turn the direction of reading are among the last: a name can show a false ending by them.
    """
    normal = unicodedata.normalize("NFC", text)
    return "".join(each for each in normal if each in _SHAPING or unicodedata.category(each) not in _HIDDEN)


def one_line(text: str, length: int) -> str:
    """As `visible`, with one space for each run of spaces and ends of lines, and at most `length` characters."""
    shown = visible(" ".join(text.split()))
    return " ".join(shown.split())[:length].rstrip()
