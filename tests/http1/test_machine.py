"""What a connection makes of bytes, without a socket, a loop or a clock."""

from __future__ import annotations

import pytest

from entrepot.http1.bodies import NOTHING
from entrepot.http1.connection import Connection
from entrepot.http1.machine import BODY, CUT, DEAF, END, HEAD, HELD_BYTES, IDLE, PIPELINE, Event, Exchange, Machine
from entrepot.http1.service import Service
from entrepot.wire.http import Headers, Request, Response
from tests.http1.line import Line, until

GET = b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def told(events: list[Event]) -> list[object]:
    """Events in a form that can be compared: of a request its method, of a refusal its status."""
    return [_told(event) if isinstance(event, Exchange) else event for event in events]


def _told(exchange: Exchange) -> object:
    request = exchange.request
    return request.method if request.objection is None else request.objection.status


def only(events: list[Event]) -> Exchange:
    (event,) = events
    assert isinstance(event, Exchange)
    return event


def test_a_request_without_a_body_is_one_event() -> None:
    machine = Machine(scheme="https", client="10.0.0.1")
    exchange = only(machine.receive(GET))
    request = exchange.request
    assert (request.method, request.raw_path, request.raw_query) == ("GET", b"/a", b"b")
    assert (request.scheme, request.client) == ("https", "10.0.0.1")
    assert (exchange.content, exchange.answer.keep, machine.state) == (False, True, IDLE)


@pytest.mark.parametrize("data", [b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", GET])
def test_each_state_is_left_as_the_table_says(data: bytes) -> None:
    machine = Machine()
    assert (machine.state, machine.midway) == (IDLE, False)
    assert machine.receive(data[:7]) == []
    assert (machine.state, machine.midway) == (HEAD, True)
    assert told(machine.receive(data[7:])) == [data[:3].decode()]
    assert (machine.state, machine.midway) == (IDLE, False)


def test_a_body_comes_in_pieces_to_its_end() -> None:
    machine = Machine()
    assert told(machine.receive(PUT + b"he")) == ["PUT", b"he"]
    assert machine.state is BODY
    assert machine.receive(b"llo") == [b"llo", END]
    assert told(machine.receive(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + GET)) == ["PUT", b"hello", END, "GET"]


def test_a_body_that_ends_too_early_is_cut() -> None:
    machine = Machine()
    exchange = machine.receive(PUT + b"he")[0]
    assert machine.receive_end() == [CUT]
    assert isinstance(exchange, Exchange)
    assert not exchange.answer.keep
    assert machine.receive(b"llo") == []
    assert Machine().receive_end() == []


def test_what_is_no_chunk_cuts_the_body_and_ends_the_connection() -> None:
    machine = Machine()
    assert told(machine.receive(CHUNKED + b"5\r\nhello\r\nnonsense")) == ["PUT", b"hello", CUT]
    assert (machine.state, machine.midway) == (DEAF, True)


def test_a_refusal_comes_behind_the_requests_before_it() -> None:
    machine = Machine()
    assert told(machine.receive(GET + b"nonsense\r\n\r\n" + GET)) == ["GET", 400]
    assert machine.state is DEAF
    assert machine.receive(GET) == []


def test_nothing_is_read_behind_the_last_request() -> None:
    last = GET[:-2] + b"Connection: close\r\n\r\n"
    for data in (last, GET.replace(b"1.1", b"1.0"), CHUNKED + b"0\r\nconnection: close\r\n\r\n"):
        machine = Machine()
        events = machine.receive(data + GET)
        assert [event for event in told(events) if event is not END] in (["GET"], ["PUT"])
        assert (machine.state, machine.midway) == (DEAF, False)


def test_a_head_may_be_so_large() -> None:
    large = GET[:-2] + b"x: " + b"a" * 2000 + b"\r\n\r\n"
    for at in range(1, len(large), 97):
        machine = Machine(header_bytes=1000)
        assert told([*machine.receive(large[:at]), *machine.receive(large[at:])])[-1:] in ([431], ["GET"])
    machine = Machine(header_bytes=1000)
    assert told([event for at in range(len(large)) for event in machine.receive(large[at : at + 1])]) == [431]


def test_a_trailer_may_be_so_large() -> None:
    machine = Machine(header_bytes=1000)
    machine.receive(CHUNKED + b"0\r\nx: ")
    events = [event for _ in range(20) for event in machine.receive(b"a" * 100)]
    assert events == [CUT]


def test_requests_that_come_at_once_are_counted() -> None:
    machine = Machine()
    assert told(machine.receive(GET * (PIPELINE + 1))) == ["GET"] * PIPELINE + [503]
    machine = Machine()
    for _ in range(3 * PIPELINE):
        machine.receive(GET)
        assert not machine.is_behind(0)
        machine.answered()
    machine.receive(GET * 2)
    assert machine.is_behind(0)
    machine.answered()
    assert not machine.is_behind(HELD_BYTES)
    assert machine.is_behind(HELD_BYTES + 1)


def test_an_offer_is_passed_over_wherever_the_bytes_are_cut() -> None:
    offer = b"PUT /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello"
    for at in range(1, len(offer)):
        machine = Machine()
        events = [*machine.receive(offer[:at]), *machine.receive(offer[at:] + GET)]
        body = b"".join(event for event in events if isinstance(event, bytes))
        assert (told(events)[0], body, told(events)[-2:]) == ("PUT", b"hello", [END, "GET"])


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_is_invited_once_and_only_of_http_1_1(version: str) -> None:
    machine = Machine()
    start = PUT.replace(b"1.1", version.encode())[:-2] + b"Expect: 100-Continue\r\n\r\n"
    answer = only(machine.receive(start)).answer
    assert answer.expects is (version == "1.1")
    assert answer.interim(100) == (b"HTTP/1.1 100 Continue\r\n\r\n" if version == "1.1" else b"")
    assert not answer.expects


def test_interim_answers_have_fields_and_come_before_the_answer() -> None:
    answer = only(Machine().receive(GET)).answer
    assert answer.interim(104, [(b"location", b"/up")]) == b"HTTP/1.1 104 \r\nlocation: /up\r\n\r\n"
    answer.begun = True
    assert answer.interim(104) == b""


async def test_a_handler_informs_before_it_answers() -> None:
    """As an upload does that can be resumed (104)."""

    async def handler(request: Request) -> Response:
        request.inform(104, [(b"location", b"/up")])
        return Response(200, [(b"content-length", b"0")])

    connection, line = Connection(Service(), handler), Line()
    connection.connection_made(line)
    connection.data_received(GET + GET.replace(b"1.1", b"1.0"))
    await until(lambda: line.sent.count(b"HTTP/1.1 200") == 2)
    first, _, second = line.sent.partition(b"HTTP/1.1 200")
    assert first == b"HTTP/1.1 104 \r\nlocation: /up\r\n\r\n"
    assert b"104" not in second
    connection.connection_lost(None)


async def test_informing_where_nobody_can_is_nothing() -> None:
    Request("GET", b"/", b"", Headers([]), NOTHING).inform(104)
