"""The two kinds of patches that kustomize knows: strategic merge, and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
from jsonpatch import JsonPatchException
from jsonpointer import JsonPointerException

from knative.local.errors import OverlayError

__all__ = ["json_patch", "merge_patch"]

# Lists of the kinds built into Kubernetes are merged by a key. Those of custom resources (a Knative Service too)
# have no schema that kustomize knows, and are replaced whole.
_MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
_BUILT_IN = {"v1", "apps/v1", "batch/v1"}


def merge_patch(manifest: dict[str, Any], patch: dict[str, Any]) -> None:
    """Change `manifest` in place by a strategic merge patch: null deletes, maps merge.

    Raises: OverlayError for `$patch` and other directives.
    """
    _merge(manifest, patch, keyed=manifest.get("apiVersion") in _BUILT_IN)


def _merge(into: dict[str, Any], patch: dict[str, Any], *, keyed: bool) -> None:
    for key, value in patch.items():
        if key.startswith("$"):
            raise OverlayError(f"the directive {key} of a merge patch is not understood here: use a JSON patch")
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            _merge(_child(into, key), value, keyed=keyed)
        elif keyed and key in _MERGE_KEYS and isinstance(value, list):
            _merge_list(into.setdefault(key, []), value, _MERGE_KEYS[key])
        else:
            into[key] = value


def _child(into: dict[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(into.get(key), dict):
        into[key] = {}
    child: dict[str, Any] = into[key]
    return child


def _merge_list(into: list[Any], patch: list[Any], merge_key: str) -> None:
    for item in patch:
        same = next((old for old in into if old.get(merge_key) == item.get(merge_key)), None)
        if same is None:
            into.append(item)
        else:
            _merge(same, item, keyed=True)


def json_patch(manifest: dict[str, Any], operations: list[Any], where: str) -> None:
    """Change `manifest` in place by a JSON patch (RFC 6902).

    Raises: OverlayError, naming `where`, for an operation that is none, a path that is not there, or a test that fails.
    """
    for operation in copy.deepcopy(operations):  # what it adds must not be the same object in two manifests
        try:
            patched = jsonpatch.apply_patch(manifest, [operation], in_place=True)
        except (JsonPatchException, JsonPointerException, TypeError) as error:
            raise OverlayError(f"{where}: {operation} cannot be applied: {error}") from error
        if patched is not manifest:
            raise OverlayError(f"{where}: {operation} cannot be applied: it puts another object in the place of all")
