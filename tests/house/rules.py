"""The house rules that no linter knows, as functions from a file's text to what is wrong with it.

Each rule yields sentences; an empty answer is a pass. `test_rules.py` plants a violation of each,
`test_house.py` holds the project to them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator, Mapping
from typing import Final

MODULE_LINES: Final = 400
MODULE_LINES_HARD: Final = 600
FUNCTION_LINES: Final = 40
FUNCTION_LINES_HARD: Final = 60
PROTOCOL_METHODS: Final = 6

BANNED_WORDS: Final = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "base", "impl", "misc"})

# Written in pieces, here and below, or this file would break its own rules.
REGISTRIES: Final = tuple(
    name + "." + domain
    for name, domain in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("crates", "io"),
        ("npmjs", "org"),
        ("proxy.golang", "org"),
        ("repo.maven.apache", "org"),
        ("deb.debian", "org"),
    )
)
MACHINE_PATHS: Final = re.compile(r"(?<![\w.~-])/(?:root|work|opt/wheels|home/\w+|tmp/\w+)/")
UNFINISHED: Final = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")
NOQA: Final = re.compile(r"#\s*noqa\b(?P<codes>:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?(?P<reason>.*)")
IGNORE: Final = re.compile(r"#\s*type:\s*ignore(?P<codes>\[[a-z-]+(?:,\s*[a-z-]+)*\])?")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def long_module(text: str, *, allowed: bool) -> Iterator[str]:
    """400 lines are a module's budget; a listed reason allows 600."""
    lines = text.count("\n")
    limit = MODULE_LINES_HARD if allowed else MODULE_LINES
    if lines > limit:
        yield f"{lines} lines, over {limit}: make it a folder of the same name"


def needless_allowance(text: str) -> Iterator[str]:
    """An exception that is not needed any more goes."""
    if text.count("\n") <= MODULE_LINES:
        yield "listed as over budget, but is not"


def long_functions(tree: ast.Module, allowed: frozenset[str] = frozenset()) -> Iterator[str]:
    """40 lines are a function's budget, its docstring not counted; a listed reason allows 60."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            limit = FUNCTION_LINES_HARD if node.name in allowed else FUNCTION_LINES
            lines = _code_lines(node)
            if lines > limit:
                yield f"{node.name} (line {node.lineno}) has {lines} lines, over {limit}"


def _is_protocol(parent: ast.expr) -> bool:
    """Whether it is typing's. asyncio's Protocol is no interface of ours, and has as many callbacks as it has."""
    return ast.unparse(parent).partition("[")[0] in ("Protocol", "typing.Protocol")


def wide_protocols(tree: ast.Module) -> Iterator[str]:
    """A protocol has six methods at most; what a thing can do besides is data."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_is_protocol(parent) for parent in node.bases):
            methods = [item.name for item in node.body if isinstance(item, Function)]
            if len(methods) > PROTOCOL_METHODS:
                yield f"protocol {node.name} has {len(methods)} methods, over {PROTOCOL_METHODS}"


def banned_names(path: str, tree: ast.Module) -> Iterator[str]:
    """Modules and classes are named after what they are, not after being useful."""
    parts = [part.removesuffix(".py") for part in path.split("/")]
    defined = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for name in [*parts, *defined]:
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)
        for word in BANNED_WORDS.intersection(word.lower() for word in words):
            yield f"{name}: a name with {word!r} says nothing"


def repeated_names(trees: Mapping[str, ast.Module], allowed: Container[str]) -> Iterator[str]:
    """One name of a class, one class: a reader who meets it, or looks for it, has not to ask which one is meant."""
    found: dict[str, list[str]] = {}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(path)
    for name, paths in found.items():
        if len(paths) > 1 and name not in allowed:
            yield f"{name} is a class of {', '.join(paths)}"


def foreign_addresses(text: str) -> Iterator[str]:
    """No file names a package registry, nor a path of the machine that it was written on."""
    for number, line in enumerate(text.splitlines(), 1):
        for host in REGISTRIES:
            if host in line:
                yield f"line {number} names the registry {host}"
        if found := MACHINE_PATHS.search(line):
            yield f"line {number} has a path of one machine, {found[0]}"


def unfinished(text: str) -> Iterator[str]:
    """What is to be done stands in the issues."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := UNFINISHED.search(line):
            yield f"line {number} has {found[0]}"


def silent_exceptions(text: str) -> Iterator[str]:
    """A linter's or checker's rule is set aside by its code, a linter's with the reason beside it."""
    for number, line in enumerate(text.splitlines(), 1):
        if (found := NOQA.search(line)) and not (found["codes"] and re.search(r"\w{3}", found["reason"])):
            yield f"line {number}: noqa takes a code and a reason"
        if (found := IGNORE.search(line)) and not found["codes"]:
            yield f"line {number}: type: ignore takes a code"


def bare_skips(tree: ast.Module) -> Iterator[str]:
    """A test that does not run says why."""
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in {"skip", "skipif", "xfail", "importorskip"}:
            continue
        if _last_name(node.value) not in {"mark", "pytest"}:
            continue
        call = called.get(id(node))
        given = {keyword.arg for keyword in call.keywords} if call else set()
        said = "reason" in given or (call is not None and node.attr in {"skip", "xfail"} and bool(call.args))
        if not said:
            yield f"line {node.lineno}: {node.attr} without a reason"


def doors_that_decide(tree: ast.Module) -> Iterator[str]:
    """Who may do what is for ``core.access``: a door neither refuses nor looks at what a principal has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None and "Denied" in ast.unparse(node.exc).split("(")[0]:
            yield f"line {node.lineno} raises Denied"
        if not isinstance(node, ast.Attribute) or node.attr not in {"anonymous", "root", "grants"}:
            continue
        if _last_name(node.value) in {"who", "principal"}:
            yield f"line {node.lineno} looks at {node.attr}"


def lock_faults(text: str) -> Iterator[str]:
    """A lock holds exact versions with hashes, and not one address."""
    for number, line in enumerate(text.splitlines(), 1):
        if "://" in line or line.lstrip().startswith(("--index", "--extra-index", "--find-links", "-i ", "-f ")):
            yield f"line {number} has an address: {line.strip()}"
        elif line[:1].isalnum() and not re.match(r"[a-z0-9][a-z0-9._-]*==\S+( ; .+)? \\$", line):
            yield f"line {number} is not an exact version with hashes: {line.strip()}"
        elif line.startswith(" ") and not re.match(r"    --hash=sha256:[0-9a-f]{64}( \\)?$", line):
            yield f"line {number} is not a hash: {line.strip()}"


def _code_lines(node: Function) -> int:
    first = node.body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if is_docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
