"""The HTML of the page: put together of its parts, in the reader's language, with what it needs announced.

In the files of page/, `<!-- include jobs/view.html -->` stands for another file, `data-say="key"` on an empty element
for a text of words/, `data-say-label="key"` for its aria-label, `/assets/current/` for the address of the assets, and
`<!-- modules core/app.js -->` for the links that make a browser fetch a module and all that it imports at once, and not
one after the other. `<!-- later jobs/home.js -->` is the same for a view: the links wait until core/views.js wants it.
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

__all__ = ["ENTRY", "LANGUAGES", "modules", "page", "words"]

LANGUAGES = ("en", "de")
ENTRY = "core/app.js"
_INCLUDE = re.compile(r"<!-- include (\S+) -->\n?")
_SAY = re.compile(r'(data-say="([\w.-]+)"[^>]*>)(?=</)')
_LABEL = re.compile(r'data-say-label="([\w.-]+)"')
_MODULES = re.compile(r"<!-- (modules|later) (\S+) -->")
_IMPORT = re.compile(r'^(?:import|export)\b[^"\';]*"(\.[^"]+)";', re.MULTILINE)


def page(request: Request, name: str = "index.html", status: int = 200) -> Response:
    """An HTML page of page/, by its file's name."""
    spoken = language(request.headers.get("Accept-Language", ""), LANGUAGES, LANGUAGES[0])
    whole, packed = _made(name, spoken)
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": spoken,
        "Cache-Control": "no-cache",
        "Vary": "Accept-Language",
    }
    return assets.answered(request, whole, packed, headers, status)


@cache
def words(spoken: str) -> dict[str, str]:
    """The texts of a language by their keys: what stands behind `export default` is JSON."""
    text = assets.content()[f"words/{spoken}.js"].decode()
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


def _included(name: str) -> str:
    """A file with what it includes, and what that does."""
    return _INCLUDE.sub(lambda found: _included(found[1]), assets.content()[name].decode())


@cache
def _made(name: str, spoken: str) -> tuple[bytes, bytes]:
    text = _included(name)
    text = _SAY.sub(lambda found: found[1] + html.escape(words(spoken)[found[2]], quote=False), text)
    text = _LABEL.sub(lambda found: f'{found[0]} aria-label="{html.escape(words(spoken)[found[1]])}"', text)
    text = text.replace('<html lang="en"', f'<html lang="{spoken}"')
    text = _MODULES.sub(lambda found: _links(found[1], found[2], spoken), text)
    whole = text.replace("/assets/current/", f"/assets/{assets.version()}/").encode()
    return whole, gzip.compress(whole, mtime=0)


def _links(when: str, module: str, spoken: str) -> str:
    if when == "modules":
        names, link = [*modules(module), f"words/{spoken}.js"], 'rel="modulepreload"'
    else:
        names = [name for name in modules(module) if name not in modules()]
        link = f'rel="later" data-later="{module}"'
    return "\n  ".join(f'<link {link} href="/assets/current/{name}">' for name in names)
