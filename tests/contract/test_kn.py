"""The commands of kn say what the manifests say.

kn itself is run where it is at hand, by tests/knative. `Kn` below is made from its documentation and source
(docs/cmd/*.md, pkg/flags, pkg/commands of github.com/knative/client at e411e88, kn 1.23): it knows the flags that are
used, refuses all others, and does what kn does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from knative import kn
from knative.local import kustomize
from knative.local.kustomize import Manifest
from knative.rollout import Command, resource
from knative.stamp import ANNOTATION, stamped

ROOT = Path(__file__).parents[2]
overlays = pytest.mark.parametrize("name", ["kind", "production"])

PROBE = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold")
SWITCHES = {"--cluster-local", "--no-lock-to-digest"}
SERVICE = {
    *("--label-service", "--annotation-revision", "--scale-min", "--scale-max", "--scale-utilization", "--timeout"),
    *("--concurrency-limit", "--service-account", "--volume", "--mount", "--image", "--cmd", "--arg", "--port"),
    *("--env", "--env-value-from", "--env-from", "--request", "--limit", "--probe-liveness", "--probe-readiness"),
    *("--probe-liveness-opts", "--probe-readiness-opts", "--filename"),
}
KNOWN = {
    "service apply": SERVICE,
    "broker create": {"--class", "--broker-config"},
    "trigger create": {"--broker", "--filter", "--sink"},
    "trigger update": {"--filter", "--sink"},
    "eventtype create": {"--type", "--source", "--reference"},
    "source ping create": {"--schedule", "--data", "--encoding", "--sink"},
    "source ping update": {"--schedule", "--data", "--encoding", "--sink"},
    "source binding create": {"--subject", "--sink"},
    "source binding update": {"--subject", "--sink"},
    "domain create": {"--ref", "--tls"},
    "domain update": {"--ref"},
}


@overlays
def test_the_commands_make_every_object_as_it_is_rendered(name: str) -> None:
    made = made_by(command for _, command in kn.commands(rendered(name)))
    assert made == {identity(manifest): manifest for manifest in rendered(name)}


@overlays
def test_what_kn_knows_is_made_by_kn(name: str) -> None:
    by_kn = {identity(Kn(command.argv, command.stdin).made()) for command in with_kn(name)}
    knows = {"Service", "Broker", "Trigger", "PingSource", "SinkBinding", "DomainMapping", "EventType"}
    every = {
        identity(each) for each in rendered(name) if each["kind"] in knows and ".knative.dev" in each["apiVersion"]
    }
    assert by_kn == every


@overlays
def test_what_is_there_already_is_updated_with_flags_that_kn_has(name: str) -> None:
    for command in with_kn(name):
        assert bool(command.unless) == ("create" in command.argv)
        if command.instead:
            update = Kn(command.instead, "")
            assert (update.verb, update.name) == (update.noun + " update", Kn(command.argv, "").name)


@overlays
def test_a_container_has_the_name_that_an_update_by_kn_leaves_it(name: str) -> None:
    """`kn service apply` takes the name out of what it sends for a Service that is there (pkg/serving/v1/apply.go,
    removeContainerNameAndResourcesIfNotSet), and Serving puts its default into the gap."""
    for manifest in rendered(name):
        if resource(manifest) == "Service.serving.knative.dev":
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            assert container["name"] == "user-container"


@overlays
def test_the_hash_of_settings_goes_by_kn_too(name: str) -> None:
    found = stamped(rendered(name), {})
    made = made_by(command for _, command in kn.commands(found))
    assert made == {identity(manifest): manifest for manifest in found}
    assert any(ANNOTATION in str(manifest) for manifest in made.values())


@overlays
def test_bash_understands_what_is_printed(name: str) -> None:
    """It runs the script with a kn and a kubectl that only say what they were given."""
    told = list(kn.commands(rendered(name)))
    tell = (
        'tell() { printf "%s\\0" "$@"; cat; printf "\\1"; }; kn() { tell kn "$@"; }; kubectl() { tell kubectl "$@"; }\n'
    )
    script = tell + "\n".join(kn.shown(comment, command) for comment, command in told)
    done = subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    said = [part.split("\0") for part in done.stdout.decode().split("\1")[:-1]]
    assert said == [[*command.argv, command.stdin] for _, command in told]


def rendered(name: str) -> list[Manifest]:
    return kustomize.render(ROOT / "knative" / "overlays" / name)


def with_kn(name: str) -> Iterator[Command]:
    return (command for _, command in kn.commands(rendered(name)) if command.argv[0] == "kn")


def identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def made_by(commands: Iterable[Command]) -> dict[tuple[str, str, str], Manifest]:
    """What is in a cluster after these commands."""
    found: dict[tuple[str, str, str], Manifest] = {}
    for command in commands:
        if command.argv[0] == "kn":
            manifest = Kn(command.argv, command.stdin).made()
            found[identity(manifest)] = manifest
        for manifest in yaml.safe_load_all(command.stdin) if command.argv[0] == "kubectl" else ():
            assert command.argv[1] in ("apply", "replace")
            partial = "--server-side" in command.argv
            found[identity(manifest)] = merged(found[identity(manifest)], manifest) if partial else manifest
    return found


def merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


class Kn:
    """One command line of kn."""

    def __init__(self, argv: tuple[str, ...], stdin: str) -> None:
        words = list(argv[1:])
        end = next(number for number, word in enumerate(words) if word in ("apply", "create", "update"))
        self.noun, self.verb, self.name = " ".join(words[:end]), " ".join(words[: end + 1]), words[end + 1]
        self.flags = Flags(words[end + 2 :], KNOWN[self.verb] | {"--namespace"})
        self.stdin = stdin

    def made(self) -> Manifest:
        """The object that the command brings to the cluster."""
        api, kind, make = MAKERS[self.noun]
        metadata = {"name": self.name, "namespace": self.flags.one("--namespace")}
        blank: Manifest = {"apiVersion": api, "kind": kind, "metadata": metadata}
        made: Manifest = merged(blank, make(self.flags, self.stdin))
        return made


class Flags:
    """Flags in their order. As pflag reads words: what follows a flag is its value, whatever it begins with."""

    def __init__(self, words: Iterable[str], known: set[str]) -> None:
        self._found: list[tuple[str, str]] = []
        rest = iter(words)
        for word in rest:
            assert word in known | SWITCHES, f"kn has no flag {word} here"
            self._found.append((word, "" if word in SWITCHES else next(rest)))

    def __contains__(self, flag: str) -> bool:
        return bool(self.all(flag))

    def all(self, *flags: str) -> list[str]:
        """The values of flags."""
        return [value for flag, value in self._found if flag in flags]

    def one(self, flag: str) -> str:
        """The value of a flag that is there once."""
        (value,) = self.all(flag)
        return value

    def pairs(self, flag: str) -> dict[str, str]:
        """The values of a flag that takes key=value."""
        return pairs(self.all(flag))


def pairs(values: Iterable[str]) -> dict[str, str]:
    return dict(value.split("=", 1) for value in values)


def destination(text: str) -> dict[str, Any]:
    """The namespace, which kn says too, is what it is by default."""
    kind, name = text.split(":")
    api, kind = {"ksvc": ("serving.knative.dev/v1", "Service"), "broker": ("eventing.knative.dev/v1", "Broker")}[kind]
    return {"ref": {"apiVersion": api, "kind": kind, "name": name}}


def service(flags: Flags, stdin: str) -> Manifest:
    assert flags.one("--filename") == "/dev/stdin"
    made: Manifest = yaml.safe_load(stdin)
    made["metadata"]["labels"] = flags.pairs("--label-service")
    if "--cluster-local" in flags:
        made["metadata"]["labels"]["networking.knative.dev/visibility"] = "cluster-local"
    # Otherwise kn notes the image in an annotation of its own.
    assert "--no-lock-to-digest" in flags
    made["spec"]["template"]["metadata"] = {"annotations": notes(flags)}
    revision(made["spec"]["template"]["spec"], flags)
    return made


def notes(flags: Flags) -> dict[str, str]:
    scale = {"min-scale": "min", "max-scale": "max", "target-utilization-percentage": "utilization"}
    found = {f"autoscaling.knative.dev/{key}": flags.one(f"--scale-{flag}") for key, flag in scale.items()}
    return found | flags.pairs("--annotation-revision")


def revision(spec: dict[str, Any], flags: Flags) -> None:
    spec["containerConcurrency"] = int(flags.one("--concurrency-limit"))
    spec["timeoutSeconds"] = int(flags.one("--timeout"))
    spec["serviceAccountName"] = flags.one("--service-account")
    # Behind those of the file, which stay (pkg/flags/podspec_helper.go, updateVolumesFromMap).
    spec["volumes"] = spec.get("volumes", []) + [
        {"name": name, "emptyDir": {"sizeLimit": text.removeprefix(f"emptyDir:{name}:size=")}}
        for name, text in flags.pairs("--volume").items()
    ]
    spec["containers"][0] |= container(flags) | {"volumeMounts": mounts(flags, spec["volumes"])}


def container(flags: Flags) -> dict[str, Any]:
    return {
        "image": flags.one("--image"),
        "command": flags.all("--cmd"),
        "args": flags.all("--arg"),
        "ports": [{"containerPort": int(flags.one("--port"))}],
        "env": [variable(*text.split("=", 1)) for text in flags.all("--env", "--env-value-from")],
        "envFrom": [{"configMapRef": {"name": each.removeprefix("config-map:")}} for each in flags.all("--env-from")],
        "resources": {f"{kind}s": pairs(flags.one(f"--{kind}").split(",")) for kind in ("request", "limit")},
        "livenessProbe": probe(flags, "liveness"),
        "readinessProbe": probe(flags, "readiness"),
    }


def mounts(flags: Flags, volumes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """kn has those of a volume that is not written to read-only (isReadOnlyVolume)."""
    written = {each["name"] for each in volumes if "emptyDir" in each}
    found = [{"name": name, "mountPath": path} for path, name in flags.pairs("--mount").items()]
    return [each if each["name"] in written else {**each, "readOnly": True} for each in found]


def variable(name: str, text: str) -> dict[str, Any]:
    if not text.startswith("secret:"):
        return {"name": name, "value": text}
    _, secret, key = text.split(":")
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def probe(flags: Flags, kind: str) -> dict[str, Any]:
    scheme, host, port, path = flags.one(f"--probe-{kind}").split(":")
    assert (scheme, host, port) == ("http", "", "")
    numbers = pairs(flags.one(f"--probe-{kind}-opts").split(","))
    # kn takes the names in any case.
    known = {name.lower(): name for name in PROBE}
    return {"httpGet": {"path": path}} | {known[name.lower()]: int(value) for name, value in numbers.items()}


def broker(flags: Flags, _stdin: str) -> Manifest:
    api, kind, name = flags.one("--broker-config").split(":")
    class_ = {"eventing.knative.dev/broker.class": flags.one("--class")}
    return {"metadata": {"annotations": class_}, "spec": {"config": {"apiVersion": api, "kind": kind, "name": name}}}


def trigger(flags: Flags, _stdin: str) -> Manifest:
    wanted = {"attributes": flags.pairs("--filter")}
    subscriber = destination(flags.one("--sink"))
    return {"spec": {"broker": flags.one("--broker"), "filter": wanted, "subscriber": subscriber}}


def event_type(flags: Flags, _stdin: str) -> Manifest:
    source = {"source": flags.one("--source")} if "--source" in flags else {}
    return {"spec": {"type": flags.one("--type"), **source, "reference": destination(flags.one("--reference"))["ref"]}}


def ping(flags: Flags, _stdin: str) -> Manifest:
    assert flags.one("--encoding") == "text"
    sink = destination(flags.one("--sink"))
    return {"spec": {"schedule": flags.one("--schedule"), "data": flags.one("--data"), "sink": sink}}


def binding(flags: Flags, _stdin: str) -> Manifest:
    kind, api, labels = flags.one("--subject").split(":", 2)
    subject = {"apiVersion": api, "kind": kind, "selector": {"matchLabels": pairs(labels.split(","))}}
    return {"spec": {"subject": subject, "sink": destination(flags.one("--sink"))}}


def domain(flags: Flags, _stdin: str) -> Manifest:
    tls = {"tls": {"secretName": flags.one("--tls")}} if "--tls" in flags else {}
    return {"spec": {**destination(flags.one("--ref")), **tls}}


MAKERS: dict[str, tuple[str, str, Callable[[Flags, str], Manifest]]] = {
    "service": ("serving.knative.dev/v1", "Service", service),
    "broker": ("eventing.knative.dev/v1", "Broker", broker),
    "trigger": ("eventing.knative.dev/v1", "Trigger", trigger),
    "eventtype": ("eventing.knative.dev/v1beta2", "EventType", event_type),
    "source ping": ("sources.knative.dev/v1", "PingSource", ping),
    "source binding": ("sources.knative.dev/v1", "SinkBinding", binding),
    "domain": ("serving.knative.dev/v1beta1", "DomainMapping", domain),
}
