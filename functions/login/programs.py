"""What program somebody uses, by its User-Agent: name and system, without versions, which change by themselves."""

from __future__ import annotations

import re

__all__ = ["named"]

# Browsers name those that they want to be taken for, too: the first that fits is the one.
_BROWSERS = {
    "Edge": r"\bEdg(?:e|A|iOS)?/",
    "Opera": r"\bOPR/",
    "Samsung Internet": r"\bSamsungBrowser/",
    "Firefox": r"\b(?:Firefox|FxiOS)/",
    "Chrome": r"\b(?:Chrome|CriOS)/",
    "Safari": r"\bSafari/",
}
_SYSTEMS = {
    "Android": r"\bAndroid\b",
    "iOS": r"\b(?:iPhone|iPad|iPod)\b",
    "Windows": r"\bWindows\b",
    "macOS": r"\bMac OS X\b",
    "ChromeOS": r"\bCrOS\b",
    "Linux": r"\bLinux\b",
}
MAX_NAME = 40


def named(user_agent: str) -> str:
    """Such as `Firefox (Linux)`, or `curl`; empty when it does not say."""
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser:
        return f"{browser} ({system})" if system else browser
    # RFC 9110, section 10.1.5: a product, its version behind a slash.
    product = re.match(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", user_agent)
    return product[0][:MAX_NAME] if product else ""


def _first(known: dict[str, str], user_agent: str) -> str:
    return next((name for name, pattern in known.items() if re.search(pattern, user_agent)), "")
