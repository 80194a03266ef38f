"""Virtual-host style: the bucket is a subdomain of the setting ``domain``."""

from __future__ import annotations

import pytest

from tests.server import Server
from tests.serving.raw import Reply, Wire, ask, head, presigned, signed

HOST = "bucket.s3.localhost"


def at(server: Server, method: str, target: str, body: bytes = b"", host: str = HOST) -> Reply:
    with Wire(server) as wire:
        wire.send(signed(server, method, target, [("content-length", str(len(body)))], host=host) + body)
        return wire.answer(head=method == "HEAD")


@pytest.mark.parametrize(("virtual", "path"), [
    ("/key", "/bucket/key"), ("//leading", "/bucket//leading"), ("/a/b%2Fc", "/bucket/a/b%2Fc"),
    ("/bucket/there", "/bucket/bucket/there"), ("/health", "/bucket/health"), ("/a%20b%C3%A9", "/bucket/a%20b%C3%A9"),
    ("/..", "/bucket/.."), ("/a//b/", "/bucket/a//b/"),
])  # fmt: skip
def test_keys_are_the_same_in_both_styles(server: Server, virtual: str, path: str) -> None:
    assert at(server, "PUT", virtual, path.encode()).status == 200
    assert ask(server, "GET", path).body == path.encode()
    assert at(server, "GET", virtual).body == path.encode()
    assert ask(server, "DELETE", path).status == 204
    assert at(server, "HEAD", virtual).status == 404


@pytest.mark.parametrize("host", [HOST, f"{HOST}:9000"])
def test_the_host_with_a_port(server: Server, host: str) -> None:
    assert at(server, "GET", "/there", host=host).body == b"what is there"


def test_the_bucket_itself(server: Server) -> None:
    assert at(server, "HEAD", "/").status == 200
    assert b"<Name>bucket</Name>" in at(server, "GET", "/?list-type=2").body
    assert at(server, "GET", "/", host="none.s3.localhost").code == "NoSuchBucket"
    assert b"<Bucket><Name>bucket" in at(server, "GET", "/", host="s3.localhost").body.replace(b"\n", b"")
    assert at(server, "GET", "/bucket/there", host="s3.localhost").body == b"what is there"


def test_other_hosts_are_path_style(server: Server) -> None:
    for host in ("bucket.example", "s3.localhost.example", "xs3.localhost", "127.0.0.1", "[::1]:9000"):
        assert at(server, "GET", "/bucket/there", host=host).body == b"what is there"


def test_presigned_for_a_host(server: Server) -> None:
    target = presigned(server, "GET", "/there", HOST)
    with Wire(server) as wire:
        wire.send(head("GET", target, [("host", HOST)]))
        assert wire.answer().body == b"what is there"
        wire.send(head("GET", target, [("host", "other.s3.localhost")]))
        assert wire.answer().code == "SignatureDoesNotMatch"
        wire.send(head("GET", "/there", [("host", HOST)]))
        assert wire.answer().code == "AccessDenied"


def test_buckets_of_a_doors_name_are_reached_by_their_host(server: Server) -> None:
    assert ask(server, "PUT", "/metrics").status == 200
    assert at(server, "PUT", "/metrics", b"mine", host="metrics.s3.localhost").status == 200
    assert ask(server, "GET", "/metrics/metrics").body == b"mine"
    with Wire(server) as wire:
        wire.send(head("GET", "/metrics", [("host", "metrics.s3.localhost")]))
        assert wire.answer().code == "AccessDenied"
    assert ask(server, "DELETE", "/metrics/metrics").status == 204
    assert ask(server, "DELETE", "/metrics").status == 204
