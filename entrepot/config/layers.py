"""Where settings come from: defaults, then ``entrepot.toml``, then ``ENTREPOT_*``, then flags."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.config.settings import Config
from entrepot.config.tree import Given, Leaf, Tree, build, explain, given, leaves, plain, unknown
from entrepot.errors import ConfigInvalid

FILE: Final = Path("entrepot.toml")
PREFIX: Final = "ENTREPOT_"
FILE_VARIABLE: Final = "ENTREPOT_CONFIG"
"""The one variable that is no setting: it names the file of settings."""

_SERVICE: Final = r"ENTREPOT(_[A-Z0-9]+)*"
_URL: Final = re.compile(r"(tcp|udp|sctp)://")
INJECTED: Final = tuple(
    (re.compile(_SERVICE + name), looks)
    for name, looks in (
        (r"_SERVICE_HOST", re.compile(r"[0-9A-Fa-f.:]+$")),
        (r"_SERVICE_PORT(_[A-Z0-9_]+)?", re.compile(r"\d+$")),
        (r"_PORT", _URL),
        (r"_PORT_\d+_(TCP|UDP|SCTP)", _URL),
        (r"_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)", re.compile(r"")),
        (r"_NAME", re.compile(r"/[^/]+/")),
        (r"_ENV_\w+", re.compile(r"")),
    )
)
"""Names of variables that the surroundings inject, and how their values begin."""

SECRET_WORDS: Final = re.compile(r"secret|password|token|(^|_)key$")
MASK: Final = "********"


@dataclass(frozen=True, slots=True)
class Sourced:
    """One setting as it stands, and where that was said. A secret's ``value`` is masked."""

    name: str
    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and each of them with its source in the order of the documentation."""

    config: Config
    settings: tuple[Sourced, ...]
    passed_by: tuple[str, ...] = ()
    """Variables that begin like ours and that the surroundings set for their own ends."""


def load(flags: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None) -> Loaded:
    """Read every layer; a later one wins: defaults, the file, the environment, the flags.

    ``flags`` has dotted names of settings; None means that a flag was not given. ``file`` (else
    ``ENTREPOT_CONFIG``) has to exist; without either, ``entrepot.toml`` in the working directory
    is read if it is there. An empty variable counts as not set.

    Raises ConfigInvalid.
    """
    # The usual store is there whatever else is named beside it.
    tree: Tree = {"stores": {"main": {}}, "doors": {}}
    _merge(tree, _from_file(file, environment))
    _merge(tree, _from_environment(environment))
    for name, value in flags.items():
        if value is not None:
            flag = "--" + name.replace("_", "-").replace(".", "-")
            _plant(tree, tuple(name.split(".")), Given(value, flag))
    _read_enabled(tree)
    config = build(Config, tree)
    rows = explain(Config, config, tree)
    shown = tuple(Sourced(leaf.name, _shown(leaf, value), source) for leaf, value, source in rows)
    return Loaded(config, shown, tuple(sorted(name for name in environment if is_injected(name, environment[name]))))


def variable(name: str) -> str:
    """The variable that sets the setting with this dotted name.

    >>> variable("stores.main.path")
    'ENTREPOT_STORES__MAIN__PATH'
    """
    return PREFIX + name.replace(".", "__").upper()


def _from_file(file: Path | None, environment: Mapping[str, str]) -> Tree:
    named = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    path = named or FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if named is None:
            return {}
        raise ConfigInvalid(str(path), None, "there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigInvalid(str(path), None, f"cannot be read: {why}") from error
    try:
        return given(tomllib.loads(text), str(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(str(path), None, f"is not TOML: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> Tree:
    tree: Tree = {}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name == FILE_VARIABLE or is_injected(name, environment[name]):
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if not _is_known(path):
            known = [variable(leaf.name.replace("*", "main")) for leaf in leaves(Config) if "[]" not in leaf.name]
            raise unknown(name, [*known, FILE_VARIABLE], "")
        if environment[name]:
            _plant(tree, path, Given(environment[name], name))
    return tree


def is_injected(name: str, value: str) -> bool:
    """Whether a variable is one that Kubernetes sets in every container beside a service whose name begins with ours
    (its guide to services, "environment variables"), or Docker with a link to such a container ("Legacy container
    links"). Never one that a setting has, nor one of which the value does not look like theirs.
    """
    return any(pattern.fullmatch(name) and looks.match(value) for pattern, looks in INJECTED)


def _is_known(path: tuple[str, ...]) -> bool:
    """Whether a setting of that name can exist; below a door only the door can tell."""
    if path[0] == "doors":
        return len(path) > 2 and all(path)
    known = {tuple(leaf.name.split(".")) for leaf in leaves(Config)}
    return path in known or (len(path) > 1 and (path[0], "*", *path[2:]) in known)


def _plant(tree: Tree, path: tuple[str, ...], item: Given) -> None:
    for name in path[:-1]:
        below = tree.setdefault(name, {})
        if isinstance(below, Given):
            raise ConfigInvalid(name, below.value, f"is a table: {below.source} sets it to one value")
        tree = below
    tree[path[-1]] = item


def _merge(into: Tree, over: Tree) -> None:
    for name, item in over.items():
        below = into.get(name)
        if isinstance(below, dict) and isinstance(item, dict):
            _merge(below, item)
        else:
            into[name] = item


def _read_enabled(tree: Tree) -> None:
    """The one word that every door's table may have, as what it means."""
    doors = tree["doors"]
    for name, door in ({} if isinstance(doors, Given) else doors).items():
        if isinstance(door, Given) or "enabled" not in door:
            continue
        enabled = door["enabled"]
        if not isinstance(enabled, Given) or enabled.value not in (True, False, "true", "false"):
            value = enabled.value if isinstance(enabled, Given) else plain(enabled)
            raise ConfigInvalid(f"doors.{name}.enabled", value, "is true or false")
        door["enabled"] = Given(enabled.value in (True, "true"), enabled.source)


def _shown(leaf: Leaf, value: object) -> object:
    if leaf.name == "catalog":
        return re.sub(
            r"(?<=//)([^:@/]*):[^@]*@|(?<=password=)[^&]*", lambda m: f"{m[1]}:{MASK}@" if m[1] else MASK, str(value)
        )
    hidden = leaf.secret or (leaf.name.startswith("doors.") and SECRET_WORDS.search(leaf.name))
    return MASK if hidden and value else value
