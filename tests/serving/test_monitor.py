"""/health and /metrics of a started server, and the id of every request."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres
from tests.server import Server
from tests.serving.raw import Reply, Wire, ask, chunk, head, signed


def get(server: Server, target: str, *fields: tuple[str, str], method: str = "GET") -> Reply:
    with Wire(server) as wire:
        wire.send(head(method, target, [("host", "a"), *fields]))
        return wire.answer(head=method == "HEAD")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data") as server:
        yield server


def test_health_tells_of_the_catalog_and_each_store(server: Server) -> None:
    reply = get(server, "/health")
    assert (reply.status, reply.get("content-type")) == (200, "application/json")
    assert reply.get("cache-control") == "no-store"
    report = json.loads(reply.body)
    assert report == {"status": "ok", "catalog": "ok", "stores": {"main": {"status": "ok"}}}
    assert get(server, "/health", method="HEAD").status == 200
    assert get(server, "/health", method="DELETE").status == 405


def test_health_of_a_store_that_went_away_and_came_back(own: Server) -> None:
    home = own.data / "blobs"
    home.rename(own.data / "elsewhere")
    reply = get(own, "/health")
    report = json.loads(reply.body)
    assert reply.status == 503
    assert (report["status"], report["catalog"], report["stores"]["main"]["status"]) == ("failing", "ok", "failing")
    assert str(own.data) not in reply.body.decode()
    (own.data / "elsewhere").rename(home)
    assert get(own, "/health").status == 200


def test_health_of_a_catalog_that_went_away_and_came_back(tmp_path: Path) -> None:
    with Postgres() as postgres:
        if not postgres.own:
            pytest.skip("the given PostgreSQL is not ours to stop")
        with Server(tmp_path / "data", environment={"ENTREPOT_CATALOG": postgres.new_schema()}) as server:
            postgres.stop()
            reply = get(server, "/health")
            assert reply.status == 503
            assert json.loads(reply.body)["catalog"] == "failing"
            refused = ask(server, "GET", "/bucket")
            assert (refused.status, refused.code) == (503, "ServiceUnavailable")
            postgres.start()
            assert get(server, "/health").status == 200


def counted(server: Server, operation: str, token: str = "") -> float:
    reply = get(server, "/metrics", *([("authorization", f"Bearer {token}")] if token else []))
    assert reply.status == 200
    pattern = rf'^entrepot_requests_total{{operation="{operation}",status="200"}} ([0-9.e+]+)$'
    return sum(float(found[1]) for found in re.finditer(pattern, reply.body.decode(), re.MULTILINE))


def await_count(server: Server, operation: str, count: int, token: str = "") -> None:
    """A worker counts a moment after it has answered."""
    deadline = time.monotonic() + 30
    while counted(server, operation, token) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    assert counted(server, operation, token) == count


def test_metrics_add_up_over_the_workers(tmp_path: Path) -> None:
    environment = {"ENTREPOT_METRICS__TOKEN": "let-me-see"}
    with Server(tmp_path / "data", workers=2, environment=environment) as server:
        assert get(server, "/metrics").status == 401
        stranger, known = (get(server, "/health", *token) for token in ([], [("authorization", "Bearer let-me-see")]))
        assert json.loads(stranger.body)["stores"]["main"] == {"status": "ok"}
        store = json.loads(known.body)["stores"]["main"]
        assert 0 < store["free"] <= store["total"]
        assert get(server, "/metrics", ("authorization", "Bearer let-me-se")).status == 401
        assert ask(server, "PUT", "/bucket").status == 200
        for _ in range(60):  # each on a connection of its own, so that both workers get some
            assert ask(server, "GET", "/bucket").status == 200
        await_count(server, "ListObjects", 60, "let-me-see")
        assert len(list((server.data / "metrics").glob("*/counter_*.db"))) == 2


def test_a_server_beside_another_leaves_its_metrics_alone_and_clears_after_those_that_are_gone(tmp_path: Path) -> None:
    left = tmp_path / "data" / "metrics" / "0123456789abcdef"
    with Server(tmp_path / "data") as server:
        assert ask(server, "PUT", "/bucket").status == 200
        await_count(server, "CreateBucket", 1)
        left.mkdir()
        (left / "counter_1.db").write_bytes(b"of a server that was killed")
        with Server(tmp_path / "data") as other:
            assert not left.exists()
            assert ask(other, "PUT", "/another").status == 200
            assert ask(other, "PUT", "/and-another").status == 200
            await_count(other, "CreateBucket", 2)
            assert counted(server, "CreateBucket") == 1
        assert counted(server, "CreateBucket") == 1
        assert len(list((server.data / "metrics").iterdir())) == 1
    assert list((tmp_path / "data" / "metrics").iterdir()) == []


def test_metrics_can_be_turned_off(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment={"ENTREPOT_METRICS__ENABLED": "false"}) as server:
        assert get(server, "/metrics").status == 404
        assert get(server, "/health").status == 200


@pytest.mark.parametrize("name", ["health", "metrics"])
def test_buckets_of_those_names_are_reached_by_signed_requests(server: Server, name: str) -> None:
    assert ask(server, "PUT", f"/{name}").status == 200
    assert ask(server, "PUT", f"/{name}/key", b"an object").status == 200
    assert ask(server, "GET", f"/{name}/key").body == b"an object"
    assert b"<Name>" + name.encode() in ask(server, "GET", f"/{name}").body
    assert b"an object" not in get(server, f"/{name}/key").body
    assert get(server, f"/{name}").get("content-type") != "application/xml"
    assert ask(server, "DELETE", f"/{name}/key").status == 204
    assert ask(server, "DELETE", f"/{name}").status == 204


def test_every_answer_has_its_own_request_id(server: Server) -> None:
    etag = ask(server, "HEAD", "/bucket/there").get("etag") or ""
    bad = signed(server, "PUT", "/bucket/x", extra=[("transfer-encoding", "chunked")]) + chunk(b"x") + b"bad\r\n"
    replies = [
        ask(server, "GET", "/bucket/there"), ask(server, "HEAD", "/bucket/none"), ask(server, "GET", "/bucket/none"),
        ask(server, "GET", "/bucket/there", fields=[("if-none-match", etag)]),
        ask(server, "GET", "/bucket/there", fields=[("range", "bytes=0-1")]), ask(server, "GET", "/bucket?torrent"),
        get(server, "/bucket/there"), get(server, "/health"), get(server, "/metrics"), get(server, "/metrics/none"),
        get(server, "/", ("x", "y" * 17_000)), get(server, "/", ("host", "b")),
        get(server, "/health", method="POST"), get(server, "/%ff", method="PROPFIND"),
    ]  # fmt: skip
    with Wire(server) as wire:
        wire.send(bad)
        replies.append(wire.answer())
    assert [reply.status for reply in replies[:6]] == [200, 404, 404, 304, 206, 501]
    ids = [reply.get("x-request-id") for reply in replies]
    assert None not in ids
    assert len(set(ids)) == len(ids)
    assert (ids[2] or "none") in replies[2].body.decode()
