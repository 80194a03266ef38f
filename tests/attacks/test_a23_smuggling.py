"""A23: no two readings of where a request ends, on raw sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.server import Server
from tests.serving.raw import Closed, Reply, Wire, ask, chunk, head, proof, signed

CHUNKED = ("transfer-encoding", "chunked")
HELLO = chunk(b"hello") + b"0\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("smuggling") / "data") as server:
        assert ask(server, "PUT", "/bucket").status == 200
        assert ask(server, "PUT", "/bucket/there", b"what is there").status == 200
        yield server


@pytest.fixture(autouse=True)
def lives(server: Server) -> Iterator[None]:
    """Whatever a test sent, the next client finds everything as it was, and nothing smuggled in."""
    yield
    assert ask(server, "GET", "/bucket/there").body == b"what is there"
    assert ask(server, "HEAD", "/bucket/smuggled").status == 404


def replies(server: Server, data: bytes) -> list[Reply]:
    """Every answer to what is sent on one connection, until the server closes it or has nothing left to answer."""
    found = []
    with Wire(server) as wire:
        wire.send(data + head("GET", "/health/last", [("host", "a"), ("connection", "close")]))
        with contextlib.suppress(Closed):
            while True:
                found.append(wire.answer())
    return found[:-1] if found and found[-1].body == b"there is /health and /metrics\n" else found


def smuggled(server: Server) -> bytes:
    return signed(server, "PUT", "/bucket/smuggled", [("content-length", "1")]) + b"x"


@pytest.mark.parametrize("fields", [
    [("content-length", "5"), CHUNKED], [CHUNKED, ("content-length", "5")],
    [("content-length", "0"), CHUNKED], [("Content-Length", "5"), ("Transfer-Encoding", "Chunked")],
])  # fmt: skip
def test_a_body_framed_twice_is_the_last_of_its_connection(server: Server, fields: list[tuple[str, str]]) -> None:
    """RFC 9112 §6.3: what follows may be anybody's, so it is not read as a request."""
    found = replies(server, signed(server, "PUT", "/bucket/twice", extra=fields) + HELLO + smuggled(server))
    assert len(found) == 1
    assert found[0].get("connection") == "close"
    found = replies(server, head("GET", "/health", [("host", "a"), *fields]) + HELLO + smuggled(server))
    assert len(found) == 1


@pytest.mark.parametrize("encoding", ["xchunked", "\x0bchunked", "chunked, gzip", "identity", "chunked;q=1", ""])
def test_transfer_encodings_that_do_not_end_in_chunked(server: Server, encoding: str) -> None:
    data = signed(server, "PUT", "/bucket/coded", extra=[("transfer-encoding", encoding)]) + HELLO
    (found,) = replies(server, data + smuggled(server))
    assert found.status == 400
    assert ask(server, "HEAD", "/bucket/coded").status == 404


@pytest.mark.parametrize("name", ["Transfer-Encoding", "TRANSFER-ENCODING", "tRANSFER-eNCODING"])
@pytest.mark.parametrize("value", ["chunked", "Chunked", "CHUNKED"])
def test_names_and_codings_in_any_case_are_the_same(server: Server, name: str, value: str) -> None:
    data = signed(server, "PUT", "/bucket/cased", extra=[(name, value)]) + HELLO
    first, second = replies(server, data + signed(server, "GET", "/bucket/cased"))
    assert (first.status, second.status, second.body) == (200, 200, b"hello")


@pytest.mark.parametrize("fields", [
    [("Transfer-Encoding ", "chunked")], [(" Transfer-Encoding", "chunked")], [("Transfer\tEncoding", "chunked")],
    [("Content-Length", "5"), ("Content-Length", "6")], [("Content-Length", "5, 6")], [("Content-Length", "+5")],
    [("Content-Length", "-5")], [("Content-Length", "0x5")], [("Content-Length", "5 5")], [("Content-Length", "")],
    [("Content-Length", "9" * 30)], [("Content-Length", "\xb2")],
])  # fmt: skip
def test_lengths_and_fields_that_are_not_well_formed(server: Server, fields: list[tuple[str, str]]) -> None:
    (found,) = replies(server, signed(server, "PUT", "/bucket/lengths", extra=fields) + b"hello" + smuggled(server))
    assert found.status == 400
    assert ask(server, "HEAD", "/bucket/lengths").status == 404


@pytest.mark.parametrize("body", [
    b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhelloX\r\n0\r\n\r\n", b"fffffffffffffffff5\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n",
    b"5 5\r\nhello\r\n0\r\n\r\n", b"zz\r\n",
])  # fmt: skip
def test_malformed_chunks_publish_nothing_and_end_the_connection(server: Server, body: bytes) -> None:
    found = replies(server, signed(server, "PUT", "/bucket/chunks", extra=[CHUNKED]) + body + smuggled(server))
    assert [reply.status for reply in found] in ([], [400])
    assert ask(server, "HEAD", "/bucket/chunks").status == 404


def test_fields_of_a_chunked_trailer_change_nothing(server: Server) -> None:
    body = chunk(b"hello") + b"0\r\nhost: evil\r\nx-amz-meta-late: yes\r\nauthorization: AWS4\r\n\r\n"
    (found,) = replies(server, signed(server, "PUT", "/bucket/trailer", extra=[CHUNKED]) + body)
    assert found.status == 200
    assert ask(server, "HEAD", "/bucket/trailer").get("x-amz-meta-late") is None


@pytest.mark.parametrize("second", ["evil.example", ""])
def test_two_hosts(server: Server, second: str) -> None:
    host = f"{server.host}:{server.port}"
    (found,) = replies(server, head("GET", "/health", [("host", host), ("Host", second or host)]) + smuggled(server))
    assert found.status == 400
    assert found.get("x-request-id")
    (found,) = replies(server, head("GET", "/bucket/there", [*proof(server, "GET", "/bucket/there"), ("host", "x")]))
    assert found.status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET /health HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /he alth HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/2.0\r\nHost: a\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500 + b"\r\n\r\n",
    ],
)
def test_heads_that_are_not_well_formed(server: Server, data: bytes) -> None:
    (found,) = replies(server, data + smuggled(server))
    assert (found.status, found.get("connection")) == (400, "close")


def test_bare_line_feeds_end_no_line(server: Server) -> None:
    (found,) = replies(server, b"GET /health HTTP/1.1\nHost: a\n\n" + smuggled(server))
    assert found.status == 400
    (found,) = replies(
        server, b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 4\r\n\r\nGET " + smuggled(server)
    )
    assert found.status == 400


def test_the_body_behind_an_offered_upgrade_is_not_left_out(server: Server) -> None:
    offer = [("connection", "upgrade"), ("upgrade", "h2c")]
    start = signed(server, "PUT", "/bucket/behind", extra=[CHUNKED, *offer])
    with Wire(server) as wire:
        for data in (start[:-9], start[-9:] + chunk(b"hel"), chunk(b"lo") + b"0\r\n\r", b"\n"):
            wire.send(data)
            assert data == b"\n" or wire.silent(0.1)
        assert wire.answer().status == 200
    assert ask(server, "GET", "/bucket/behind").body == b"hello"
    (found,) = replies(server, head("CONNECT", "a:1", [("host", "a")]) + smuggled(server))
    assert found.status == 400


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0"])
def test_an_upgrade_that_is_offered_is_passed_over(server: Server, protocol: str) -> None:
    """RFC 9110 §7.8; Java's client offers h2c with every first request."""
    offer = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", protocol), ("http2-settings", "AAMAAABkAAQAoAAA")]
    data = signed(server, "PUT", "/bucket/offered", [("content-length", "5")], extra=offer) + b"hello"
    first, second = replies(server, data + signed(server, "GET", "/bucket/offered", extra=offer))
    assert (first.status, second.status, second.body) == (200, 200, b"hello")


@pytest.mark.parametrize(("version", "connection"), [("1.0", "upgrade"), ("1.1", "close, upgrade"), ("1.0", "close")])
def test_an_offer_is_passed_over_also_where_the_connection_ends(server: Server, version: str, connection: str) -> None:
    offer = [("connection", connection), ("upgrade", "websocket")]
    start = signed(server, "PUT", "/bucket/offered", [("content-length", "5")], extra=offer, version=version)
    (found,) = replies(server, start + b"hello" + smuggled(server))
    assert (found.status, found.get("connection")) == (200, "close")
    assert ask(server, "GET", "/bucket/offered").body == b"hello"


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "u@a",
        "a:b",
        "a:123456",
        "[::1",
        "::1",
        "[g]",
        "a\\b",
        "\xe4",
        "a,b:c",
        "",
        "a" * 300,
    ],
)
def test_a_host_that_there_cannot_be(server: Server, host: str) -> None:
    (found,) = replies(server, head("GET", "/health", [("host", host)]) + smuggled(server))
    assert (found.status, found.get("connection")) == (400, "close")


@pytest.mark.parametrize(
    "host", ["a", "a.b:", "a:9000", "[::1]", "[::1]:9000", "127.0.0.1:1", "x_y.s3.localhost", "%41"]
)
def test_a_host_that_there_can_be(server: Server, host: str) -> None:
    (found,) = replies(server, head("GET", "/health", [("host", host)]))
    assert found.status in (200, 403)  # a bucket's host is S3's


@pytest.mark.parametrize("name", ["HTP", "HTTPS", "HTTP ", "http", "RTSP", "ICE", "FTP"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "DESCRIBE", "SOURCE"])
def test_other_protocols_are_refused(server: Server, name: str, method: str) -> None:
    for version in ("1.0", "1.1"):
        line = f"{method} /health {name}/{version}\r\nhost: a\r\n\r\n".encode()
        (found,) = replies(server, line + smuggled(server))
        assert (found.status, found.get("connection")) == (400, "close")
        first, second = replies(server, head("GET", "/health", [("host", "a")]) + line + smuggled(server))
        assert (first.status, second.status) == (200, 400)


def test_options_of_the_server_as_a_whole(server: Server) -> None:
    """RFC 9110 §9.3.7."""
    first, second = replies(server, head("OPTIONS", "*", [("host", "a")]) * 2)
    assert (first.status, first.body, second.status) == (200, b"", 200)
    assert "GET" in (first.get("allow") or "")
    (found,) = replies(server, head("GET", "*", [("host", "a")]))
    assert found.status == 400


@pytest.mark.parametrize(("data", "status", "code"), [
    (head("GET", "/bucket/a", [("host", "a"), ("x", "a" * 17_000)]), 400, "RequestHeaderSectionTooLarge"),
    (head("GET", "/bucket/a", [("host", "a"), ("x", "a" * 400_000)]), 400, "RequestHeaderSectionTooLarge"),
    (head("GET", "/bucket/a", [("host", "a b")]), 400, "BadRequest"),
    (b"nonsense\r\n\r\n", 400, "BadRequest"),
])  # fmt: skip
def test_what_is_refused_as_http_has_the_doors_words(server: Server, data: bytes, status: int, code: str) -> None:
    (found,) = replies(server, data)
    assert (found.status, found.code, found.get("content-type")) == (status, code, "application/xml")
    assert found.get("x-amz-request-id")
    (found,) = replies(server, head("GET", "/health", [("host", "a b")]))
    assert found.get("content-type") == "text/plain"


def test_a_target_in_absolute_form_is_served_by_its_path(server: Server) -> None:
    host = f"{server.host}:{server.port}"
    (found,) = replies(server, head("GET", f"http://{host}/bucket/there", proof(server, "GET", "/bucket/there")))
    assert found.body == b"what is there"
    (found,) = replies(server, head("GET", f"http://{host}/bucket/other", proof(server, "GET", "/bucket/there")))
    assert (found.status, found.code) == (403, "SignatureDoesNotMatch")


def test_http_1_0(server: Server) -> None:
    """One request a connection, framed by its length alone."""
    data = signed(server, "PUT", "/bucket/old", [("content-length", "5")], version="1.0") + b"hello"
    (found,) = replies(server, data + smuggled(server))
    assert found.status == 200
    (found,) = replies(server, signed(server, "GET", "/bucket/old", version="1.0") + smuggled(server))
    assert found.body == b"hello"
    (found,) = replies(server, signed(server, "PUT", "/bucket/new", extra=[CHUNKED], version="1.0") + HELLO)
    assert found.status == 400
    (found,) = replies(server, signed(server, "PUT", "/bucket/new", version="1.0") + b"hello")
    assert (found.status, found.code) == (411, "MissingContentLength")
    assert ask(server, "HEAD", "/bucket/new").status == 404


@pytest.mark.parametrize("size", [17_000, 400_000, 3_000_000])
def test_heads_that_are_too_large(server: Server, size: int) -> None:
    with Wire(server) as wire:
        try:
            wire.send(head("GET", "/health", [("host", "a"), ("x", "a" * size)]))
            assert wire.answer().status in (400, 431)  # S3's document has S3's status
        except (BrokenPipeError, ConnectionResetError, Closed):
            assert size > 400_000  # the answer may be lost with a connection that is closed on a sender
    (found,) = replies(server, head("GET", "/health", [("host", "a"), ("x", "a" * 15_000)]))
    assert found.status == 200


@pytest.mark.parametrize("size", [17_000, 70_000])
def test_targets_that_are_too_long(server: Server, size: int) -> None:
    for target in ("/" + "a" * size, "/bucket?prefix=" + "a" * size):
        (found,) = replies(server, head("GET", target, [("host", "a")]))
        assert found.status in (400, 414, 431)


def test_too_many_fields(server: Server) -> None:
    (found,) = replies(server, head("GET", "/health", [("host", "a"), *((f"x{n}", "") for n in range(2000))]))
    assert found.status == 431
