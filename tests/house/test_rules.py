"""Each house rule sees the violation that is planted for it, and lets the proper form pass."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.house import rules

LONG = "def f():\n" + "    x = 1\n" * 40
DOCUMENTED = 'def f():\n    """' + "\n" * 30 + '    """\n' + "    x = 1\n" * 30
PROTOCOL = "class P(Protocol[T]):\n" + "".join(f"    def m{i}(self): ...\n" for i in range(7))
HASH = "    --hash=sha256:" + "0" * 64


def parsed(rule: Callable[[ast.Module], Iterator[str]]) -> Callable[[str], Iterator[str]]:
    return lambda text: rule(ast.parse(text))


def named(path: str) -> Callable[[str], Iterator[str]]:
    return lambda text: rules.banned_names(path, ast.parse(text))


def module(*, allowed: bool) -> Callable[[str], Iterator[str]]:
    return lambda text: rules.long_module(text, allowed=allowed)


BROKEN = [
    (module(allowed=False), "\n" * 401),
    (module(allowed=True), "\n" * 601),
    (rules.needless_allowance, "\n" * 400),
    (parsed(rules.long_functions), LONG),
    (parsed(rules.long_functions), "async " + LONG),
    (lambda text: rules.long_functions(ast.parse(text), frozenset({"f"})), LONG + "    x = 1\n" * 20),
    (parsed(rules.wide_protocols), PROTOCOL),
    (parsed(rules.wide_protocols), PROTOCOL.replace("Protocol[T]", "typing.Protocol")),
    (named("a/string_utils.py"), ""),
    (named("a/common/b.py"), ""),
    (named("a/b.py"), "class PoolManager: ..."),
    (named("a/b.py"), "class HTTPBase: ..."),
    (named("a/b.py"), "class KeyHelper: ..."),
    (rules.foreign_addresses, "see https://" + rules.REGISTRIES[0] + "/x"),
    (rules.foreign_addresses, "cd /" + "root/x"),
    (rules.foreign_addresses, "'/" + "home/me/x'"),
    (rules.unfinished, "# TO" + "DO later"),
    (rules.silent_exceptions, "x = 1  # no" + "qa"),
    (rules.silent_exceptions, "x = 1  # no" + "qa: E501"),
    (rules.silent_exceptions, "x = 1  # no" + "qa: E501,E502 -"),
    (rules.silent_exceptions, "x = 1  # type: " + "ignore"),
    (parsed(rules.bare_skips), "@pytest.mark.skip\ndef test(): ..."),
    (parsed(rules.bare_skips), "@pytest.mark.xfail(strict=True)\ndef test(): ..."),
    (parsed(rules.bare_skips), "@pytest.mark.skipif(x)\ndef test(): ..."),
    (parsed(rules.bare_skips), "pytest.skip()"),
    (parsed(rules.doors_that_decide), "raise Denied"),
    (parsed(rules.doors_that_decide), "raise errors.Denied() from None"),
    (parsed(rules.doors_that_decide), "if call.who.anonymous: pass"),
    (rules.lock_faults, "--index-url https://x/simple"),
    (rules.lock_faults, "--find-links wheels"),
    (rules.lock_faults, "a==1 \\\n    --hash=md5:00"),
    (rules.lock_faults, "a>=1 \\\n" + HASH),
    (rules.lock_faults, "a @ https://x/a.whl \\\n" + HASH),
    (rules.lock_faults, "a==1"),
]

WHOLE = [
    (module(allowed=False), "\n" * 400),
    (module(allowed=True), "\n" * 600),
    (rules.needless_allowance, "\n" * 401),
    (parsed(rules.long_functions), LONG.replace("    x = 1\n", "", 1)),
    (parsed(rules.long_functions), DOCUMENTED),
    (lambda text: rules.long_functions(ast.parse(text), frozenset({"f"})), LONG),
    (parsed(rules.wide_protocols), PROTOCOL.replace("def m6", "m6 = 1 #")),
    (parsed(rules.wide_protocols), PROTOCOL.replace("Protocol[T]", "Other")),
    (named("a/database.py"), "class Basement: ...\ndef common_prefixes(): ..."),
    (rules.foreign_addresses, "https://example.org/root and /srv/work/x"),
    (rules.silent_exceptions, "x = 1  # no" + "qa: E501 - a table"),
    (rules.silent_exceptions, "x = 1  # type: " + "ignore[arg-type]"),
    (parsed(rules.bare_skips), "@pytest.mark.skipif(x, reason='no disk')\ndef test(): ..."),
    (parsed(rules.bare_skips), "pytest.skip('no disk')\nrow.skip()"),
    (parsed(rules.doors_that_decide), "raise refuse('AccessDenied')\nhost.root"),
    (rules.lock_faults, "a-b==1.0 ; python_version < '3.12' \\\n" + HASH + " \\\n" + HASH),
]


@pytest.mark.parametrize(("rule", "text"), BROKEN)
def test_a_planted_violation_is_seen(rule: Callable[[str], Iterator[str]], text: str) -> None:
    assert list(rule(text)) != []


@pytest.mark.parametrize(("rule", "text"), WHOLE)
def test_the_proper_form_passes(rule: Callable[[str], Iterator[str]], text: str) -> None:
    assert list(rule(text)) == []


def test_a_name_that_two_classes_have_is_found() -> None:
    trees = {path: ast.parse(f"class {name}: ...") for path, name in (("a", "Page"), ("b", "Page"), ("c", "Other"))}
    assert list(rules.repeated_names(trees, ())) == ["Page is a class of a, b"]
    assert list(rules.repeated_names(trees, {"Page"})) == []
