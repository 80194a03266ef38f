"""The access log, and what it must never hold."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server
from tests.serving.raw import Wire, ask, head, presigned, signed


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "data")


def lines(server: Server) -> list[dict[str, Any]]:
    """Every line of the log that is an event; the server has ended, so all are there."""
    text = server.log.read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_line_for_every_request_with_its_fields(server: Server) -> None:
    with server:
        ask(server, "PUT", "/bucket")
        put = ask(server, "PUT", "/bucket/a%20key", b"hello")
        get = ask(server, "GET", "/bucket/a%20key")
        with Wire(server) as wire:
            wire.send(head("GET", "/bucket/a%20key", [("host", "a")]))
            refused = wire.answer()
    found = {line["id"]: line for line in lines(server) if line["event"] == "request"}
    line = found[put.get("x-amz-request-id")]
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line.pop("seconds") > 0
    assert line == {
        "event": "request", "level": "info", "id": put.get("x-amz-request-id"), "client": "127.0.0.1",
        "method": "PUT", "door": "s3", "operation": "PutObject", "bucket": "bucket", "key": "a key", "status": 200,
        "received": 5, "sent": 0, "principal": server.keys.access,
    }  # fmt: skip
    line = found[get.get("x-amz-request-id")]
    assert (line["operation"], line["status"], line["received"], line["sent"]) == ("GetObject", 200, 0, 5)
    line = found[refused.get("x-amz-request-id")]
    assert (line["status"], line["code"], line["sent"]) == (403, "AccessDenied", len(refused.body))
    assert "principal" not in line


def test_a20_no_secret_and_no_signature_is_logged(server: Server) -> None:
    with server:
        ask(server, "PUT", "/bucket")
        targets = [presigned(server, method, "/bucket/key") for method in ("PUT", "GET", "DELETE")]
        targets.append(presigned(server, "GET", "/bucket/key").replace("Expires=300", "Expires=bad"))
        good = signed(server, "GET", "/bucket/key")
        for target in targets:
            with Wire(server) as wire:
                wire.send(head("GET", target, [("host", f"{server.host}:{server.port}"), ("content-length", "0")]))
                wire.answer()
        with Wire(server) as wire:
            wire.send(good)
            wire.answer()
            wire.send(good.replace(b"/bucket/key", b"/bucket/other"))
            assert wire.answer().code == "SignatureDoesNotMatch"
            wire.send(head("GET", "/metrics", [("host", "a"), ("authorization", "Bearer a-token-of-somebody")]))
            wire.answer()
    text = server.log.read_text()
    assert len(lines(server)) >= 8
    signatures = [target.rpartition("X-Amz-Signature=")[2] for target in targets]
    signatures.append(good.rpartition(b"Signature=")[2][:64].decode())
    assert all(len(signature) >= 64 for signature in signatures)
    for secret in (server.keys.secret, "a-token-of-somebody", *(signature[:64] for signature in signatures)):
        assert secret not in text


def test_a20_no_secret_is_seen_in_the_process_list_or_in_plain_on_disk(server: Server) -> None:
    with server:
        made = server.command(
            "key",
            "create",
            "--account",
            "somebody",
            "--secret-key",
            "a-secret-of-somebody-else-0123456789",
            "--access-key",
            "SOMEBODYSKEY00000001",
        )
        assert made
        assert server.keys.secret.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        for path in server.data.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert b"a-secret-of-somebody-else" not in data
                assert server.keys.secret.encode() not in data
        assert (server.data / "secret.key").stat().st_mode & 0o077 == 0
        assert server.data.stat().st_mode & 0o077 == 0


def test_a20_unknown_keys_and_wrong_secrets_are_told_as_s3_does_and_no_more(server: Server) -> None:
    with server:
        ask(server, "PUT", "/bucket")
        with Wire(server) as wire:
            known = signed(server, "GET", "/bucket").replace(b"Signature=", b"Signature=0")
            wire.send(known)
            reply = wire.answer()
            assert reply.status in (400, 403)
            assert server.keys.secret.encode() not in reply.body
            wire.send(known.replace(server.keys.access.encode(), b"NOBODYSKEYATALL00001"))
            assert wire.answer().status in (400, 403)
