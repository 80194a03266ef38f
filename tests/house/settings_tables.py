"""The tables of docs/configuration.md, made from the settings themselves.

Print them with `python -m tests.house.settings_tables`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from entrepot.blobs.kinds import StoreSettings
from entrepot.config import Config, Listener
from entrepot.config.tree import MULTIPLES, Leaf, leaves


def settings_tables() -> list[str]:
    """One Markdown table for the settings at the top, then one for each table of the file."""
    groups = itertools.groupby(leaves(Config), key=lambda leaf: leaf.name.rpartition(".")[0])
    merged: dict[str, list[Leaf]] = {}
    for group, members in groups:
        merged.setdefault(group, []).extend(members)
    return ["\n".join(_rows(members)) for members in merged.values()]


def _rows(members: list[Leaf]) -> Iterator[str]:
    yield "| setting | default | what it is |"
    yield "|---|---|---|"
    for leaf in members:
        yield f"| `{leaf.name.rpartition('.')[2]}` | {_default(leaf)} | {leaf.description}{_unit(leaf)} |"


def _unit(leaf: Leaf) -> str:
    return f" ({leaf.unit})" if leaf.unit else ""


def _default(leaf: Leaf) -> str:
    if leaf.default is not None:
        return leaf.default
    path = leaf.name.split(".")
    value: object = Config()
    if path[0] == "stores":
        value, path = StoreSettings(), path[2:]
    elif path[0] == "listen[]":
        value, path = Listener(address="127.0.0.1:9000"), path[1:]
    for name in path:
        value = getattr(value, name)
    if value in (None, "", ()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if leaf.unit == "bytes" and isinstance(value, int):
        return f"`{_bytes(value)}`"
    return f"`{value}`"


def _bytes(value: int) -> str:
    name, multiple = max(
        ((name, multiple) for name, multiple in MULTIPLES.items() if value % multiple == 0), key=lambda pair: pair[1]
    )
    return f"{value // multiple} {name}".strip()


if __name__ == "__main__":
    for table in settings_tables():
        print(table, end="\n\n")  # noqa: T201 - the point of running it
