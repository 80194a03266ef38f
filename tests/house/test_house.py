"""The project keeps its own rules: see `rules.py` for each of them and for its reason."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from entrepot.config import Config, variable
from entrepot.config.tree import leaves
from tests.house import rules
from tests.house.settings_tables import settings_tables

ROOT: Final = Path(__file__).resolve().parents[2]

LONG_MODULES: Final[dict[str, str]] = {}
"""Modules that may have up to 600 lines, each with the reason."""

LONG_FUNCTIONS: Final[dict[str, str]] = {
    "tests/doors/s3/test_documents_list.py::test_list_objects": "one golden document, to be read in one piece",
    "tests/doors/s3/test_documents_list.py::test_list_versions": "one golden document, to be read in one piece",
    "tests/doors/s3/test_documents_list.py::test_list_parts": "one golden document, to be read in one piece",
    "tests/doors/s3/test_documents_list.py::test_list_uploads": "one golden document, to be read in one piece",
}
"""Functions (`path::name`) that may have up to 60 lines, each with the reason."""

SAME_NAMES: Final = {
    "Settings": "what each door and each kind of stores is configured with, always named through its module",
}
"""Names that several classes of the program may have, each with the reason."""

TEXTS: Final = frozenset({".py", ".md", ".toml", ".lock", ".sql", ".lua", ".sh", ".yml", ".cfg", ".txt", ".json", ""})
NOT_OURS: Final = frozenset({"entrepot-data", "dist", "build"})


def is_ours(path: Path) -> bool:
    """Whether a file belongs to the project: nothing hidden (but .ci), generated or stored by a run."""
    parts = path.relative_to(ROOT).parts
    return not any(
        part in NOT_OURS or part == "__pycache__" or part.endswith(".egg-info") or (part[0] == "." and part != ".ci")
        for part in parts
    )


def files(*suffixes: str) -> list[str]:
    found = (path for path in ROOT.rglob("*") if path.suffix in suffixes and path.is_file() and is_ours(path))
    return sorted(str(path.relative_to(ROOT)) for path in found)


def text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


PYTHON: Final = files(".py")


def test_the_rules_look_at_the_project() -> None:
    assert {"entrepot/errors.py", "tests/house/rules.py"} <= set(PYTHON)
    assert {"Makefile", "LICENSE", ".ci/run", "scripts/venv"} <= set(files(""))


@pytest.mark.parametrize("path", PYTHON)
def test_modules_and_functions_are_within_their_budgets(path: str) -> None:
    tree = ast.parse(text(path))
    allowed = frozenset(name.split("::")[1] for name in LONG_FUNCTIONS if name.startswith(f"{path}::"))
    faults = [
        *rules.long_module(text(path), allowed=path in LONG_MODULES),
        *rules.long_functions(tree, allowed),
        *rules.wide_protocols(tree),
        *rules.banned_names(path, tree),
        *rules.silent_exceptions(text(path)),
        *rules.bare_skips(tree),
    ]
    assert faults == []


@pytest.mark.parametrize("path", [path for path in PYTHON if path.startswith("entrepot/doors/")])
def test_no_door_decides_who_may_do_what(path: str) -> None:
    assert list(rules.doors_that_decide(ast.parse(text(path)))) == []


def test_one_name_of_a_class_is_one_class() -> None:
    """A protocol has words of its own, which are named through its package: what is one within it is enough."""
    own = [
        f"{path.rpartition('/')[0]}/"
        for path in files(".py")
        if re.fullmatch(r"entrepot/protocols/\w+/__init__.py", path)
    ]
    program = {path: ast.parse(text(path)) for path in PYTHON if path.startswith("entrepot/")}
    shared = {path: tree for path, tree in program.items() if not path.startswith(tuple(own))}
    for trees in (shared, *({path: program[path] for path in program if path.startswith(name)} for name in own)):
        assert list(rules.repeated_names(trees, SAME_NAMES)) == []
    for name in SAME_NAMES:
        assert list(rules.repeated_names(shared, SAME_NAMES.keys() - {name})), f"{name} needs no reason any more"


def test_allowances_are_needed() -> None:
    assert [fault for path in LONG_MODULES for fault in rules.needless_allowance(text(path))] == []
    for name in LONG_FUNCTIONS:
        path, function = name.split("::")
        over = " ".join(rules.long_functions(ast.parse(text(path))))
        assert re.search(rf"\b{function} \(", over), f"{name} is listed as over budget, but is not"


@pytest.mark.parametrize("path", files(*TEXTS))
def test_files_hold_nothing_of_one_machine_and_nothing_unfinished(path: str) -> None:
    assert [*rules.foreign_addresses(text(path)), *rules.unfinished(text(path))] == []


@pytest.mark.parametrize("path", files(".lock"))
def test_locks_are_exact_and_carry_no_address(path: str) -> None:
    assert "--hash=" in text(path)
    assert list(rules.lock_faults(text(path))) == []


def test_every_locked_runtime_dependency_has_files_for_many_platforms() -> None:
    """A lock made from one machine's wheels would hold one hash where the index has dozens."""
    hashes = {
        name: len(re.findall(r"--hash", rest))
        for name, rest in re.findall(r"(?ms)^(\S+)==(.*?)(?=^\S|\Z)", text("requirements.lock"))
    }
    assert [name for name in ("apsw", "blake3", "httptools", "uvloop") if hashes[name] < 10] == []


def test_every_setting_is_documented_as_it_is() -> None:
    page = text("docs/configuration.md")
    for table in settings_tables():
        assert table in page, f"docs/configuration.md has to have this table:\n\n{table}"


def test_every_setting_is_read_by_the_program() -> None:
    program = "".join(text(path) for path in PYTHON if path.startswith("entrepot/") and "/config/" not in path)
    # The methods of Config and Listener read these for the program.
    tls = {f"{where}tls_{name}" for where in ("", "listen[].") for name in ("certificate", "key")}
    own = {"listen", "stores.*.path", "sealing_key", *tls}
    names = {leaf.name for leaf in leaves(Config)} - own
    unread = [name for name in names if not re.search(rf"\.{name.rpartition('.')[2]}\b", program)]
    assert unread == []


def test_the_readme_names_variables_that_exist() -> None:
    injected = {"ENTREPOT_PORT", "ENTREPOT_SERVICE_HOST"}  # which are told of because they are none of ours
    known = {variable(leaf.name) for leaf in leaves(Config)} | {"ENTREPOT_CONFIG", *injected}
    pages = "".join(text(path) for path in files(".md"))
    named = {name for name in re.findall(r"\bENTREPOT_[A-Z0-9_]*[A-Z0-9]\b", pages) if "STORES__" not in name}
    assert named - known == set()
