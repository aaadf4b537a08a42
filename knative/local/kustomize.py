"""Renders an overlay as `kubectl kustomize` does, for the fields that audiolift's overlays use. Others are errors."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from knative.local.errors import OverlayError
from knative.local.patches import json_patch, merge_patch

__all__ = ["Manifest", "render"]

Manifest = dict[str, Any]

_FIELDS = {
    "apiVersion": str,
    "kind": str,
    "resources": list,
    "namespace": str,
    "labels": list,
    "patches": list,
    "images": list,
}
_IMAGE_FIELDS = {"name", "newName", "newTag", "digest"}
_TARGET_FIELDS = {"group", "version", "kind", "name", "namespace"}
_CLUSTER_SCOPED = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PriorityClass"}
_CONTAINERS = ("containers", "initContainers")


def render(directory: Path) -> list[Manifest]:
    """The objects of the overlay in `directory`, patched, labelled and in their namespace.

    Raises: OverlayError for a file or field that is missing, unknown or wrong.
    """
    path = directory / "kustomization.yaml"
    documents = _read(path)
    if len(documents) != 1:
        raise OverlayError(f"{path}: one document is expected, not {len(documents)}")
    kustomization = documents[0]
    _only(kustomization, set(_FIELDS), str(path))
    for field, value in kustomization.items():
        if not isinstance(value, _FIELDS[field]):
            raise OverlayError(f"{path}: {field} must be a {_FIELDS[field].__name__}")
    objects = [item for entry in kustomization.get("resources", []) for item in _resource(directory / entry)]
    for patch in kustomization.get("patches", []):
        objects = _patched(objects, patch, directory)
    for manifest in objects:
        _label(manifest, kustomization.get("labels", []), path)
        _place(manifest, kustomization.get("namespace"))
        for entry in kustomization.get("images", []):
            _only(entry, _IMAGE_FIELDS, f"{path}: images")
            _name_images(manifest, entry)
    _refuse_doubles(objects, path)
    return objects


def _resource(path: Path) -> list[Manifest]:
    if path.is_dir():
        return render(path)
    objects = _read(path)
    for manifest in objects:
        if not manifest.get("kind") or not manifest.get("apiVersion") or not manifest.get("metadata", {}).get("name"):
            raise OverlayError(f"{path}: each document needs apiVersion, kind and metadata.name")
    return objects


def _read(path: Path) -> list[Manifest]:
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise OverlayError(f"{path} does not exist; is this the directory of an overlay?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise OverlayError(f"{path} cannot be read: {error}") from error


def _parse(text: str, where: str) -> list[Manifest]:
    try:
        documents = [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item is not None]
    except yaml.YAMLError as error:
        raise OverlayError(f"{where} is not YAML: {error}") from error
    if not all(isinstance(item, dict) for item in documents):
        raise OverlayError(f"{where}: each document must be a mapping")
    return documents


def _patched(objects: list[Manifest], entry: Mapping[str, Any], directory: Path) -> list[Manifest]:
    """The objects after one entry of `patches`: a strategic merge patch or a JSON patch, from a file or inline."""
    where = str(directory / entry["path"]) if "path" in entry else f"inline patch in {directory}"
    _only(entry, {"path", "patch", "target"}, where)
    text = entry["patch"] if "patch" in entry else (directory / entry["path"])
    patch = _patch_content(text, where)
    chosen = list(_chosen(objects, entry.get("target"), patch, where))
    if not chosen:
        raise OverlayError(f"{where}: nothing matches the patch")
    for manifest in chosen:
        if isinstance(patch, list):
            json_patch(manifest, patch, where)
        else:
            identity = {key: manifest[key] for key in ("apiVersion", "kind")}
            name = manifest["metadata"]["name"]
            merge_patch(manifest, copy.deepcopy(patch))
            manifest.update(identity)
            manifest["metadata"]["name"] = name
    return objects


def _patch_content(source: str | Path, where: str) -> Any:
    text = source
    if isinstance(source, Path):
        try:
            text = source.read_text(encoding="utf-8")
        except OSError as error:
            raise OverlayError(f"{where} cannot be read: {error}") from error
    try:
        patch = yaml.load(str(text), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise OverlayError(f"{where} is not one YAML document: {error}") from error
    if not isinstance(patch, (dict, list)):
        raise OverlayError(f"{where}: a patch is a mapping (strategic merge) or a list (JSON patch)")
    return patch


def _chosen(objects: list[Manifest], target: Mapping[str, str] | None, patch: Any, where: str) -> Iterator[Manifest]:
    """What a patch is for: all that its target matches (anchored regular expressions), else the object it names."""
    if target is not None:
        _only(target, _TARGET_FIELDS, where)
        return (item for item in objects if _matches(item, target))
    if isinstance(patch, list):
        raise OverlayError(f"{where}: a JSON patch needs a target")
    wanted = _identity(patch)
    return (item for item in objects if _identity(item) == wanted)


def _matches(manifest: Manifest, target: Mapping[str, str]) -> bool:
    group, _, version = manifest["apiVersion"].rpartition("/")
    metadata = manifest["metadata"]
    actual = {"group": group, "version": version, "kind": manifest["kind"], "name": metadata["name"]}
    actual["namespace"] = metadata.get("namespace", "")
    return all(re.fullmatch(pattern, actual[field]) for field, pattern in target.items())


def _identity(manifest: Manifest) -> tuple[str, str, str, str]:
    metadata = manifest.get("metadata", {})
    return (
        manifest.get("apiVersion", ""),
        manifest.get("kind", ""),
        metadata.get("namespace", ""),
        metadata.get("name", ""),
    )


def _label(manifest: Manifest, labels: list[Mapping[str, Any]], path: Path) -> None:
    for entry in labels:
        _only(entry, {"pairs"}, f"{path}: labels")
        manifest["metadata"].setdefault("labels", {}).update(entry["pairs"])


def _place(manifest: Manifest, namespace: str | None) -> None:
    if namespace and manifest["kind"] not in _CLUSTER_SCOPED:
        manifest["metadata"]["namespace"] = namespace


def _name_images(value: Any, entry: Mapping[str, str]) -> None:
    """Give the image called `name` its new name, tag or digest in every list of containers, at any depth."""
    if isinstance(value, list):
        for item in value:
            _name_images(item, entry)
    elif isinstance(value, dict):
        for container in (item for key in _CONTAINERS for item in value.get(key) or ()):
            if container.get("image", "").partition("@")[0].partition(":")[0] == entry["name"]:
                container["image"] = _image(container["image"], entry)
        for item in value.values():
            _name_images(item, entry)


def _image(old: str, entry: Mapping[str, str]) -> str:
    version = old.removeprefix(entry["name"])
    if "newTag" in entry:
        version = f":{entry['newTag']}"
    if "digest" in entry:
        version = f"@{entry['digest']}"
    return entry.get("newName", entry["name"]) + version


def _refuse_doubles(objects: list[Manifest], path: Path) -> None:
    seen = set()
    for manifest in objects:
        identity = _identity(manifest)
        if identity in seen:
            raise OverlayError(f"{path}: {manifest['kind']} {manifest['metadata']['name']} is there twice")
        seen.add(identity)


def _only(mapping: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(mapping) - known)
    if unknown:
        raise OverlayError(f"{where}: {', '.join(unknown)} is not understood here; known: {', '.join(sorted(known))}")
