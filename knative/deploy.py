"""Brings an overlay to the cluster that kubectl points at, or takes it away: `make deploy`, `make undeploy`."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence

from knative.local.errors import LocalError
from knative.local.kustomize import Manifest
from knative.rollout import (
    SERVICE,
    Command,
    RolloutError,
    apply,
    in_cluster,
    namespace,
    objects,
    resource,
    stages,
    values,
    waits,
)
from knative.stamp import stamped, versions

__all__ = ["away", "check", "main", "placeholders", "run", "secret_keys", "there"]

# What the overlay `production` has in the place of what is not known here, by the key that it stands under. Elsewhere,
# and in other words, example.com is somebody's own.
_PLACEHOLDERS = {
    "image": re.compile(r"registry\.example\.com(?=/)|sha256:0{64}"),
    "name": re.compile(r"^audiolift\.example\.com$"),
    "PUBLIC_URL": re.compile(r"(?<=//)audiolift\.example\.com\b"),
    "MAIL_FROM": re.compile(r"\baudiolift@example\.com\b"),
    "cidr": re.compile(r"^192\.0\.2\.0/24$"),
}
# Beyond timeoutSeconds, after which kubelet kills: until it is seen that a pod is gone.
_MARGIN_SECONDS = 60


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
    for command in away(found) if delete else there(stamped(found, versions(found))):
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
    """What takes the objects away, in reverse. The namespace stays, and in it Secrets and volumes: the data.

    Functions finish what they have at hand before the stores and the network rules that they need are touched.
    """
    for stage in reversed(stages(manifests)):
        yield from (_delete(manifest) for manifest in stage.objects if manifest["kind"] != "Namespace")
        if functions := [each for each in stage.objects if resource(each) == SERVICE]:
            yield _gone(functions)


def _delete(manifest: Manifest) -> Command:
    name = manifest["metadata"]["name"]
    return Command(("kubectl", "delete", resource(manifest), name, *namespace(manifest), "--ignore-not-found"))


def _gone(functions: Sequence[Manifest]) -> Command:
    """Waits until no pod of these Services is left; at once when there is none."""
    names = ",".join(sorted(each["metadata"]["name"] for each in functions))
    seconds = max(each["spec"]["template"]["spec"]["timeoutSeconds"] for each in functions) + _MARGIN_SECONDS
    which = ("--selector", f"serving.knative.dev/service in ({names})", *namespace(functions[0]))
    return Command(("kubectl", "wait", "pod", *which, "--for=delete", f"--timeout={seconds}s"))


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
    found = ((value, pattern) for key, pattern in _PLACEHOLDERS.items() for value in values(list(manifests), key))
    return {left for value, pattern in found if isinstance(value, str) for left in pattern.findall(value)}


def secret_keys(manifests: Sequence[Manifest]) -> Mapping[tuple[str, str], set[str]]:
    """The keys that containers and DomainMappings need, by namespace and name of the Secret."""
    found: dict[tuple[str, str], set[str]] = {}
    for manifest in manifests:
        space = manifest["metadata"].get("namespace", "default")
        for ref in values(manifest, "secretKeyRef"):
            found.setdefault((space, ref["name"]), set()).add(ref["key"])
        for tls in values(manifest, "tls"):
            found.setdefault((space, tls["secretName"]), set()).update({"tls.crt", "tls.key"})
    return found


def _keys_in_cluster(space: str, name: str) -> set[str]:
    return set(in_cluster("Secret", space, name).get("data", {}))


if __name__ == "__main__":
    main()
