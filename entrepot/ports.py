"""Several doors behind one port: whose a request is.

The order is fixed (see ``doors.Door``): a host of a door, then the marks of its protocol, then the longest path that
a door claims. One look into a table decides for a path that only one door can want.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from entrepot.doors import Door, claims_nothing
from entrepot.errors import ConfigInvalid
from entrepot.wire.http import Handler, Objection, Request, Response, plain_refusal

Test = Callable[[Request], bool]

REST: Final = b""
"""The path of the door that has what no other claims."""


class OpenedDoor(NamedTuple):
    """A door with its settings, read."""

    door: Door[Any]
    settings: Any

    @property
    def hosts(self) -> list[str]:
        return [host.lower() for host in self.door.hosts(self.settings)]

    @property
    def paths(self) -> list[bytes]:
        return [path.rstrip("/").encode() for path in self.door.paths]


def check_claims(doors: Sequence[OpenedDoor]) -> None:
    """Raises ConfigInvalid when two doors of one port claim the same."""
    for one, other in itertools.combinations(doors, 2):
        for claimed in sorted({*one.paths} & {*other.paths}):
            raise _clash(one, other, claimed.decode() or "/")
        for host in sorted({*one.hosts} & {*other.hosts}):
            raise _clash(one, other, host)


def _clash(one: OpenedDoor, other: OpenedDoor, claimed: str) -> ConfigInvalid:
    hint = f"claims {claimed}, as {one.door.name} does: close one of them (enabled = false), or part them by [[listen]]"
    return ConfigInvalid(f"doors.{other.door.name}", None, hint)


def share(doors: Mapping[str, OpenedDoor], handlers: Mapping[str, Handler]) -> Handler:
    """The handler of a port with these doors; ``handlers`` has each of them by its name. Raises ConfigInvalid."""
    check_claims(list(doors.values()))
    tests = [*_host_tests(doors), *_mark_tests(doors)]

    def contested(name: str) -> Handler:
        """A door's handler for paths of its own, behind the tests of all others."""
        before = [(test, handlers[other]) for other, test in tests if other != name]
        return _asking(before, handlers.get(name, not_found))

    claimed = {path: name for name, opened in doors.items() for path in opened.paths}
    rest = contested(claimed.pop(REST, ""))
    by_segment: dict[bytes, Handler] = {}
    for segment, paths in itertools.groupby(sorted(claimed), key=_first_segment):
        longest_first = [(path, contested(claimed[path])) for path in sorted(paths, key=len, reverse=True)]
        by_segment[segment] = _branching(longest_first, rest)

    def dispatch(request: Request) -> Awaitable[Response]:
        return by_segment.get(request.path[1:].partition(b"/")[0], rest)(request)

    return dispatch


def wording(doors: Mapping[str, OpenedDoor]) -> Callable[[Request, Objection], Response]:
    """What a request is told that is refused before the doors of a port: the words of the door of its path."""
    claimed = [(path, opened.door.refuse) for opened in doors.values() for path in opened.paths]
    longest_first = sorted(claimed, key=lambda each: len(each[0]), reverse=True)

    def word(request: Request, objection: Objection) -> Response:
        path = request.path
        for claim, refuse in longest_first:
            if path.startswith(claim) and path[len(claim) : len(claim) + 1] in (b"", b"/"):
                return refuse(request, objection)
        return plain_refusal(request, objection)

    return word


def _host_tests(doors: Mapping[str, OpenedDoor]) -> Iterator[tuple[str, Test]]:
    for name, opened in doors.items():
        if opened.hosts:
            yield name, _below(tuple(f".{host}".encode() for host in opened.hosts))


def _mark_tests(doors: Mapping[str, OpenedDoor]) -> Iterator[tuple[str, Test]]:
    for name, opened in doors.items():
        if opened.door.claims is not claims_nothing:
            yield name, opened.door.claims


def _below(domains: tuple[bytes, ...]) -> Test:
    """Whether the host of a request is a subdomain of one of the domains, which begin with a dot."""

    def is_below(request: Request) -> bool:
        host = (request.headers.raw_get(b"host") or b"").lower()
        return host.partition(b":")[0].endswith(domains)

    return is_below


def _asking(before: Sequence[tuple[Test, Handler]], handler: Handler) -> Handler:
    if not before:
        return handler

    def ask(request: Request) -> Awaitable[Response]:
        for test, other in before:
            if test(request):
                return other(request)
        return handler(request)

    return ask


def _branching(longest_first: Sequence[tuple[bytes, Handler]], rest: Handler) -> Handler:
    """The paths that begin with one segment. The rest has what lies beside them."""
    path, handler = longest_first[-1]
    if len(longest_first) == 1 and path.count(b"/") == 1:
        return handler

    def branch(request: Request) -> Awaitable[Response]:
        path = request.path
        for claimed, handler in longest_first:
            if path.startswith(claimed) and path[len(claimed) : len(claimed) + 1] in (b"", b"/"):
                return handler(request)
        return rest(request)

    return branch


def _first_segment(path: bytes) -> bytes:
    return path[1:].partition(b"/")[0]


async def not_found(request: Request) -> Response:
    """What is answered when no door is open for a path."""
    return plain_refusal(request, Objection(404, "no door here has this path"))
