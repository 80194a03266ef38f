"""A22: documents of strangers are not read, and those of others take a bounded memory, which they give back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from entrepot.model import Right
from tests.doors.s3.door import Door
from tests.server import Server
from tests.serving.processes import children, memory, most_memory
from tests.serving.raw import Closed, Reply, Wire, ask, head, signed

MIB = 1 << 20
DIGESTED = ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
OPERATIONS = {
    "CompleteMultipartUpload": ("POST", "/bucket/key?uploadId=x", Right.WRITE),
    "DeleteObjects": ("POST", "/bucket?delete", Right.DELETE),
    "PutBucketVersioning": ("PUT", "/bucket?versioning", Right.ADMIN),
    "PutBucketAcl": ("PUT", "/bucket?acl", Right.ADMIN),
}
every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data") / "data") as server:
        assert ask(server, "PUT", "/bucket").status == 200
        yield server


def worker_of(server: Server) -> int:
    (worker,) = children(server.pid)
    return worker


def announced(size: int) -> list[tuple[str, str]]:
    return [("content-length", str(size)), DIGESTED, ("x-amz-acl", "private")]


@every_operation
def test_who_may_not_is_told_so_without_a_byte_of_the_body(server: Server, operation: str) -> None:
    method, target, _ = OPERATIONS[operation]
    with Wire(server) as wire:
        wire.send(head(method, target, [("host", "a"), *announced(8 * MIB)]))
        reply = wire.answer()
    assert (reply.status, reply.code) == (403, "AccessDenied")
    with Wire(server) as wire:
        wire.send(signed(server, method, target.replace("/bucket", "/absent"), announced(8 * MIB)))
        reply = wire.answer()
    assert (reply.status, reply.code) == (404, "NoSuchBucket")


def test_nor_is_a_body_asked_for_of_who_may_make_no_bucket(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(head("PUT", "/another", [("host", "a"), ("content-length", "60000")]))
        assert wire.answer().status == 403


@every_operation
def test_a_right_is_decided_before_what_the_document_says(door: Door, operation: str) -> None:
    method, target, right = OPERATIONS[operation]
    path, _, query = target.partition("?")
    door.ask("PUT", "/bucket").ok()
    fields = {"content-md5": DIGESTED[1]}
    for other in Right:
        keys = door.new_keys(f"only-{other}", grants={"bucket": frozenset({other})})
        answer = door.ask(method, path, query, b"no document", headers=fields, keys=keys)
        if other in (right, Right.ADMIN):
            assert answer.status != 403
        else:
            answer.refused(403, "AccessDenied")
    door.ask(method, path, query, b"no document", headers=fields, keys=None).refused(403, "AccessDenied")


def send_all(wire: Wire, data: bytes) -> Reply | None:
    """Send what a server takes; its answer, if it did not go on to listen."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        wire.send(data)
    if wire.silent(0.02):
        return None
    with contextlib.suppress(Closed, ConnectionResetError):
        return wire.answer()
    return None


@pytest.mark.parametrize("by_who", ["anybody", "an owner"])
def test_a_hundred_documents_that_lack_their_last_byte(server: Server, by_who: str) -> None:
    """Of 835 MB before. The owner's are read; where there is no room for more, they are asked to come later."""
    body = b"<Delete>" + b"<Object><Key>%s</Key></Object>" % (b"k" * 1024) * 1000 + b"</Delete>"
    fields = announced(len(body))
    worker = worker_of(server)
    before = memory(worker)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            wire = stack.enter_context(Wire(server))
            if by_who == "anybody":
                begin = head("POST", "/bucket?delete", [("host", "a"), *fields])
            else:
                begin = signed(server, "POST", "/bucket?delete", fields)
            reply = send_all(wire, begin + body[:-1])
            assert reply is None or reply.status == (403 if by_who == "anybody" else 503)
        assert memory(worker) - before < 40 * MIB
        assert ask(server, "GET", "/bucket").status == 200
    assert ask(server, "POST", "/bucket?delete", b"<Delete><Object><Key>k</Key></Object></Delete>", [
        ("content-md5", "VzxjILEqXhZ3f1dD7W7xXQ=="),
    ]).status in (200, 400)  # fmt: skip


def test_ten_documents_of_names_that_no_one_ever_saw(server: Server) -> None:
    """Of 334 MB before, for good."""
    worker = worker_of(server)
    before = memory(worker)
    for turn in range(10):
        names = b"".join(b"<x%d-%d/>" % (turn, number) for number in range(500_000))[: 8 * MIB - 100]
        attributes = b"".join(b"<Part a%d-%d='1'><ETag>e</ETag></Part>" % (turn, number) for number in range(9_000))
        for root, content in ((b"Delete", names), (b"CompleteMultipartUpload", attributes)):
            target = "/bucket?delete" if root == b"Delete" else "/bucket/key?uploadId=x"
            body = b"<%s>%s</%s>" % (root, content, root)
            with Wire(server) as wire:
                reply = send_all(wire, signed(server, "POST", target, announced(len(body))) + body)
            assert reply is None or reply.status == 400
    assert memory(worker) - before < 10 * MIB
    assert most_memory(worker) < 300 * MIB
