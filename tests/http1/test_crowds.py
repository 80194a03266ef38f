"""Who makes way, and who is left, without a socket."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from entrepot.errors import BodyStalled
from entrepot.http1.connection import Connection
from entrepot.http1.patience import Patience
from entrepot.http1.service import Admission, Guest, Service
from entrepot.wire.http import Request, Response
from entrepot.wire.incoming import BODY_GRACE_SECONDS
from tests.http1.line import Line, until


class Waiting:
    """Has a place since a moment, or stays."""

    def __init__(self, service: Service, since: float | None) -> None:
        self.waits_since = since
        self.went = False
        self._service = service
        service.handshakes.add(self)

    def make_way(self) -> None:
        self.went = True
        self.waits_since = None
        self._service.handshakes.discard(self)


@pytest.fixture
def service() -> Service:
    return Service(most=4, spare=2)


def crowd(service: Service, *since: float | None) -> list[Waiting]:
    return [Waiting(service, each) for each in since]


def test_who_waits_longest_goes_first(service: Service) -> None:
    guests = crowd(service, 3, 1, None, 2)
    for went in ([1], [1, 3], [0, 1, 3]):
        assert service.find_place() is Admission.ANY
        assert [number for number, guest in enumerate(guests) if guest.went] == went
        crowd(service, None)
    assert service.find_place() is Admission.SPARE


def test_who_was_found_waiting_and_waits_no_more_stays(service: Service) -> None:
    guests = crowd(service, 1, 2, 3, 4)
    assert service.find_place() is Admission.ANY
    guests[1].waits_since = None
    guests[2].waits_since = 9  # was served meanwhile
    crowd(service, None, None, None, None)
    assert service.find_place() is Admission.ANY
    assert [guest.went for guest in guests] == [True, False, False, True]


def test_beyond_the_spare_places_there_are_none(service: Service) -> None:
    found = []
    for _ in range(7):
        found.append(service.find_place())
        crowd(service, None)
    assert found == [Admission.ANY] * 4 + [Admission.SPARE] * 2 + [Admission.NONE]


def test_a_look_at_all_that_finds_nobody_is_not_repeated_at_once(service: Service) -> None:
    class Counting:
        looks = 0

        @property
        def waits_since(self) -> float | None:
            Counting.looks += 1
            return None

        def make_way(self) -> None:
            pass

    for _ in range(4):
        service.handshakes.add(cast("Guest", Counting()))
    for _ in range(100):
        service.find_place()
    assert Counting.looks < 40


@pytest.mark.parametrize(("rate", "given_up"), [(0, False), (1, False), (2, True)])
async def test_a_body_that_is_too_slow_is_given_up(rate: float, *, given_up: bool) -> None:
    """Ten bytes in ten seconds and the grace."""
    found: list[Exception] = []

    async def handler(request: Request) -> Response:
        try:
            async for _ in request.body:
                pass
        except BodyStalled as error:
            found.append(error)
        return Response(200)

    connection, line = Connection(Service(), handler), Line()
    connection.connection_made(line)
    connection.data_received(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 20\r\n\r\n0123456789")
    for _ in range(3):
        await asyncio.sleep(0)
    since = connection.waits_since
    assert since is not None
    for second in range(BODY_GRACE_SECONDS + 10):
        connection.sweep(since + second, Patience(body_rate=rate, stall=60))
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bool(found) is given_up
    connection.connection_lost(None)


async def test_the_body_of_a_request_that_has_no_place_goes_to_nobody(service: Service) -> None:
    """Neither to whoever answers it, nor to the next request without a body, which all have the same nothing."""
    found: list[tuple[str, bytes]] = []

    async def handler(request: Request) -> Response:
        if request.objection is None:
            found.append((request.method, b"".join([data async for data in request.body])))
        return Response(200)

    async def send(data: bytes) -> None:
        connection, line = Connection(service, handler), Line()
        connection.connection_made(line)
        connection.data_received(data)
        await until(lambda: bool(line.sent))
        connection.connection_lost(None)

    service.watched = (b"/health",)
    crowd(service, None, None, None, None)
    await send(b"PUT /b/a HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nstolen")
    await send(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
    assert found == [("GET", b"")]
