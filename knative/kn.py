"""Prints an overlay as commands of kn, or runs them: `make kn`, `make kn RUN=1`.

What kn has flags for is said by them. For the rest of a Service, kn reads a file; for the rest of other objects, and
for kinds that kn does not know, there is `kubectl apply` of just that.

Flags: those of kn 1.23, github.com/knative/client at e411e88, docs/cmd/*.md.
"""

from __future__ import annotations

import argparse
import copy
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from knative.deploy import check
from knative.local.errors import LocalError
from knative.local.kustomize import Manifest
from knative.rollout import Command, apply, namespace, objects, resource, stages, waits
from knative.stamp import stamped, versions

__all__ = ["commands", "main", "shown"]

Flags = list[str]
_AUTOSCALING = "autoscaling.knative.dev/"
_VISIBILITY = "networking.knative.dev/visibility"
_SCALE = {
    "min-scale": "--scale-min",
    "max-scale": "--scale-max",
    "target-utilization-percentage": "--scale-utilization",
}
_PROBE_NUMBERS = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold")
# With it, kubectl owns only the fields that it is given, and leaves alone what kn has set.
_REST = ("--server-side", "--force-conflicts", "--field-manager=audiolift")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m knative.kn", description=__doc__)
    parser.add_argument("overlay", help="kind, production, or a directory with a kustomization.yaml of your own")
    parser.add_argument("--run", action="store_true", help="run the commands; what is there already is updated")
    arguments = parser.parse_args()
    try:
        found = objects(arguments.overlay)
        if arguments.run:
            check(found)
        found = stamped(found, versions(found) if arguments.run else _versions_if_any(found))
        for comment, command in commands(found):
            print(shown(comment, command), flush=True)
            if arguments.run:
                command.run()
    except LocalError as error:
        sys.exit(f"audiolift: {error}")


def _versions_if_any(manifests: Sequence[Manifest]) -> Mapping[tuple[str, str, str], str]:
    """Commands can be printed without a cluster: their hashes are then of the overlay's own settings alone."""
    try:
        return versions(manifests)
    except (LocalError, OSError) as error:
        print(f"audiolift: a changed Secret will make no new revision by these commands: {error}", file=sys.stderr)
        return {}


def commands(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Command]]:
    """The commands in their order, each with a comment or ""."""
    for stage in stages(manifests):
        known = [each for each in stage.objects if resource(each) in _MAKERS]
        unknown = [each for each in stage.objects if resource(each) not in _MAKERS]
        if any(resource(each) == "Job.batch" for each in unknown):
            yield "", _renewal(unknown)
        elif unknown:
            yield f"{stage.purpose} kn does not know: {_kinds(unknown)}", apply(unknown)
        for manifest in known:
            yield from _MAKERS[resource(manifest)](manifest)
        # kn itself waits for Services.
        yield from (("", command) for command in waits(stage) if "Service.serving" not in command.argv[2])


def _renewal(jobs: Sequence[Manifest]) -> Command:
    """A Job cannot be changed, only made anew."""
    text = yaml.safe_dump_all(jobs, sort_keys=False)
    return Command(("kubectl", "replace", "--force", "--filename", "-"), text)


def _kinds(manifests: Sequence[Manifest]) -> str:
    return ", ".join(sorted({manifest["kind"] for manifest in manifests})) + "."


def shown(comment: str, command: Command) -> str:
    """A command as a shell takes it."""
    lines = [f"# {comment}"] if comment else []
    words = "".join((" \\\n  " if word.startswith("--") else " ") + shlex.quote(word) for word in command.argv).lstrip()
    lines.append(f"{words} <<'EOF'\n{command.stdin}EOF" if command.stdin else words)
    return "\n".join(lines) + "\n"


def _service(manifest: Manifest) -> Iterator[tuple[str, Command]]:
    name, rest = manifest["metadata"]["name"], copy.deepcopy(manifest)
    template = rest["spec"]["template"]
    flags = [*_labels(rest["metadata"]), *_annotations(template.get("metadata", {})), *_revision(template["spec"])]
    flags += _container(template["spec"]["containers"][0])
    # The image is to be the one that is named, and not to be written down in an annotation of kn's.
    flags += ["--no-lock-to-digest", "--filename", "/dev/stdin"]
    text = yaml.safe_dump(_pruned(rest), sort_keys=False)
    yield (
        "kn has no flags for what is in the file.",
        Command(("kn", "service", "apply", name, *namespace(manifest), *flags), text),
    )


def _labels(metadata: dict[str, Any]) -> Flags:
    labels = metadata.pop("labels", {})
    local = ["--cluster-local"] if labels.pop(_VISIBILITY, "") == "cluster-local" else []
    return local + [word for key, value in labels.items() for word in ("--label-service", f"{key}={value}")]


def _annotations(metadata: dict[str, Any]) -> Flags:
    flags: Flags = []
    for key, value in metadata.pop("annotations", {}).items():
        known = _SCALE.get(key.removeprefix(_AUTOSCALING))
        flags += [known, value] if known else ["--annotation-revision", f"{key}={value}"]
    return flags


def _revision(spec: dict[str, Any]) -> Flags:
    known = {
        "containerConcurrency": "--concurrency-limit",
        "timeoutSeconds": "--timeout",
        "serviceAccountName": "--service-account",
    }
    flags = [word for key, flag in known.items() if key in spec for word in (flag, str(spec.pop(key)))]
    volumes = spec.pop("volumes", [])
    spec["volumes"] = [volume for volume in volumes if not _is_sized(volume)]
    sized = (
        f"{each['name']}=emptyDir:{each['name']}:size={each['emptyDir']['sizeLimit']}"
        for each in volumes
        if _is_sized(each)
    )
    return flags + _words("--volume", sized)


def _is_sized(volume: Mapping[str, Any]) -> bool:
    return set(volume) == {"name", "emptyDir"} and set(volume["emptyDir"]) == {"sizeLimit"}


def _container(container: dict[str, Any]) -> Flags:
    flags = ["--image", container.pop("image"), *_words("--cmd", container.pop("command", ()))]
    flags += _words("--arg", container.pop("args", ()))
    flags += _words("--port", (port["containerPort"] for port in container.pop("ports", ())))
    flags += [word for entry in container.pop("env", ()) for word in _env(entry)]
    flags += _words("--env-from", (_source(entry) for entry in container.pop("envFrom", ())))
    for flag, kind in (("--request", "requests"), ("--limit", "limits")):
        flags += [flag, ",".join(f"{key}={value}" for key, value in container["resources"].pop(kind).items())]
    flags += [word for kind in ("liveness", "readiness") for word in _probe(kind, container)]
    return flags + _words("--mount", (f"{m['mountPath']}={m['name']}" for m in container.pop("volumeMounts", ())))


def _probe(kind: str, container: dict[str, Any]) -> Flags:
    probe = container[f"{kind}Probe"]
    flags: Flags = []
    if set(probe.get("httpGet", ())) == {"path"}:
        flags += [f"--probe-{kind}", f"http:::{probe.pop('httpGet')['path']}"]
    if numbers := [name for name in _PROBE_NUMBERS if name in probe]:
        words = (f"{name[0].upper()}{name[1:]}={probe.pop(name)}" for name in numbers)
        flags += [f"--probe-{kind}-opts", ",".join(words)]
    return flags


def _source(entry: Mapping[str, Any]) -> str:
    ((source, ref),) = entry.items()
    return f"{ {'configMapRef': 'config-map', 'secretRef': 'secret'}[source] }:{ref['name']}"


def _env(entry: Mapping[str, Any]) -> Flags:
    if "valueFrom" not in entry:
        return ["--env", f"{entry['name']}={entry.get('value', '')}"]
    ((source, ref),) = entry["valueFrom"].items()
    kind = {"secretKeyRef": "secret", "configMapKeyRef": "config-map"}[source]
    return ["--env-value-from", f"{entry['name']}={kind}:{ref['name']}:{ref['key']}"]


def _words(flag: str, values: Any) -> Flags:
    return [word for value in values for word in (flag, str(value))]


def _broker(manifest: Manifest) -> Iterator[tuple[str, Command]]:
    rest = copy.deepcopy(manifest)
    config = rest["spec"].pop("config")
    flags = ["--class", rest["metadata"]["annotations"].pop("eventing.knative.dev/broker.class")]
    flags += ["--broker-config", f"{config['apiVersion']}:{config['kind']}:{config['name']}"]
    yield from _created(manifest, ("broker",), flags, None, rest)


def _trigger(manifest: Manifest) -> Iterator[tuple[str, Command]]:
    rest = copy.deepcopy(manifest)
    spec = rest["spec"]
    broker = ["--broker", spec.pop("broker")]
    wanted = _words("--filter", (f"{key}={value}" for key, value in spec.pop("filter")["attributes"].items()))
    wanted += ["--sink", _sink(spec.pop("subscriber"))]
    yield from _created(manifest, ("trigger",), broker + wanted, wanted, rest)


def _ping(manifest: Manifest) -> Iterator[tuple[str, Command]]:
    rest = copy.deepcopy(manifest)
    spec = rest["spec"]
    flags = ["--schedule", spec.pop("schedule"), "--data", spec.pop("data"), "--encoding", "text"]
    flags += ["--sink", _sink(spec.pop("sink"))]
    yield from _created(manifest, ("source", "ping"), flags, flags, rest)


def _binding(manifest: Manifest) -> Iterator[tuple[str, Command]]:
    rest = copy.deepcopy(manifest)
    subject = rest["spec"].pop("subject")
    labels = ",".join(f"{key}={value}" for key, value in subject["selector"]["matchLabels"].items())
    flags = ["--subject", f"{subject['kind']}:{subject['apiVersion']}:{labels}"]
    flags += ["--sink", _sink(rest["spec"].pop("sink"))]
    yield from _created(manifest, ("source", "binding"), flags, flags, rest)


def _event_type(manifest: Manifest) -> Iterator[tuple[str, Command]]:
    rest = copy.deepcopy(manifest)
    spec = rest["spec"]
    flags = ["--type", spec.pop("type"), "--reference", _sink({"ref": spec.pop("reference")})]
    flags += ["--source", spec.pop("source")] if "source" in spec else []
    yield from _created(manifest, ("eventtype",), flags, None, rest)


def _domain(manifest: Manifest) -> Iterator[tuple[str, Command]]:
    rest = copy.deepcopy(manifest)
    ref = ["--ref", _sink({"ref": rest["spec"].pop("ref")})]
    tls = ["--tls", rest["spec"].pop("tls")["secretName"]] if "tls" in rest["spec"] else []
    yield from _created(manifest, ("domain",), ref + tls, ref, rest)


def _sink(destination: Mapping[str, Any]) -> str:
    ref = destination["ref"]
    return f"{ {'Service': 'ksvc', 'Broker': 'broker'}[ref['kind']] }:{ref['name']}"


def _created(
    manifest: Manifest, noun: tuple[str, ...], flags: Flags, update: Flags | None, rest: Manifest
) -> Iterator[tuple[str, Command]]:
    """`kn … create`, or `update` with what can be changed (None: nothing), and then the rest by kubectl."""
    name, where = manifest["metadata"]["name"], namespace(manifest)
    instead = ("kn", *noun, "update", name, *where, *update) if update is not None else ()
    describe = ("kn", *noun, "describe", name, *where)
    yield "", Command(("kn", *noun, "create", name, *where, *flags), unless=describe, instead=instead)
    left = _pruned(rest)
    if set(left) > {"apiVersion", "kind", "metadata"} or set(left["metadata"]) > {"name", "namespace"}:
        yield f"kn has no flags for the rest of this {manifest['kind']}.", apply([left], *_REST)


def _pruned(value: Any) -> Any:
    """The same without what is empty."""
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    if not isinstance(value, dict):
        return value
    pruned = {key: _pruned(item) for key, item in value.items()}
    return {key: item for key, item in pruned.items() if item not in ({}, [])}


_MAKERS: dict[str, Callable[[Manifest], Iterator[tuple[str, Command]]]] = {
    "Service.serving.knative.dev": _service,
    "Broker.eventing.knative.dev": _broker,
    "Trigger.eventing.knative.dev": _trigger,
    "EventType.eventing.knative.dev": _event_type,
    "PingSource.sources.knative.dev": _ping,
    "SinkBinding.sources.knative.dev": _binding,
    "DomainMapping.serving.knative.dev": _domain,
}


if __name__ == "__main__":
    main()
