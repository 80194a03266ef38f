"""A3, A7, A9, A24 against a started server, on raw sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import Server
from tests.serving.raw import Reply, Wire, ask, head, presigned, proof


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("requests") / "data") as server:
        assert ask(server, "PUT", "/bucket").status == 200
        yield server


def plain(server: Server, method: str, target: str, *fields: tuple[str, str], body: bytes = b"") -> Reply:
    with Wire(server) as wire:
        wire.send(head(method, target, [("host", f"{server.host}:{server.port}"), *fields]) + body)
        return wire.answer(head=method == "HEAD")


def test_a3_no_header_of_a_client_is_taken_for_one_of_ours(server: Server) -> None:
    """Only the documented ones are kept with an object; whatever else is sent does not come back."""
    names = [
        "x-minio-replication-actual-object-size", "x-minio-source-etag", "x-internal-size", "x-object-sysmeta-acl",
        "x-entrepot-hash", "x-amz-version-id", "x-amz-delete-marker", "x-amz-expiration", "x-amz-replication-status",
        "x-amz-mp-parts-count", "x-amz-request-id", "x-request-id", "etag", "last-modified", "server", "location",
        "x-forwarded-for",
    ]  # fmt: skip
    sent = [(name, "planted") for name in names]
    sent += [("x-amz-meta-mine", "kept"), ("x-amz-meta-x-amz-version-id", "kept as mine")]
    assert ask(server, "PUT", "/bucket/planted", b"data", sent).status == 200
    for method in ("GET", "HEAD"):
        reply = ask(server, method, "/bucket/planted")
        assert reply.status == 200
        assert "planted" not in [value for _, value in reply.fields]
        assert reply.get("x-amz-meta-mine") == "kept"
        assert reply.get("x-amz-meta-x-amz-version-id") == "kept as mine"
        assert reply.get("x-amz-version-id") is None


SPELLINGS = [
    ("/bucket/a%2Fb", "/bucket/a%2fb", True), ("/bucket/a%2Fb", "/bucket/a/b", True),
    ("/bucket/a", "/bucket/%61", True), ("/bucket/a%20b", "/bucket/a+b", False),
    ("/bucket/../x", "/bucket/%2e%2e/x", True), ("/bucket//x", "/bucket/x", False),
    ("/bucket/a%5Cb", "/bucket/a/b", False), ("/bucket/a%252Fb", "/bucket/a%2Fb", False),
    ("/bucket/x/", "/bucket/x", False), ("/bucket/./x", "/bucket/x", False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "same"), SPELLINGS)
def test_a7_what_is_signed_is_what_is_served(server: Server, one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a case's own column
    """Another spelling of the path is either the same key, decoded once, or another one. A signature for one
    of two keys never opens the other.
    """
    assert ask(server, "PUT", one, one.encode()).status == 200
    assert ask(server, "GET", one).body == one.encode()
    found = ask(server, "GET", other)
    if same:  # the signature is over one spelling; a client that signs another is refused
        assert found.body == one.encode() or found.code == "SignatureDoesNotMatch"
    else:
        assert found.body != one.encode()
    crossed = plain(server, "GET", other, *proof(server, "GET", one)[1:])
    assert crossed.status == 403 or (same and crossed.body == one.encode())
    assert ask(server, "DELETE", one).status == 204


@pytest.mark.parametrize("target", ["/bucket/%ff", "/bucket/%c3", "/bucket/%ed%a0%80", "/buck%65t%00/x", "/%2e%2e/x"])
def test_a7_names_that_are_none_are_refused(server: Server, target: str) -> None:
    reply = ask(server, "PUT", target, b"x")
    assert 400 <= reply.status < 500
    assert reply.code in ("InvalidURI", "InvalidBucketName", "SignatureDoesNotMatch")


@pytest.mark.parametrize("target", [
    "/minio/admin/v3/info", "/minio/bootstrap/v1/verify", "/_/admin", "/admin", "/api", "/console/", "/debug/pprof/",
    "/.env", "/.git/config", "/catalog.sqlite", "/secret.key", "/blobs/", "/../secret.key", "/..%2fsecret.key",
    "/%2e%2e/%2e%2e/etc/passwd", "/docs", "/openapi.json", "/server-status", "/health/../secret.key", "/metrics/all",
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_a9_nothing_is_open_to_strangers(server: Server, target: str, method: str) -> None:
    reply = plain(server, method, target, ("content-length", "0"))
    assert 400 <= reply.status < 502
    assert reply.status not in (500, 502)
    for secret in (server.keys.secret, server.keys.access, str(server.data), "ENTREPOT_", "Traceback", "root:"):
        assert secret not in reply.body.decode()


def test_a9_what_strangers_may_ask_tells_no_secret(server: Server) -> None:
    for target in ("/health", "/metrics"):
        body = plain(server, "GET", target).body.decode()
        for secret in (server.keys.secret, server.keys.access, str(server.data), "ENTREPOT_", "planted"):
            assert secret not in body


def test_a24_a_presigned_request_may_be_repeated_until_it_expires_and_changed_never(server: Server) -> None:
    """Replay within the window is how presigned URLs are meant."""
    target = presigned(server, "PUT", "/bucket/replayed")
    for body in (b"first", b"second"):
        assert plain(server, "PUT", target, ("content-length", str(len(body))), body=body).status == 200
    assert ask(server, "GET", "/bucket/replayed").body == b"second"
    for method in ("GET", "DELETE"):
        assert plain(server, method, target).code == "SignatureDoesNotMatch"
    assert plain(server, "HEAD", target).status == 403
    assert plain(server, "PUT", target.replace("replayed", "other"), ("content-length", "0")).status == 403
    old = presigned(server, "GET", "/bucket/replayed", expires=1)
    for _ in range(300):
        if plain(server, "GET", old).status == 403:
            break
    else:
        with Wire(server) as wire:
            assert wire.silent(2.5)
    reply = plain(server, "GET", old)
    assert (reply.status, reply.code) == (403, "AccessDenied")


def test_a24_the_second_version_of_signatures_is_no_way_around(server: Server) -> None:
    reply = plain(server, "GET", "/bucket", ("authorization", f"AWS {server.keys.access}:c2lnbmF0dXJl"))
    assert 400 <= reply.status < 500
    query = f"AWSAccessKeyId={server.keys.access}&Expires=9999999999&Signature=c2lnbmF0dXJl"
    assert 400 <= plain(server, "GET", f"/bucket?{query}").status < 500
