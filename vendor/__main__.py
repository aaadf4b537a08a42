"""Brings what the page has of others, fonts and icons, into functions/gateway/page: `make vendor`.

npm installs what package-lock.json pins, and compares it with the digests there. The files are part of this repository,
so that nothing is fetched to run audiolift; SHA256SUMS says which they are.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "functions" / "gateway" / "page"
SUMS = HERE / "SHA256SUMS"
# What each file of the page is in node_modules.
_FIGTREE, _SERIF = "@fontsource-variable/figtree", "@fontsource/instrument-serif"
FILES = {
    "fonts/figtree-latin-wght-normal.woff2": f"{_FIGTREE}/files/figtree-latin-wght-normal.woff2",
    "fonts/figtree-latin-ext-wght-normal.woff2": f"{_FIGTREE}/files/figtree-latin-ext-wght-normal.woff2",
    "fonts/figtree-OFL.txt": f"{_FIGTREE}/LICENSE",
    "fonts/instrument-serif-latin-400-normal.woff2": f"{_SERIF}/files/instrument-serif-latin-400-normal.woff2",
    "fonts/instrument-serif-OFL.txt": f"{_SERIF}/LICENSE",
    "icons-ISC.txt": "lucide-static/LICENSE",
}
_SHAPE = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def main() -> int:
    """Writes the files; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        modules = _installed(Path(folder))
        for name, source in FILES.items():
            target = PAGE / name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(modules / source, target)
        (PAGE / "icons.svg").write_text(_sprite(modules / "lucide-static" / "icons"), encoding="utf-8")
    SUMS.write_text(sums(), encoding="utf-8")
    return 0


def sums() -> str:
    """What SHA256SUMS ought to say of the files that are there."""
    digests = {name: hashlib.sha256((PAGE / name).read_bytes()).hexdigest() for name in (*FILES, "icons.svg")}
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def _installed(folder: Path) -> Path:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    # No script of a package runs.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "node_modules"


def _sprite(icons: Path) -> str:
    names = (HERE / "icons.txt").read_text(encoding="utf-8").split()
    symbols = "\n".join(
        f'<symbol id="icon-{name}" viewBox="0 0 24 24">{_shape(icons, name)}</symbol>' for name in names
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" hidden>\n{symbols}\n</svg>\n'


def _shape(icons: Path, name: str) -> str:
    found = _SHAPE.search((icons / f"{name}.svg").read_text(encoding="utf-8"))
    assert found, name
    return re.sub(r"\s+", " ", found[1]).replace("> <", "><").replace(" />", "/>").strip()


if __name__ == "__main__":
    sys.exit(main())
