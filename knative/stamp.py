"""A value that changes makes a new revision: each Service's template says which state of its settings it was made for.

Pods read ConfigMaps and Secrets when they start. Without a new revision, those that run would keep the old values, and
those that come later have the new ones.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from knative.local.kustomize import Manifest
from knative.rollout import SERVICE, in_cluster, resource, values

__all__ = ["ANNOTATION", "stamped", "versions"]

ANNOTATION = "audiolift.dev/config-hash"
# The kinds, and what in a template refers to one by its name.
_REFERENCES = {"ConfigMap": ("configMapRef", "configMapKeyRef"), "Secret": ("secretRef", "secretKeyRef")}

Key = tuple[str, str, str]


def versions(manifests: Sequence[Manifest]) -> dict[Key, str]:
    """The version in the cluster of what templates refer to and the overlay does not bring: Secrets, above all.

    It has nothing of their values, so that none can be guessed from an annotation. Returns: versions by kind, namespace
    and name. Raises: RolloutError.
    """
    ours = _brought(manifests)
    wanted = sorted({key for each in manifests for key in _references(each) if key not in ours})
    return {key: _version(in_cluster(*key)) for key in wanted}


def stamped(manifests: Sequence[Manifest], known: Mapping[Key, str]) -> list[Manifest]:
    """The objects, with a hash in the template of each Service: over ConfigMaps of the overlay and `known` versions."""
    states = {**known, **_brought(manifests)}
    return [_stamped(each, states) if resource(each) == SERVICE else each for each in manifests]


def _stamped(service: Manifest, states: Mapping[Key, Any]) -> Manifest:
    made = copy.deepcopy(service)
    state = [[*key, states.get(key, "")] for key in sorted(set(_references(service)))]
    digest = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
    template = made["spec"]["template"]
    template.setdefault("metadata", {}).setdefault("annotations", {})[ANNOTATION] = digest[:32]
    return made


def _references(manifest: Manifest) -> Iterator[Key]:
    if resource(manifest) == SERVICE:
        for kind, places in _REFERENCES.items():
            for place in places:
                for reference in values(manifest["spec"]["template"], place):
                    yield kind, manifest["metadata"].get("namespace", "default"), reference["name"]


def _brought(manifests: Sequence[Manifest]) -> dict[Key, Any]:
    return {
        ("ConfigMap", each["metadata"].get("namespace", "default"), each["metadata"]["name"]): each.get("data", {})
        for each in manifests
        if resource(each) == "ConfigMap"
    }


def _version(found: Manifest) -> str:
    metadata = found.get("metadata", {})
    return f"{metadata.get('uid', '')}/{metadata.get('resourceVersion', '')}"
