"""Stands in for a cluster's Secrets, and puts together the environment of each container."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from knative.local.cluster import API_HOST, Cluster, Container, KeyRef
from knative.local.errors import ManifestError, StartError

__all__ = ["ROOT", "Environment", "keep_tokens", "kept_tokens", "load_secrets"]

ROOT = Path(__file__).parents[2]

Secrets = Mapping[str, Mapping[str, str]]


def load_secrets(data: Path, cluster: Cluster) -> Secrets:
    """The Secrets by name and key. The keys that sign tokens are made once and kept in `data`/secrets.json, mode 0600.

    The stores' addresses are not kept: they follow the data directory when that is moved.
    Raises: StartError.
    """
    refs = {env.value for container in cluster.containers() for env in container.env}
    tokens: Mapping[str, str] = {}
    if any(isinstance(ref, KeyRef) and ref.name == "audiolift-tokens" for ref in refs):
        tokens = _tokens(data / "secrets.json")
    return {
        "audiolift-stores": {
            "database-url": f"sqlite:///{data}/audiolift.db",
            "blobs-url": f"file://{data}/blobs",
            "limits-url": "memory://",
        },
        "audiolift-mail": {"smtp-url": f"file://{data}/mail"},
        "audiolift-oidc": {"client-secret": ""},
        "audiolift-tokens": tokens,
    }


def kept_tokens(path: Path) -> Mapping[str, str]:
    """The Secret audiolift-tokens that is kept in a file. Raises: StartError when it is damaged or not there."""
    try:
        tokens: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))["audiolift-tokens"]
        return tokens
    except FileNotFoundError as error:
        raise StartError(f"{path} does not exist: `make run` makes it at its first start") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StartError(f"{path} is damaged. Delete it: everybody then has to sign in again") from error


def keep_tokens(path: Path, tokens: Mapping[str, str]) -> None:
    """Keep the Secret audiolift-tokens in a file that only its owner can read."""
    _write_private(path, json.dumps({"audiolift-tokens": tokens}, indent=2))


def _tokens(path: Path) -> Mapping[str, str]:
    if not path.exists():
        keep_tokens(path, _new_tokens())
    return kept_tokens(path)


def _new_tokens() -> Mapping[str, str]:
    made = subprocess.run(
        [sys.executable, "-m", "functions.login.keys"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise StartError(f"functions.login.keys cannot make the keys for tokens: {made.stderr.strip()[-500:]}")
    tokens: Mapping[str, str] = json.loads(made.stdout)
    return tokens


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@dataclass(frozen=True)
class Environment:
    """Where the values of environment variables come from. `addresses`: host name in the cluster → URL here.

    `own` is the runner's environment. It wins over Secrets and ConfigMaps, so that DATABASE_URL=… on the command line
    does what it says; and a name that a manifest gives to some containers reaches only those.
    """

    cluster: Cluster
    secrets: Secrets
    addresses: Mapping[str, str]
    own: Mapping[str, str]

    def of(self, container: Container, **injected: str) -> dict[str, str]:
        """The whole environment of a container's process. Raises: ManifestError."""
        declared = self._declared(container)
        names = {name for each in self.cluster.containers() for name in self._names(each)}
        names |= {"K_SINK", "RABBITMQ_URL"}
        inherited = {name: value for name, value in self.own.items() if name not in names}
        path = os.pathsep.join(filter(None, [str(ROOT), self.own.get("PYTHONPATH")]))
        return {**inherited, **declared, **injected, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}

    def _names(self, container: Container) -> set[str]:
        return {env.name for env in container.env}.union(*(self.cluster.config_maps[n] for n in container.config_maps))

    def _declared(self, container: Container) -> dict[str, str]:
        values: dict[str, str] = {}
        for config_map in container.config_maps:
            values |= self.cluster.config_maps[config_map]
        values |= {name: self.own[name] for name in values if self.own.get(name)}
        for env in container.env:
            values[env.name] = env.value if isinstance(env.value, str) else self._referred(env.name, env.value)
        return {name: self.local(value) for name, value in values.items()}

    def _referred(self, name: str, ref: KeyRef) -> str:
        known = self.cluster.config_maps if ref.kind == "ConfigMap" else self.secrets
        if self.own.get(name):
            return self.own[name]
        if ref.key not in known.get(ref.name, {}):
            raise ManifestError(f"{name}: the {ref.kind} {ref.name} has no key {ref.key} on this machine")
        return known[ref.name][ref.key]

    def local(self, text: str) -> str:
        """`text` with each cluster address replaced by the listener that stands for it. Raises: ManifestError."""
        pattern = rf"http://([a-z0-9-]+)\.{re.escape(self.cluster.namespace)}\.svc\.cluster\.local"
        return re.sub(rf"{pattern}|https://({API_HOST})\.default\.svc", self._address, text)

    def _address(self, match: re.Match[str]) -> str:
        host = match[1] or match[2]
        if host not in self.addresses:
            raise ManifestError(f"{match[0]} is the address of nothing in the overlay")
        return self.addresses[host]
