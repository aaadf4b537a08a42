"""The two kinds of patches that kustomize knows: strategic merge, and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

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
    """Change `manifest` in place by a JSON patch's add, remove, replace and test operations (RFC 6902, section 4).

    Raises: OverlayError, naming `where`, for another operation, a path that is not there, or a test that fails.
    """
    for operation in operations:
        try:
            _apply(manifest, operation)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise OverlayError(f"{where}: {operation} cannot be applied: {error!r}") from error


def _apply(manifest: Any, operation: dict[str, Any]) -> None:
    kind = operation["op"]
    *parents, last = _pointer(operation["path"])
    place = manifest
    for token in parents:
        place = place[_index(place, token)]
    if kind == "add":
        _add(place, last, copy.deepcopy(operation["value"]))
        return
    key = _index(place, last)
    current = place[key]
    if kind == "remove":
        del place[key]
    elif kind == "replace":
        place[key] = copy.deepcopy(operation["value"])
    elif kind != "test":
        raise ValueError(f"the operation {kind} is not understood here")
    elif current != operation["value"]:
        raise ValueError(f"the test failed: there is {current!r}")


def _add(place: Any, last: str, value: Any) -> None:
    if isinstance(place, list):
        place.insert(len(place) if last == "-" else int(last), value)
    else:
        place[last] = value


def _pointer(path: str) -> list[str]:
    """The tokens of a JSON pointer (RFC 6901)."""
    if not path.startswith("/"):
        raise ValueError("a path begins with /")
    return [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]


def _index(place: Any, token: str) -> Any:
    return int(token) if isinstance(place, list) else token
