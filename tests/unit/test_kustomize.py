"""Rendering overlays: what is understood does what kustomize does, and all else is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from knative.local.errors import OverlayError
from knative.local.kustomize import render

SERVICE: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "one", "labels": {"a": "1"}},
    "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "x"}]}}},
}
JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "one"},
    "spec": {
        "template": {"spec": {"containers": [{"name": "main", "image": "x", "env": [{"name": "A", "value": "1"}]}]}}
    },
}


def overlay(directory: Path, *objects: dict[str, Any], **fields: Any) -> Path:
    """Write an overlay of these objects, with these fields in its kustomization."""
    directory.mkdir(exist_ok=True)
    (directory / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["objects.yaml"], **fields}))
    return directory


def patched(directory: Path, manifest: dict[str, Any], patch: Any, **entry: Any) -> dict[str, Any]:
    """The object after one inline patch."""
    text = patch if isinstance(patch, str) else yaml.safe_dump(patch)
    (rendered,) = render(overlay(directory, manifest, patches=[{"patch": text, **entry}]))
    return rendered


def named(manifest: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A merge patch for the object."""
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": {"name": "one"}, **changes}


def test_namespace_and_labels_are_set_on_every_object(tmp_path: Path) -> None:
    for manifest in render(overlay(tmp_path, SERVICE, JOB, namespace="ns", labels=[{"pairs": {"b": "2"}}])):
        assert manifest["metadata"]["namespace"] == "ns"
        assert manifest["metadata"]["labels"]["b"] == "2"


def test_an_overlay_of_an_overlay(tmp_path: Path) -> None:
    base = overlay(tmp_path / "base", SERVICE, namespace="ns")
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base.name}]\n")
    assert [manifest["metadata"]["name"] for manifest in render(tmp_path)] == ["one"]


def test_a_merge_patch_merges_maps_and_null_deletes(tmp_path: Path) -> None:
    patch = named(SERVICE, metadata={"name": "one", "labels": {"a": None, "c": "3"}})
    assert patched(tmp_path, SERVICE, patch)["metadata"]["labels"] == {"c": "3"}


def test_a_merge_patch_replaces_the_lists_of_a_custom_resource(tmp_path: Path) -> None:
    patch = named(SERVICE, spec={"template": {"spec": {"containers": [{"name": "main", "env": []}]}}})
    assert patched(tmp_path, SERVICE, patch)["spec"]["template"]["spec"]["containers"] == [{"name": "main", "env": []}]


def test_a_merge_patch_merges_the_lists_of_a_built_in_kind_by_their_key(tmp_path: Path) -> None:
    env = [{"name": "B", "value": "2"}]
    patch = named(JOB, spec={"template": {"spec": {"containers": [{"name": "main", "env": env}]}}})
    (container,) = patched(tmp_path, JOB, patch)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "x"
    assert [each["name"] for each in container["env"]] == ["A", "B"]


@pytest.mark.parametrize(
    ("entry", "image"),
    [
        ({"name": "x", "newTag": "1.0"}, "x:1.0"),
        ({"name": "x", "newName": "host:5000/y"}, "host:5000/y"),
        ({"name": "x", "newName": "host/y", "digest": "sha256:00"}, "host/y@sha256:00"),
        ({"name": "y", "newTag": "1.0"}, "x"),
    ],
)
def test_images_get_their_names_tags_and_digests(tmp_path: Path, entry: dict[str, str], image: str) -> None:
    for manifest in render(overlay(tmp_path, SERVICE, JOB, images=[entry])):
        assert manifest["spec"]["template"]["spec"]["containers"][0]["image"] == image


def test_a_patch_with_a_target_is_for_all_that_match(tmp_path: Path) -> None:
    two = {**SERVICE, "metadata": {"name": "two"}}
    entry = {"target": {"kind": "Service", "name": "one|two"}, "patch": yaml.safe_dump(named(SERVICE, spec={"x": 1}))}
    rendered = render(overlay(tmp_path, SERVICE, two, JOB, patches=[entry]))
    assert [(each["metadata"]["name"], each["spec"].get("x")) for each in rendered] == [
        ("one", 1),
        ("two", 1),
        ("one", None),
    ]


@pytest.mark.parametrize(
    ("operation", "labels"),
    [
        ({"op": "add", "path": "/metadata/labels/x~1y~0z", "value": "v"}, {"a": "1", "x/y~z": "v"}),
        ({"op": "replace", "path": "/metadata/labels/a", "value": "2"}, {"a": "2"}),
        ({"op": "remove", "path": "/metadata/labels/a"}, {}),
        ({"op": "test", "path": "/metadata/labels/a", "value": "1"}, {"a": "1"}),
        ({"op": "move", "from": "/metadata/labels/a", "path": "/metadata/labels/b"}, {"b": "1"}),
    ],
)
def test_json_patches(tmp_path: Path, operation: dict[str, str], labels: dict[str, str]) -> None:
    rendered = patched(tmp_path, SERVICE, [operation], target={"kind": "Service"})
    assert rendered["metadata"]["labels"] == labels


def test_a_json_patch_adds_to_a_list(tmp_path: Path) -> None:
    operation = {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "second"}}
    rendered = patched(tmp_path, SERVICE, [operation], target={"name": "one"})
    assert [each["name"] for each in rendered["spec"]["template"]["spec"]["containers"]] == ["main", "second"]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/metadata/labels/missing", "value": "2"},
        {"op": "remove", "path": "/spec/template/spec/containers/7"},
        {"op": "test", "path": "/metadata/labels/a", "value": "2"},
        {"op": "move", "from": "/metadata/labels/missing", "path": "/metadata/labels/b"},
        {"op": "replace", "path": "/spec/template/spec/containers/-1", "value": {}},
        {"op": "remove", "path": "/spec/template/spec/containers/-"},
        {"op": "add", "path": "/spec/template/spec/containers/9", "value": {}},
        {"op": "replace", "path": "", "value": {}},
        {"op": "rename", "path": "/metadata/labels/a"},
        {"op": "add", "path": "metadata", "value": 1},
        {"op": "add"},
        "add",
    ],
)
def test_a_json_patch_that_cannot_be_applied(tmp_path: Path, operation: Any) -> None:
    with pytest.raises(OverlayError, match="cannot be applied"):
        patched(tmp_path, SERVICE, [operation], target={"kind": "Service"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"namePrefix": "x-"}, "namePrefix is not understood here"),
        ({"labels": [{"pairs": {}, "includeSelectors": True}]}, "includeSelectors is not understood here"),
        ({"patches": [{"patch": "a: 1", "options": {}}]}, "options is not understood here"),
        ({"patches": [{"patch": "a: 1", "target": {"labelSelector": "a=1"}}]}, "labelSelector is not understood here"),
        ({"patches": [{"patch": "a: 1", "target": {"kind": "Nothing"}}]}, "nothing matches"),
        ({"patches": [{"patch": "[]"}]}, "needs a target"),
        ({"patches": [{"patch": "just text", "target": {"kind": "Service"}}]}, "a patch is a mapping"),
        ({"patches": [{"patch": "{", "target": {"kind": "Service"}}]}, "is not one YAML document"),
        ({"patches": [{"path": "missing.yaml", "target": {"kind": "Service"}}]}, "cannot be read"),
        ({"patches": [{"patch": "$patch: delete", "target": {"kind": "Service"}}]}, "is not understood here"),
        ({"resources": ["missing.yaml"]}, "does not exist"),
        ({"resources": ["objects.yaml", "objects.yaml"]}, "is there twice"),
    ],
)
def test_what_is_not_understood_is_an_error(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(OverlayError, match=message):
        render(overlay(tmp_path, SERVICE, **fields))


@pytest.mark.parametrize("text", ["", "a: [", "- 1\n", "a: 1\n---\nb: 2\n", "\x00", "kind: {}\nresources: 3\n"])
def test_a_kustomization_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(text)
    with pytest.raises(OverlayError):
        render(tmp_path)


def test_an_object_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(OverlayError, match="each document needs"):
        render(overlay(tmp_path, {"apiVersion": "v1", "kind": "ConfigMap"}))
