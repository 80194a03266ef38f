"""From nested mappings to frozen classes of settings: the grammar of configuration.

A class of settings is a frozen dataclass (or msgspec struct) of annotated fields::

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        burst: Annotated[int, Meta(ge=1, description="requests at once")] = 8

A field is a leaf, a table (its type is such a class), a set of named tables (``Mapping[str, Table]``),
a set of free ones (``Mapping[str, Mapping[str, object]]``, for somebody else to parse), or a list of
tables (``tuple[Table, ...]``), of which one may be written as a text: its first field.

Leaves may come as text, as variables of the environment do: ``"8"`` is 8 where an int is due,
``"a, b"`` is ``("a", "b")`` where a tuple is, and ``"4 MiB"`` is 4194304 where ``Meta(extra=BYTES)``
says that the number counts bytes. ``Meta(extra={"form": ...})`` is the reader's text for a pattern.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from entrepot.errors import ConfigInvalid

BYTES: Final = {"unit": "bytes"}
SECONDS: Final = {"unit": "seconds"}
SECRET: Final = {"secret": True}

MULTIPLES: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
FORMS: Final = {
    "bytes": f"a whole number of bytes, or one with {', '.join(filter(None, MULTIPLES))} behind it",
    "seconds": "a whole number of seconds",
}
"""What is expected where a text could not be read as a number."""

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")

KIND: Final = "kind"
"""The word in a table that chooses its class of settings, where there are several."""

S = TypeVar("S")


class Free:
    """Stands for the settings of a table that is parsed by its owner."""


class Given(NamedTuple):
    """A value and the place it came from: a file, a variable, a flag."""

    value: object
    source: str


Tree = dict[str, "Given | Tree"]
"""Settings as they were given, by name, tables nested."""


class Leaf(NamedTuple):
    """One documented setting. ``default`` is the words for it, or None where the value itself is meant."""

    name: str
    description: str
    unit: str
    secret: bool
    default: str | None


def parse_settings(cls: type[S], values: Mapping[str, object], where: str) -> S:
    """Make a ``cls`` from plain values; ``where`` is the dotted name of the table they stand in.

    Raises ConfigInvalid for an unknown name (with the nearest known one), a value of the wrong kind
    or out of bounds, and a missing one that has no default.
    """
    return build(cls, given(values, ""), where)


def given(values: Mapping[str, object], source: str) -> Tree:
    """The same values, each knowing that it came from ``source``."""
    return {
        str(name): given(value, source) if isinstance(value, Mapping) else Given(value, source)
        for name, value in values.items()
    }


def plain(tree: Tree) -> dict[str, object]:
    """The values alone."""
    return {name: item.value if isinstance(item, Given) else plain(item) for name, item in tree.items()}


def build(cls: type[S], tree: Tree, where: str = "") -> S:
    """Make a ``cls`` from what was given, as :func:`parse_settings` does."""
    hints = get_type_hints(cls, include_extras=True)
    values: dict[str, Any] = {}
    for name, item in tree.items():
        if name not in hints:
            raise unknown(name, hints, where, _source(item))
        values[name] = _field(hints[name], item, _join(where, name))
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.default is parameter.empty and name not in values:
            raise ConfigInvalid(_join(where, name), None, "has to be set")
    return cls(**values)


def unknown(name: str, known: Iterable[str], where: str, source: str = "") -> ConfigInvalid:
    """The error for a name that is none of ``known``."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    hint = f"there is no such setting{source and f', in {source}'}"
    if near:
        hint += f"; the nearest is {_join(where, near[0])}"
    return ConfigInvalid(_join(where, name), None, hint)


def leaves(cls: type[object], where: str = "") -> Iterator[Leaf]:
    """Every setting that ``cls`` knows itself, in order of definition; ``*`` is a name of the user's."""
    if (variants := _variants(cls)) is not None:
        found = [leaf for variant in variants.values() for leaf in leaves(variant, where)]
        words = [leaf.description for leaf in found if leaf.name == _join(where, KIND)]
        yield Leaf(_join(where, KIND), "; ".join(words), "", secret=False, default=None)
        yield from (leaf for leaf in found if leaf.name != _join(where, KIND))
        return
    for name, hint in get_type_hints(cls, include_extras=True).items():
        path = _join(where, name)
        kind, listed = _table(hint), _listed(hint)
        if kind is None and not _is_free(hint):
            yield _leaf(path, hint)
            yield from leaves(listed, f"{path}[]") if listed else ()
        elif kind is not None:
            yield from leaves(kind, f"{path}.*" if _is_mapping(hint) else path)


def explain(cls: type[object], value: object, tree: Tree, where: str = "") -> Iterator[tuple[Leaf, object, str]]:
    """Every setting of a built ``value``, with what it is and where it was given ("default" if nowhere)."""
    for name, hint in get_type_hints(cls, include_extras=True).items():
        yield from _explain(hint, getattr(value, name), tree.get(name), _join(where, name))


def _explain(hint: object, value: object, item: Given | Tree | None, path: str) -> Iterator[tuple[Leaf, object, str]]:
    table, below = _table(hint), item if isinstance(item, dict) else {}
    if isinstance(value, Mapping) and (table is not None or _is_free(hint)):
        for name, inner in value.items():
            yield from _explain(table or Free, inner, below.get(name), _join(path, name))
    elif table is not None:
        yield from explain(type(value), value, below, path)
    elif hint is Free and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _explain(Free, inner, below.get(name), _join(path, name))
    else:
        yield _leaf(path, hint), value, item.source if isinstance(item, Given) else "default"


def _field(hint: object, item: Given | Tree, where: str) -> object:
    table, listed = _table(hint), _listed(hint)
    if isinstance(item, Given):
        if listed is not None:
            return _list(listed, item, where)
        if table is not None or _is_mapping(hint):
            raise ConfigInvalid(where, item.value, f"is a table, written [{where}]")
        return _convert(hint, item, where)
    if _is_free(hint):
        return {name: _named(Free, name, value, where) for name, value in item.items()}
    if _is_mapping(hint) and table is not None:
        return {name: _named(table, name, value, where) for name, value in item.items()}
    if table is not None:
        return build(table, item, where)
    if _is_mapping(hint):
        return _convert(hint, Given(plain(item), _source(item)), where)
    if listed is not None:
        raise ConfigInvalid(where, None, f"is a text, or tables written [[{where}]], with two brackets")
    raise ConfigInvalid(where, plain(item), "is one value, not a table")


def _list(table: type[object], item: Given, where: str) -> object:
    """Tables of a list, each given as a table, or as the text that its first field is."""
    value = item.value
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",") if word.strip()]
    if not isinstance(value, list) or not all(isinstance(each, str | Mapping) for each in value):
        raise ConfigInvalid(where, item.value, f"is a text, or tables written [[{where}]]")
    first = next(iter(get_type_hints(table)))
    trees = [given({first: each} if isinstance(each, str) else each, item.source) for each in value]
    return tuple(build(table, tree, f"{where}[{number}]") for number, tree in enumerate(trees))


def _named(table: type[object], name: str, item: Given | Tree, where: str) -> object:
    path = _join(where, name)
    if not NAME.fullmatch(name):
        raise ConfigInvalid(path, name, "a name is made of a-z, 0-9, - and _, and 63 of them at most")
    if isinstance(item, Given):
        raise ConfigInvalid(path, item.value, f"is a table, written [{path}]")
    return plain(item) if table is Free else build(_variant(table, item, path), item, path)


def _variant(table: type[object], item: Tree, where: str) -> type[object]:
    """The class of settings behind a table: its ``kind`` chooses where there are several."""
    variants = _variants(table)
    if variants is None:
        return table
    word = item.get(KIND, Given(getattr(table(), KIND), ""))
    if not isinstance(word, Given) or word.value not in variants:
        value, source = (word.value, word.source) if isinstance(word, Given) else (plain(word), "")
        told = source and f", from {source}"
        raise ConfigInvalid(_join(where, KIND), value, f"expected one of {', '.join(variants)}; it is {value!r}{told}")
    return variants[str(word.value)]


def _variants(table: type[object]) -> Mapping[str, type[object]] | None:
    """The classes by ``kind`` of a class that stands for several: the method ``variants`` of its own gives them."""
    found = vars(table).get("variants")
    return None if found is None else table.variants()  # type: ignore[attr-defined]  # it was found there


def _convert(hint: object, item: Given, where: str) -> object:
    bare, extra = _unwrap(hint)
    value = item.value
    if isinstance(value, str):
        if get_origin(bare) is tuple:
            value = [word.strip() for word in value.split(",") if word.strip()]
        elif extra.get("unit") == "bytes":
            value = _bytes(value)
    try:
        return msgspec.convert(value, hint, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        form = extra.get("form") or _choices(bare) or (isinstance(value, str) and FORMS.get(extra.get("unit", "")))
        text = f"expected {form}" if form else _sentence(error)
        told = item.source and f"from {item.source}"
        if extra.get("secret"):
            raise ConfigInvalid(where, None, text + (told and f" ({told})")) from None
        raise ConfigInvalid(where, item.value, f"{text}; it is {item.value!r}{told and f', {told}'}") from None


def _choices(bare: object) -> str:
    return f"one of {', '.join(map(str, get_args(bare)))}" if get_origin(bare) is Literal else ""


def _source(item: Given | Tree) -> str:
    while not isinstance(item, Given):
        if not item:
            return ""
        item = next(iter(item.values()))
    return item.source


def _bytes(text: str) -> object:
    match = re.fullmatch(r"(\d{1,18})\s*([A-Za-z]*)", text.strip())
    if match is None or match[2] not in MULTIPLES:
        return text
    return int(match[1]) * MULTIPLES[match[2]]


def _sentence(error: msgspec.ValidationError) -> str:
    # The value is told anyway, and what comes from the environment is always a text.
    text = str(error).split(" - at ")[0].removesuffix(", got `str`").replace("`", "")
    text = text.replace("Expected int", "Expected a whole number").replace("Expected float", "Expected a number")
    return text[:1].lower() + text[1:]


def _decode(kind: type[object], value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"Expected {kind.__name__.lower()}, got {type(value).__name__}")


def _unwrap(hint: object) -> tuple[object, dict[str, Any]]:
    """A hint without ``Annotated`` and ``| None``, and what ``Meta(extra=...)`` says of it."""
    extra: dict[str, Any] = {}
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, Meta):
                extra = dict(note.extra or {}) | {"description": note.description or ""}
    if get_origin(hint) in (Union, UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        hint = options[0] if len(options) == 1 else hint
    return hint, extra


def _is_mapping(hint: object) -> bool:
    return get_origin(_unwrap(hint)[0]) in (Mapping, dict)


def _is_free(hint: object) -> bool:
    bare = _unwrap(hint)[0]
    return _is_mapping(bare) and _is_mapping(get_args(bare)[1])


def _table(hint: object) -> type[object] | None:
    """The class of settings behind a field that is a table or holds named tables."""
    bare = _unwrap(hint)[0]
    if get_origin(bare) in (Mapping, dict):
        bare = get_args(bare)[1]
    is_class = isinstance(bare, type) and (dataclasses.is_dataclass(bare) or issubclass(bare, msgspec.Struct))
    return bare if is_class else None  # type: ignore[return-value]  # is_class has made sure of it


def _listed(hint: object) -> type[object] | None:
    """The class of settings behind a field that is a list of tables."""
    bare = _unwrap(hint)[0]
    return _table(get_args(bare)[0]) if get_origin(bare) is tuple else None


def _leaf(path: str, hint: object) -> Leaf:
    _, extra = _unwrap(hint)
    return Leaf(
        path, extra.get("description", ""), extra.get("unit", ""), bool(extra.get("secret")), extra.get("default")
    )


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
