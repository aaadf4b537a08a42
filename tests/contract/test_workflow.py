"""What .github/workflows/kind.yml promises, as far as it can be told without GitHub, kind and a network.

The commands that it runs are those of docs/deploy.md and README.md; what is said here of them holds for a laptop too.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import sessions
from knative.deploy import secret_keys
from knative.local import kustomize
from knative.local.kustomize import Manifest
from knative.rollout import resource

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".github" / "workflows" / "kind.yml").read_text(encoding="utf-8")
# YAML 1.1, which PyYAML reads, takes the key `on` for true.
WORKFLOW = {("on" if key is True else key): value for key, value in yaml.safe_load(TEXT).items()}
(JOB,) = WORKFLOW["jobs"].values()
SCRIPTS = [step["run"] for step in JOB["steps"] if "run" in step]
DEPLOY = ROOT / "docs" / "deploy.md"
PAGE = DEPLOY.read_text(encoding="utf-8")
SECTIONS = re.findall(r'sessions\.py docs/deploy\.md "([^"]+)"', TEXT)
COMMANDS = [sessions.session(DEPLOY, heading) for heading in SECTIONS]
KIND = kustomize.render(ROOT / "knative" / "overlays" / "kind")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

# docs.github.com/actions/reference/workflows-and-actions/workflow-syntax; what is not used here is left out.
KNOWN = {
    "workflow": {"name", "on", "permissions", "concurrency", "defaults", "env", "jobs"},
    "job": {"runs-on", "timeout-minutes", "steps"},
    "run": {"name", "if", "timeout-minutes", "working-directory", "run"},
    "uses": {"uses", "with"},
}
# The namespaces that their manifests have.
INSTALLED = {
    "cert-manager",
    "knative-serving",
    "kourier-system",
    "knative-eventing",
    "knative-sources",
    "rabbitmq-system",
}
# The row of the page's table → what the tag of a release begins with, in the addresses of the page.
RELEASES = {
    "Knative Serving, with Kourier": ("knative/serving", "knative-extensions/net-kourier"),
    "Knative Eventing": ("knative/eventing",),
    "Knative's RabbitMQ Broker and Source": ("knative-extensions/eventing-rabbitmq",),
    "cert-manager": ("cert-manager/cert-manager",),
    "RabbitMQ cluster operator": ("rabbitmq/cluster-operator",),
    "RabbitMQ messaging topology operator": ("rabbitmq/messaging-topology-operator",),
}
# What Knative starts for an object of ours, in thousandths of a CPU: queue-proxy beside each function; two dispatchers
# for a Trigger, an adapter for a source, the broker's ingress (pkg/reconciler/*/resources of eventing-rabbitmq 1.22).
ADDED = {
    "Service.serving.knative.dev": 25,
    "Trigger.eventing.knative.dev": 2 * 50,
    "RabbitmqSource.sources.knative.dev": 50,
}
INGRESS = 50
# docs.github.com/actions/reference/runners/github-hosted-runners: the standard one, for public repositories.
CORES = 4


def test_it_has_no_key_that_github_does_not_know() -> None:
    assert set(WORKFLOW) <= KNOWN["workflow"]
    assert set(JOB) <= KNOWN["job"]
    for step in JOB["steps"]:
        assert set(step) <= KNOWN["run" if "run" in step else "uses"], step


def test_it_may_only_read_and_runs_for_each_change_once() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert set(WORKFLOW["on"]) == {"pull_request", "push", "workflow_dispatch"}
    assert WORKFLOW["on"]["push"] == {"branches": ["main"]}
    assert set(WORKFLOW["concurrency"]) == {"group", "cancel-in-progress"}


def test_an_action_is_named_by_its_commit() -> None:
    used = [step["uses"] for step in JOB["steps"] if "uses" in step]
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each), each


def test_a_step_stops_at_what_fails_and_does_not_go_on_for_ever() -> None:
    assert WORKFLOW["defaults"]["run"]["shell"].endswith("bash --noprofile --norc -euo pipefail {0}")
    for step in JOB["steps"]:
        assert "run" not in step or 0 < step["timeout-minutes"] <= 30, step


@pytest.mark.parametrize("script", [*SCRIPTS, *COMMANDS])
def test_bash_understands_each_script(script: str) -> None:
    subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "expression", script), text=True, check=True)


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    used = set(re.findall(r"^\s*make ([a-z]+)", "\n".join([*SCRIPTS, *COMMANDS]), re.MULTILINE))
    assert {"images", "secrets", "deploy", "undeploy"} <= used <= targets


def test_it_runs_all_of_the_page_but_what_only_a_person_needs() -> None:
    section = PAGE.split("## On a laptop, with kind\n")[1].split("\n## ")[0]
    headings = re.findall(r"^### (.+)$", section, re.MULTILINE)
    assert [*SECTIONS, "The first MP3"] == headings


def test_it_talks_as_the_readme_does_by_the_public_name() -> None:
    config = next(each for each in KIND if resource(each) == "ConfigMap")
    address = WORKFLOW["env"]["API"]
    assert address == config["data"]["PUBLIC_URL"]
    assert sessions.session(DEPLOY, "The first MP3").startswith(f"API={address}\n")
    assert len(re.findall(r'sessions\.py (?:\.\./)?README\.md "Talk to it" "API=\$API"', TEXT)) == 3
    assert f"API={address}\n" in sessions.session(ROOT / "README.md", "Talk to it", [f"API={address}"])


def test_the_domain_and_the_port_are_those_that_the_page_sets() -> None:
    address = WORKFLOW["env"]["API"]
    (domain,) = re.findall(r"^config config-domain (\S+) ''$", PAGE, re.MULTILINE)
    assert address == f"http://gateway.audiolift.{domain}"
    ports = re.findall(r"(?:containerPort|nodePort): (\d+)", sessions.session(DEPLOY, "The cluster") + COMMANDS[1])
    assert len(ports) == 2
    assert len(set(ports)) == 1


def table(row: str) -> str:
    """The version that the page's table has for something."""
    (version,) = re.findall(rf"^\| {re.escape(row)} \| ([\d. to]+)", PAGE, re.MULTILINE)
    return str(version).strip()


@pytest.mark.parametrize("row", RELEASES)
def test_what_is_installed_is_what_the_table_says(row: str) -> None:
    text = re.sub(r"\$KNATIVE\b", re.findall(r"^KNATIVE=(.+)$", COMMANDS[1], re.MULTILINE)[0], COMMANDS[1])
    for repository in RELEASES[row]:
        tags = re.findall(rf"\s{repository}/releases/download/(?:knative-)?v([\d.]+)/", text)
        assert tags, repository
        assert {tag.rpartition(".")[0] for tag in tags} == {table(row)}


def test_no_release_is_installed_that_the_table_does_not_have() -> None:
    named = set(re.findall(r"\s([\w-]+/[\w-]+)/(?:releases/download|\$KNATIVE)/", COMMANDS[1]))
    assert named == {repository for row in RELEASES.values() for repository in row}


def test_the_cluster_is_of_the_kind_and_the_kubernetes_of_the_table() -> None:
    assert WORKFLOW["env"]["KIND"].removeprefix("v").rpartition(".")[0] == table("kind, with docker")
    oldest, newest = (number(each) for each in table("Kubernetes").split(" to "))
    (image,) = re.findall(r"kindest/node:v(\d+\.\d+)\.\d+@sha256:[0-9a-f]{64}$", COMMANDS[0], re.MULTILINE)
    assert oldest <= number(image) <= newest


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_every_image_of_the_overlay_is_built_and_loaded() -> None:
    (functions,) = re.findall(r"^functions = (.+)$", MAKEFILE, re.MULTILINE)
    text = COMMANDS[SECTIONS.index("The images")]
    (names,) = re.findall(r"^for name in (.+); do$", text, re.MULTILINE)
    assert names.split() == [*functions.split(), "migrate"]
    ((registry, tag),) = re.findall(r"make images REGISTRY=(\S+) TAG=(\S+)", text)
    assert f"kind load docker-image {registry}/$name:{tag} --name knative\n" in text
    ours = {image for image in images() if not re.fullmatch(r"(mysql|mongo|axllent/mailpit):\S+", image)}
    assert ours == {f"{registry}/{name}:{tag}" for name in names.split()}


def images() -> set[str]:
    return set(re.findall(r"'image': '([^']+)'", str(KIND)))


def test_kubectl_is_told_of_namespaces_that_are_there() -> None:
    text = "\n".join([*SCRIPTS, *COMMANDS])
    named = set(re.findall(r"--namespace ([a-z-]+)", text)) | set(re.findall(r"^ready ([a-z-]+)$", text, re.MULTILINE))
    for names in re.findall(r"for namespace in ([^;]+);", text):
        named |= set(names.split())
    assert named == INSTALLED | {"audiolift"}
    assert {each["metadata"].get("namespace", "audiolift") for each in KIND} == {"audiolift"}


def test_what_is_gone_after_undeploy_was_there_before_and_what_stays_too() -> None:
    (script,) = [each for each in SCRIPTS if "make undeploy" in each]
    kinds = {word for words in re.findall(r"kinds\+?=,?(\S+)", script) for word in words.split(",")}
    assert kinds - {"pods"} <= {resource(each) for each in KIND}
    (secrets,) = re.findall(r"get secret (.+) --namespace", script)
    assert set(secrets.split()) == {name for _, name in secret_keys(KIND)}
    (claims,) = re.findall(r"get pvc (.+) --namespace", script)
    assert set(claims.split()) == set(volumes())


def volumes() -> Iterator[str]:
    """The names that StatefulSets give to their first pods' claims."""
    for each in KIND:
        if resource(each) == "StatefulSet.apps":
            for template in each["spec"]["volumeClaimTemplates"]:
                yield f"{template['metadata']['name']}-{each['metadata']['name']}-0"


def test_the_pods_that_are_killed_and_waited_for_are_functions() -> None:
    services = {each["metadata"]["name"] for each in KIND if resource(each) == "Service.serving.knative.dev"}
    named = set(re.findall(r"serving\.knative\.dev/service!?=(\w+)", TEXT))
    assert named == {"convert", "sweep"}
    assert named <= services


def test_mails_are_looked_up_where_they_are_caught() -> None:
    (mail,) = [each for each in KIND if resource(each) == "Deployment.apps"]
    (name, port) = re.findall(r"port-forward --namespace audiolift deployment/(\w+) (\d+) &", TEXT)[0]
    assert name == mail["metadata"]["name"]
    (container,) = mail["spec"]["template"]["spec"]["containers"]
    assert int(port) in {each["containerPort"] for each in container["ports"]}
    assert f"http://localhost:{port}/" in TEXT


def test_the_page_says_what_cpu_all_of_it_asks_for() -> None:
    ((everything, kubernetes, knative, ours),) = re.findall(
        r"about ([\d.]+) CPUs: ([\d.]+) for Kubernetes itself, ([\d.]+) for Knative .*? about ([\d.]+) for audiolift",
        PAGE,
    )
    assert float(ours) == pytest.approx((INGRESS + sum(cpu(each) for each in KIND)) / 1000, abs=0.2)
    assert float(everything) == pytest.approx(float(kubernetes) + float(knative) + float(ours), abs=0.15)


def test_it_fits_on_githubs_machine_with_two_pods_of_each_function() -> None:
    (everything,) = re.findall(r"about ([\d.]+) CPUs", PAGE)
    nodes = sessions.session(DEPLOY, "The cluster").count("- role: ")
    second = sum(cpu(each) for each in KIND if resource(each) == "Service.serving.knative.dev") / 1000
    assert float(everything) + second < nodes * CORES


def cpu(manifest: Manifest) -> int:
    """What the pods of an object ask for, in thousandths of a CPU. A Job is over when the functions come."""
    kind, spec = resource(manifest), manifest.get("spec", {})
    if kind == "RabbitmqCluster.rabbitmq.com":
        return asked(spec)
    pod = {} if kind == "Job.batch" else spec.get("template", {}).get("spec", {})
    return ADDED.get(kind, 0) + sum(asked(container) for container in pod.get("containers", ()))


def asked(container: Mapping[str, Any]) -> int:
    text = str(container["resources"]["requests"]["cpu"])
    return int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)
