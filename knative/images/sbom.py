"""What is in the images, as CycloneDX: `make sbom` writes data/sbom/NAME.cdx.json for each that `make images` built.

The Python packages are those of the lock file, the Debian packages those that dpkg knows of in the image.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from knative.images import build, subset, tree

__all__ = ["debian_packages", "document", "main", "python_packages"]

ROOT = Path(__file__).parents[2]
QUERY = ("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n")


def main() -> int:
    """Writes the documents; the exit status."""
    builder = build.builder()
    if builder is None:
        print(f"audiolift: {build.NO_BUILDER}", file=sys.stderr)
        return 1
    directory = ROOT / "data" / "sbom"
    directory.mkdir(parents=True, exist_ok=True)
    for name in os.environ.get("NAMES", "").split() or tree.images(ROOT):
        try:
            installed = _inside(builder, build.tag(name))
        except subprocess.CalledProcessError as error:
            print(
                f"audiolift: {build.tag(name)} cannot be looked into: {error.stderr}\nRun make images first.",
                file=sys.stderr,
            )
            return 1
        path = directory / f"{name}.cdx.json"
        path.write_text(document(name, [*python_packages(name), *debian_packages(installed)]))
        print(path)
    return 0


def document(name: str, packages: Iterable[PackageURL]) -> str:
    """A CycloneDX 1.6 document on one image, as JSON."""
    bom = Bom(components=[_component(package) for package in packages])
    bom.metadata.component = Component(name=f"audiolift/{name}", type=ComponentType.CONTAINER, bom_ref=name)
    bom.register_dependency(bom.metadata.component, bom.components)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


def python_packages(name: str) -> Iterator[PackageURL]:
    """What the lock file gives to an image."""
    lock, pyproject = (ROOT / "requirements.lock").read_text(), (ROOT / "pyproject.toml").read_text()
    for line in subset.subset(lock, subset.roots_of(pyproject, name)).splitlines():
        if "==" in line:
            pin = Requirement(line.rstrip(" \\"))
            yield PackageURL("pypi", name=canonicalize_name(pin.name), version=next(iter(pin.specifier)).version)


def debian_packages(listed: str) -> Iterator[PackageURL]:
    """What dpkg-query lists: name, version and architecture on each line."""
    for line in listed.splitlines():
        name, version, architecture = line.split()
        yield PackageURL("deb", "debian", name, version, {"arch": architecture, "distro": "debian-12"})


def _component(package: PackageURL) -> Component:
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=package,
        bom_ref=package.to_string(),
    )


def _inside(builder: str, image: str) -> str:
    """What dpkg-query prints in an image. Raises: CalledProcessError."""
    if builder != "buildah":
        return _ask(builder, "run", "--rm", f"--entrypoint={QUERY[0]}", image, *QUERY[1:])
    container = _ask("buildah", "from", "--pull-never", image).strip()
    try:
        return _ask("buildah", "run", container, "--", *QUERY)
    finally:
        _ask("buildah", "rm", container)


def _ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
