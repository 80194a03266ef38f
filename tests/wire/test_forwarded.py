"""What proxies say, whom it is believed of, and what nobody believes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from entrepot.wire.forwarded import Hop, Proxies, parse_node, read_forwarded, read_x_forwarded
from entrepot.wire.http import Headers, Request


async def nothing() -> AsyncIterator[bytes]:
    for _ in ():
        yield b""


def fields(*pairs: tuple[str, str]) -> Headers:
    return Headers([(name.encode(), value.encode()) for name, value in pairs])


def applied(
    family: str, *pairs: tuple[str, str], client: str = "10.0.0.1", networks: tuple[str, ...] = ("10.0.0.0/8",)
) -> tuple[str, str, str | None]:
    request = Request("GET", b"/bucket", b"", fields(("host", "inner"), *pairs), nothing(), client=client)
    Proxies(networks, family).apply(request)
    return request.client, request.scheme, request.headers.get("host")


FROM = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "files.example")]
TOLD = ("192.0.2.7", "https", "files.example")


@pytest.mark.parametrize(("client", "networks", "expected"), [
    ("10.0.0.1", ("10.0.0.0/8",), TOLD), ("::ffff:10.0.0.1", ("10.0.0.0/8",), TOLD), ("", ("unix",), TOLD),
    ("11.0.0.1", ("10.0.0.0/8",), ("11.0.0.1", "http", "inner")), ("", ("10.0.0.0/8",), ("", "http", "inner")),
    ("10.0.0.1", ("unix",), ("10.0.0.1", "http", "inner")), ("2001:db8::9", ("2001:db8::/32",), TOLD),
])  # fmt: skip
def test_only_trusted_proxies_are_believed(
    client: str, networks: tuple[str, ...], expected: tuple[str, str, str]
) -> None:
    assert applied("x-forwarded", *FROM, client=client, networks=networks) == expected


def test_one_family_is_read_and_the_other_is_passed_over() -> None:
    """A proxy that sets one of them hands the other on as the client wrote it."""
    lie = ("forwarded", "for=1.2.3.4;proto=http;host=evil.example")
    assert applied("x-forwarded", *FROM, lie) == TOLD
    assert applied("forwarded", *FROM) == ("10.0.0.1", "http", "inner")
    assert applied("forwarded", *FROM, lie) == ("1.2.3.4", "http", "evil.example")


def test_what_the_client_wrote_itself_stands_left_of_what_proxies_saw() -> None:
    chain = ("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.9"), ("x-forwarded-proto", "https")
    assert applied("x-forwarded", *chain) == ("192.0.2.7", "https", "inner")
    chain_2 = ("forwarded", "for=6.6.6.6;host=evil, for=192.0.2.7;host=files.example;proto=https, for=10.0.0.9")
    assert applied("forwarded", chain_2) == TOLD
    assert applied("forwarded", ("forwarded", "for=6.6.6.6"), ("forwarded", "for=unknown")) == (
        "unknown",
        "http",
        "inner",
    )


PREFIXES = ("/s3", "/a/b")


@pytest.mark.parametrize("prefix", ["/s3", "/s3/", "/a/b"])
def test_a_prefix_is_a_mount_point(prefix: str) -> None:
    request = Request("GET", b"/bucket/key", b"", fields(("x-forwarded-prefix", prefix)), nothing(), client="10.0.0.1")
    Proxies(("10.0.0.0/8",), "x-forwarded", PREFIXES).apply(request)
    assert (request.raw_path, request.path) == (prefix.rstrip("/").encode() + b"/bucket/key", b"/bucket/key")


@pytest.mark.parametrize("prefix", ["s3", "/", "//", "/a//b", "/a?b", "/a", "/a/b/c", "/s3,/s3"])
def test_no_other_prefix_is_believed(prefix: str) -> None:
    """A client could have written it: most proxies hand the field on."""
    request = Request("GET", b"/bucket", b"", fields(("x-forwarded-prefix", prefix)), nothing(), client="10.0.0.1")
    Proxies(("10.0.0.0/8",), "x-forwarded", PREFIXES).apply(request)
    assert (request.raw_path, request.mount) == (b"/bucket", b"")


@pytest.mark.parametrize(("value", "hops"), [
    ('for="_gazonk"', [Hop("_gazonk")]), ('For="[2001:db8:cafe::17]:4711"', [Hop("2001:db8:cafe::17")]),
    ("for=192.0.2.60;proto=http;by=203.0.113.43", [Hop("192.0.2.60", "http")]),
    ("for=192.0.2.43, for=198.51.100.17", [Hop("192.0.2.43"), Hop("198.51.100.17")]),
    ('host="a\\.example:80" ; proto=HTTPS', [Hop("", "https", "a.example:80")]), ("", []),
    ("for", []), ("for=a b", []), ('for="', []), ("for=1.2.3.4;;", []), ("proto=ftp", [Hop()]),
])  # fmt: skip
def test_forwarded(value: str, hops: list[Hop]) -> None:
    assert read_forwarded(fields(("forwarded", value))) == hops


def test_x_forwarded() -> None:
    assert read_x_forwarded(fields()) == []
    one = fields(("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("x-forwarded-proto", "https"))
    assert read_x_forwarded(one) == [Hop("1.1.1.1"), Hop("2.2.2.2", "https")]
    assert read_x_forwarded(fields(("x-forwarded-for", "x, ,1.1.1.1:80"))) == [Hop(), Hop(), Hop("1.1.1.1")]


@pytest.mark.parametrize(("text", "address"), [
    ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:80", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
    ("[2001:DB8::1]", "2001:db8::1"), ("[2001:db8::1]:80", "2001:db8::1"), ("unknown", "unknown"), ("_x", "_x"),
    ("", ""), ("host", ""), ("1.2.3", ""), ("[::1", "::1"),
])  # fmt: skip
def test_nodes(text: str, address: str) -> None:
    assert parse_node(text) == address
