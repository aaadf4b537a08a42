"""Brings an overlay to the cluster that kubectl points at, or takes it away: `make deploy`, `make undeploy`."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from knative.local.errors import LocalError
from knative.local.kustomize import Manifest
from knative.rollout import Command, RolloutError, apply, namespace, objects, resource, stages, waits

__all__ = ["away", "check", "main", "placeholders", "run", "secret_keys", "there"]

# What the overlay `production` has in the place of what is not known here: RFC 2606 names, RFC 5737 addresses, and no
# image's digest.
_PLACEHOLDER = re.compile(r"[\w.-]*\bexample\.com\b|192\.0\.2\.\d+/\d+|sha256:0{64}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m knative.deploy", description=__doc__)
    parser.add_argument("overlay", help="kind, production, or a directory with a kustomization.yaml of your own")
    parser.add_argument("--delete", action="store_true", help="take it away; what lasts is kept")
    arguments = parser.parse_args()
    try:
        run(arguments.overlay, delete=arguments.delete)
    except LocalError as error:
        sys.exit(f"audiolift: {error}")


def run(overlay: str, *, delete: bool) -> None:
    """Deploy or undeploy. Raises: LocalError."""
    if shutil.which("kubectl") is None:
        raise RolloutError("kubectl is not on PATH; docs/deploy.md lists what is needed")
    found = objects(overlay)
    if not delete:
        check(found)
    for command in away(found) if delete else there(found):
        command.run()


def there(manifests: Sequence[Manifest]) -> Iterator[Command]:
    """What brings the objects there, each stage when the one before is ready. Nothing that is there is torn down."""
    for stage in stages(manifests):
        for manifest in stage.objects:
            if resource(manifest) == "Job.batch":
                # A Job cannot be changed, only made anew.
                yield _delete(manifest)
        yield apply(stage.objects)
        yield from waits(stage)


def away(manifests: Sequence[Manifest]) -> Iterator[Command]:
    """What takes the objects away, in reverse. The namespace stays, and in it Secrets and volumes: the data."""
    for stage in reversed(stages(manifests)):
        yield from (_delete(manifest) for manifest in stage.objects if manifest["kind"] != "Namespace")


def _delete(manifest: Manifest) -> Command:
    name = manifest["metadata"]["name"]
    return Command(("kubectl", "delete", resource(manifest), name, *namespace(manifest), "--ignore-not-found"))


def check(manifests: Sequence[Manifest]) -> None:
    """Raise RolloutError for what nobody has set, and for the first Secret that the cluster lacks."""
    if left := sorted(placeholders(manifests)):
        raise RolloutError(f"set these in the overlay first: {', '.join(left)} (docs/deploy.md says how)")
    for (space, name), keys in sorted(secret_keys(manifests).items()):
        if missing := sorted(keys - _keys_in_cluster(space, name)):
            what = f"the Secret {name} in the namespace {space} has no {', '.join(missing)}"
            raise RolloutError(f"{what}; docs/deploy.md says how to make it")


def placeholders(manifests: Sequence[Manifest]) -> set[str]:
    """What nobody has set yet."""
    return set(_PLACEHOLDER.findall(json.dumps(manifests)))


def secret_keys(manifests: Sequence[Manifest]) -> Mapping[tuple[str, str], set[str]]:
    """The keys that containers and DomainMappings need, by namespace and name of the Secret."""
    found: dict[tuple[str, str], set[str]] = {}
    for manifest in manifests:
        space = manifest["metadata"].get("namespace", "default")
        for ref in _values(manifest, "secretKeyRef"):
            found.setdefault((space, ref["name"]), set()).add(ref["key"])
        for tls in _values(manifest, "tls"):
            found.setdefault((space, tls["secretName"]), set()).update({"tls.crt", "tls.key"})
    return found


def _values(value: Any, key: str) -> Iterator[Any]:
    """What stands under `key`, anywhere in an object."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from [inner] if name == key else _values(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)


def _keys_in_cluster(space: str, name: str) -> set[str]:
    argv = ["kubectl", "get", "secret", name, "--namespace", space, "--ignore-not-found", "--output", "json"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RolloutError(f"the cluster cannot be asked for the Secret {name}: {answer.stderr.strip()}")
    return set(json.loads(answer.stdout).get("data", {})) if answer.stdout.strip() else set()


if __name__ == "__main__":
    main()
