"""What a door is. Each package in here is one, and says so by its ``DOOR``; nothing else has to be changed for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from entrepot.core import Core
from entrepot.core.jobs import Schedule
from entrepot.wire.http import Handler, Objection, Request, Response, plain_refusal

S = TypeVar("S")


def no_hosts(settings: object) -> Sequence[str]:
    """What most doors have."""
    return ()


def claims_nothing(request: Request) -> bool:
    """Most doors know their requests by the path alone."""
    return False


def no_jobs(core: Core, settings: object) -> Sequence[Schedule]:
    """Most doors only answer."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door(Generic[S]):
    """One protocol. A port that has several doors asks, in this order, whose a request is: by its host, by ``claims``,
    by the longest of the ``paths``.

    ``settings`` is the class of the table ``[doors.NAME]`` (see ``config.tree``). Where all of its fields have
    defaults, the door is open unless it is closed. A field that is called like a setting of the whole server
    (``app.SHARED`` lists them) is given that one.
    """

    name: str
    settings: type[S]
    build: Callable[[Core, S], Handler]
    paths: tuple[str, ...]
    """``/health`` is the path itself and all below it, ``/`` what no other door claims. No two doors claim the same."""
    hosts: Callable[[S], Sequence[str]] = no_hosts
    """Domains of which every subdomain is the door's, whatever the path."""
    claims: Callable[[Request], bool] = claims_nothing
    """Whether a request bears marks of this protocol (a signature, say), whatever its path. Cheap, and raises nothing:
    the request may be anything.
    """
    refuse: Callable[[Request, Objection], Response] = plain_refusal
    """The protocol's words for a request that is refused as HTTP, before the door. Of one that could not be read there
    is no method and no path.
    """
    jobs: Callable[[Core, S], Sequence[Schedule]] = no_jobs
    """What a server does by itself for this door. Its names begin with the door's: ``s3-inventory``."""
