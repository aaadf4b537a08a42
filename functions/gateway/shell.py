"""The HTML of the page: put together of its parts, in the reader's language, with what it needs announced.

In the files of page/, `<!-- include jobs/view.html -->` stands for another file, `data-say="key"` on an empty element
for a text of words/, `data-say-label="key"` for its aria-label, `/assets/current/` for the address of the assets,
`data-visitor="hidden"` for what only who may be signed in sees, `data-visitor="shown" hidden` for what others see, and
`<!-- modules core/app.js -->` for the links that make a browser fetch a module and all that it imports at once, and not
one after the other. `<!-- later -->` stands for the lists of what is loaded later: core/views.js makes such links of
them when it wants it.
"""

from __future__ import annotations

import gzip
import html
import json
import posixpath
import re
from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from functions.gateway import assets
from functions.shared.accepts import language
from functions.shared.cookies import SESSION

__all__ = ["ENTRY", "LANGUAGES", "modules", "page", "words"]

LANGUAGES = ("en", "de")
ENTRY = "core/app.js"
# Only what is for browsers without JavaScript refers to it.
PLAIN = "/plain"
# What a visitor needs at once.
_DOOR = "account/door.js"
_HOME = "jobs/home.js"
# What is loaded later, each with what is there by then.
_LATER = {
    _DOOR: ENTRY,
    _HOME: ENTRY,
    "jobs/one.js": ENTRY,
    "account/view.js": ENTRY,
    "operator/view.js": ENTRY,
    "jobs/deeds.js": _HOME,
    "jobs/player.js": _HOME,
    "upload/list.js": _HOME,
}
# Views that have texts of words/later/.
_WITH_MORE_WORDS = ("account/view.js", "operator/view.js")
_CHOSEN = re.compile(r"\baudiolift-language=(\w+)")
_SAY = re.compile(r'(data-say="([\w.-]+)"[^>]*>)(?=</)')
_LABEL = re.compile(r'data-say-label="([\w.-]+)"')
_MODULES = re.compile(r"<!-- modules (\S+) -->")
_IMPORT = re.compile(r'^(?:import|export)\b[^"\';]*"(\.[^"]+)";', re.MULTILINE)


def page(request: Request, name: str = "index.html", status: int = 200, without_script: str = PLAIN) -> Response:
    """An HTML page of page/, by its file's name. Without JavaScript, a browser is sent to `without_script`.

    Who has no session to continue is shown the welcome at once; anybody else a skeleton, until the script knows more.
    """
    spoken = _spoken(request)
    whole, packed = _made(name, spoken, _is_visitor(request), without_script)
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": spoken,
        "Cache-Control": "no-cache",
        "Vary": "Accept-Language, Cookie, Sec-Fetch-Site",
    }
    return assets.answered(request, whole, packed, headers, status)


def _spoken(request: Request) -> str:
    """The language that was chosen on the page, as core/words.js notes it down; else one that the browser asks for."""
    chosen = _CHOSEN.search("; ".join(request.headers.getlist("Cookie")))
    if chosen and chosen[1] in LANGUAGES:
        return chosen[1]
    return language(request.headers.get("Accept-Language", ""), LANGUAGES, LANGUAGES[0])


def _is_visitor(request: Request) -> bool:
    # From another site, a browser does not bring the cookie along: it is SameSite=Strict.
    from_here = request.headers.get("Sec-Fetch-Site") in ("none", "same-origin")
    return from_here and f"{SESSION}=" not in "".join(request.headers.getlist("Cookie"))


@cache
def words(spoken: str) -> dict[str, str]:
    """The texts of a language by their keys: what stands behind `export default` is JSON."""
    return _words(f"words/later/{spoken}.js") | _words(f"words/{spoken}.js")


def _words(name: str) -> dict[str, str]:
    text = assets.content()[name].decode()
    found: dict[str, str] = json.loads(text.partition("export default ")[2].rstrip().removesuffix(";"))
    return found


@cache
def modules(entry: str = ENTRY) -> tuple[str, ...]:
    """What a module imports, directly and by others, itself first; not what is imported when it is needed."""
    found = [entry]
    for name in found:
        named = _IMPORT.findall(assets.content()[name].decode())
        paths = (posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) for each in named)
        found += [path for path in dict.fromkeys(paths) if path not in found]
    return tuple(found)


@cache
def _made(name: str, spoken: str, visitor: bool, without_script: str) -> tuple[bytes, bytes]:
    text = assets.content()[name].decode().replace(f'{PLAIN}"', f'{without_script}"')
    text = _SAY.sub(lambda found: found[1] + html.escape(words(spoken)[found[2]], quote=False), text)
    text = _LABEL.sub(lambda found: f'{found[0]} aria-label="{html.escape(words(spoken)[found[1]])}"', text)
    if visitor:
        text = text.replace('data-visitor="hidden"', "hidden").replace('data-visitor="shown" hidden', "")
    text = text.replace('<html lang="en"', f'<html lang="{spoken}"')
    text = _MODULES.sub(lambda found: _links(found[1], spoken, visitor), text)
    text = text.replace("<!-- later -->", f"<meta name='later' content='{_lists(spoken)}'>")
    whole = text.replace("/assets/current/", f"/assets/{assets.version()}/").encode()
    return whole, gzip.compress(whole, mtime=0)


def _links(module: str, spoken: str, visitor: bool) -> str:
    names = [*modules(module), f"words/{spoken}.js", *(_needed(_DOOR, spoken) if visitor else ())]
    return "\n  ".join(f'<link rel="modulepreload" href="/assets/current/{name}">' for name in names)


def _lists(spoken: str) -> str:
    return json.dumps({module: _needed(module, spoken) for module in _LATER}, separators=(",", ":"))


def _needed(module: str, spoken: str) -> list[str]:
    """What a module takes that is not there by then."""
    there = {*modules(), *modules(_LATER[module])}
    words = [f"words/later/{spoken}.js"] if module in _WITH_MORE_WORDS else []
    return [*(name for name in modules(module) if name not in there), *words]
