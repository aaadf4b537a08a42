"""The document on an image names every package that is in it."""

from __future__ import annotations

import json

from knative.images import sbom

LISTED = "libc6 2.36-9+deb12u14 amd64\nmedia-types 10.0.0 all\n"


def test_it_names_the_packages_of_the_lock_file_and_of_debian() -> None:
    packages = [*sbom.python_packages("convert"), *sbom.debian_packages(LISTED)]
    written = json.loads(sbom.document("convert", packages))
    assert (written["bomFormat"], written["specVersion"]) == ("CycloneDX", "1.6")
    assert written["metadata"]["component"]["name"] == "audiolift/convert"
    found = {component["purl"] for component in written["components"]}
    assert "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12" in found
    assert len(found) == len(packages)
    assert any(purl.startswith("pkg:pypi/imageio-ffmpeg@") for purl in found)


def test_an_image_is_not_said_to_hold_what_only_another_does() -> None:
    assert not {package.name for package in sbom.python_packages("login")} & {"pymongo", "aiohttp", "alembic"}
