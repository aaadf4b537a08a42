"""What the tree promises about itself: who imports whom and what, and that nothing is left undeclared."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from functions.shared.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("functions", "events")
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py"))
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
NAMES = {setting.name for setting in SETTINGS}

# A requirement of a requirement is none of ours, but for what these hand out as a part of their own interface: the
# framework its requests and servers, aiohttp the URLs it takes, and the extra `crypto` of PyJWT the keys.
HANDED_OUT = {
    "functions-framework": {"flask", "werkzeug", "cloudevents", "starlette", "uvicorn"},
    "aiohttp": {"yarl"},
    "pyjwt": {"cryptography"},
    "opentelemetry-sdk": {"opentelemetry-api"},
}

every_function = pytest.mark.parametrize("function", FUNCTIONS)
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())


@every_function
def test_no_function_imports_another(function: str) -> None:
    others = tuple(f"functions.{other}" for other in FUNCTIONS if other != function)
    found = {name for path in own(function) for name in imported(path) if is_within(name, others)}
    assert found == set()


def test_what_functions_share_imports_no_function() -> None:
    every = tuple(f"functions.{function}" for function in FUNCTIONS)
    shared = [path for path in MODULES if path.is_relative_to(ROOT / "functions" / "shared")]
    assert {name for path in shared for name in imported(path) if is_within(name, every)} == set()


def test_the_events_import_no_function() -> None:
    events = [path for path in MODULES if path.is_relative_to(ROOT / "events")]
    assert {name for path in events for name in imported(path) if is_within(name, ("functions", "knative"))} == set()


@every_function
def test_a_function_imports_only_what_its_extra_installs(function: str) -> None:
    starts = [*own(function), file_of("functions.shared.server")]
    assert third_parties(starts) <= installed_by(function) | installed_by("telemetry")


def test_the_migrations_import_only_what_their_extra_installs() -> None:
    starts = [file_of("functions.shared.migrate"), *(ROOT / "functions/shared/migrations").rglob("*.py")]
    assert third_parties(starts) <= installed_by("migrate")


@every_function
def test_an_extra_names_nothing_that_its_function_does_not_use(function: str) -> None:
    """What is never imported is there for somebody who imports it by name: drivers, servers, and the framework."""
    by_name = {
        "pymysql",
        "httptools",
        "uvloop",
        "uvicorn",
        "functions-framework",
        "cloudevents",
        "starlette",
    }
    used = third_parties([*own(function), file_of("functions.shared.server")])
    assert {canonicalize_name(Requirement(line).name) for line in EXTRAS[function]} <= used | by_name


def test_each_function_has_a_service_and_each_service_a_function() -> None:
    services = {document["metadata"]["name"] for document in manifests() if document["kind"] == "Service"}
    assert services == set(FUNCTIONS)
    assert {path.stem for path in (ROOT / "knative/base/services").iterdir()} == set(FUNCTIONS)
    assert set(FUNCTIONS) == {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()} - {
        "shared",
        "__pycache__",
    }


@every_function
def test_a_service_runs_its_function(function: str) -> None:
    container = service(function)["spec"]["template"]["spec"]["containers"][0]
    assert [*container["command"], *container["args"]] == ["python", "-m", "functions.shared.server", function]


@every_module
def test_a_module_is_short_enough_to_be_read(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) < 300


@every_module
def test_what_a_module_offers_is_there_and_nothing_is_left_out(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    listed = offered(tree)
    if listed is None:
        return
    made = importlib.import_module(name_of(module))
    assert [name for name in listed if not hasattr(made, name)] == []
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = {node.name for node in tree.body if isinstance(node, definitions) and not node.name.startswith("_")}
    assert public <= set(listed)
    assert len(set(listed)) == len(listed)


@every_module
def test_a_module_that_others_import_from_says_what_it_offers(module: Path) -> None:
    taken = [name.rpartition(".") for path in MODULES for name in imported(path, members=True)]
    wanted = {name for source, _, name in taken if source == name_of(module)}
    modules = {path.stem for path in module.parent.iterdir()} if module.name == "__init__.py" else set()
    assert wanted - modules <= set(offered(ast.parse(module.read_text(encoding="utf-8"))) or [])


@every_module
def test_what_others_call_says_what_it_does(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    listed = offered(tree) or []
    named = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    assert [node.name for node in named if node.name in listed and not ast.get_docstring(node)] == []
    assert ast.get_docstring(tree) or not tree.body


def test_every_setting_that_is_read_is_in_the_table_and_every_one_in_the_table_is_read() -> None:
    read = {name for path in MODULES for name in settings_read(path)}
    by_gateway = {f"{function.upper()}_URL" for function in FUNCTIONS if f"{function.upper()}_URL" in NAMES}
    assert read | by_gateway == NAMES


def test_nothing_but_the_settings_reads_the_environment() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    assert readers <= {"functions/shared/settings.py"}


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert [setting.name for setting in SETTINGS if f"`{setting.name}`" not in text] == []


def test_every_variable_in_the_manifests_is_a_setting() -> None:
    found = {variable["name"] for document in manifests() for variable in variables(document)}
    found |= {name for document in manifests() if document["kind"] == "ConfigMap" for name in document["data"]}
    # What is for the C library, and not for the functions (mallopt(3)).
    others = {name for name in found if name.startswith("MALLOC_")}
    assert found - others
    assert found - others <= NAMES


def test_the_gateway_knows_where_every_function_it_forwards_to_is() -> None:
    from functions.gateway import contract

    set_ = {variable["name"] for variable in variables(service("gateway"))}
    assert {f"{each.function.upper()}_URL" for each in contract.operations()} <= set_ & NAMES


def own(function: str) -> list[Path]:
    return sorted((ROOT / "functions" / function).rglob("*.py"))


def third_parties(starts: list[Path]) -> set[str]:
    """The distributions that these modules, and those of ours that they reach, import: late imports too."""
    seen: set[Path] = set()
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imported(path, members=True):
            if name.partition(".")[0] in PACKAGES:
                waiting += [ours for ours in candidates(name) if ours not in seen]
            elif name.partition(".")[0] not in sys.stdlib_module_names:
                found.add(distribution(name))
    return found


def installed_by(extra: str) -> set[str]:
    named = {canonicalize_name(Requirement(line).name) for line in EXTRAS[extra]}
    return named.union(*(HANDED_OUT.get(name, set()) for name in named))


def distribution(module: str) -> str:
    """The distribution that brings a module."""
    top = module.partition(".")[0]
    found = {canonicalize_name(name) for name in distributions().get(top, [])}
    # gridfs and bson are pymongo's; a name that several distributions share goes to the one of that name.
    return top if top in found else min(found, default=top)


@functools.cache
def distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in packages_distributions().items()}


def candidates(name: str) -> Iterator[Path]:
    """The files of ours that an import of `name` runs: the module or package, and the packages around it."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:length])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                yield path


@functools.cache
def imported(path: Path, *, members: bool = False) -> frozenset[str]:
    """The modules that a file imports, anywhere in it; with `members`, what it takes out of them too. No type hints."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if members else {str(node.module)}
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module in PACKAGES}
    return frozenset(found)


def settings_read(path: Path) -> Iterator[str]:
    """The names in settings.text("X"), .number("X"), .mapping("X"), .networks("X") and .required("X")."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and re.fullmatch(
            r"settings\.(text|number|mapping|networks|required)", ast.unparse(node.func)
        ):
            yield from (
                arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


def offered(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def file_of(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def manifests() -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / "knative/base").rglob("*.yaml")):
        yield from (
            document for document in yaml.safe_load_all(path.read_text()) if document and "metadata" in document
        )


def service(function: str) -> dict[str, Any]:
    return next(
        document
        for document in manifests()
        if (document["kind"], document["metadata"]["name"]) == ("Service", function)
    )


def variables(value: Any) -> Iterator[dict[str, Any]]:
    """Every entry of every `env` list below."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from inner if name == "env" else variables(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from variables(inner)
