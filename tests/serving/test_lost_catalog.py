"""A catalog that is lost, taken away or damaged, before the start or under a server that runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.server import Server, ServerFailed
from tests.serving.raw import Wire, ask, head

LARGE = os.urandom(100_000)
PAGE = 4096


def filled(server: Server) -> None:
    assert ask(server, "PUT", "/bucket").status == 200
    assert ask(server, "PUT", "/bucket/large", LARGE).status == 200


def health(server: Server) -> int:
    with Wire(server) as wire:
        wire.send(head("GET", "/health", [("host", "a")]))
        return wire.answer().status


def failed_start(server: Server) -> str:
    with pytest.raises(ServerFailed) as caught, server:
        pass
    return str(caught.value)


def lose(data: Path, how: str) -> None:
    for path in data.glob("catalog.sqlite*"):
        path.unlink()
    if how == "emptied":
        (data / "catalog.sqlite").touch()


@pytest.mark.parametrize("how", ["missing", "emptied"])
def test_a_lost_catalog_is_not_begun_anew_beside_blobs(tmp_path: Path, how: str) -> None:
    server = Server(tmp_path / "data")
    with server:
        filled(server)
    shutil.copytree(server.data, tmp_path / "backup")
    lose(server.data, how)
    told = failed_start(server)
    for word in ("Restore", "ENTREPOT_ALLOW_EMPTY_CATALOG=true", str(server.data / "blobs")):
        assert word in told
    assert (server.data / "catalog.sqlite").exists() == (how == "emptied")
    lose(server.data, "missing")
    shutil.copy(tmp_path / "backup" / "catalog.sqlite", server.data)
    with server:
        assert ask(server, "GET", "/bucket/large").body == LARGE
    lose(server.data, how)
    with Server(server.data, environment={"ENTREPOT_ALLOW_EMPTY_CATALOG": "true"}) as anew:
        filled(anew)
    with server:  # once was enough
        assert ask(server, "GET", "/bucket/large").body == LARGE


def test_a_log_whose_catalog_is_missing_is_kept(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    with server:
        assert ask(server, "PUT", "/bucket").status == 200
        server.kill9()
    log = server.data / "catalog.sqlite-wal"
    written = log.read_bytes()
    assert b"bucket" in written
    (server.data / "catalog.sqlite").rename(tmp_path / "moved")
    assert str(log) in failed_start(server)
    assert log.read_bytes() == written
    (tmp_path / "moved").rename(server.data / "catalog.sqlite")
    with server:
        assert ask(server, "GET", "/bucket").status == 200


def test_nothing_is_written_to_a_catalog_that_was_taken_away(tmp_path: Path) -> None:
    with Server(tmp_path / "data", workers=2) as server:
        filled(server)
        catalog = server.data / "catalog.sqlite"
        catalog.rename(tmp_path / "moved")
        for _ in range(8):
            reply = ask(server, "PUT", "/bucket/small", b"small")
            assert (reply.status, reply.code) == (503, "ServiceUnavailable")
            assert health(server) == 503
        assert ask(server, "GET", "/bucket/large").body == LARGE
        for _ in range(8):  # no list opens what is not there, nor makes it
            assert ask(server, "GET", "/bucket").status in (200, 503)
        assert not catalog.exists()
        (tmp_path / "moved").rename(catalog)
        assert health(server) == 200
        assert ask(server, "PUT", "/bucket/small", b"small").status == 200


def test_a_catalog_that_was_replaced_is_left_alone(tmp_path: Path) -> None:
    """What stands at the name by then is another catalog's, and so is the log beside it."""
    with Server(tmp_path / "data") as server:
        filled(server)
        catalog = server.data / "catalog.sqlite"
        log = server.data / "catalog.sqlite-wal"
        for path in (catalog, log):
            (tmp_path / "new").write_bytes(b"another " + path.name.encode())
            (tmp_path / "new").rename(path)
        assert ask(server, "PUT", "/bucket/small", b"small").status == 503
        assert ask(server, "DELETE", "/bucket/large").status == 503
        assert ask(server, "GET", "/bucket").status == 503
        assert health(server) == 503
        assert server.stop() == 0
        for path in (catalog, log):
            assert path.read_bytes() == b"another " + path.name.encode()


def test_damage_is_told_from_the_first_time_on_and_by_every_worker(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", workers=2)
    with server:
        filled(server)
        for number in range(200):
            assert ask(server, "PUT", f"/bucket/{number:03}{'x' * 800}", b"small").status == 200
    with server:
        assert [health(server) for _ in range(8)] == [200] * 8
        catalog = server.data / "catalog.sqlite"
        with catalog.open("r+b") as file:
            file.seek(PAGE)
            file.write(b"\xa5" * (catalog.stat().st_size - PAGE))
        assert ask(server, "GET", f"/bucket/150{'x' * 800}").status == 500
        assert [health(server) for _ in range(8)] == [503] * 8
    assert "the catalog is damaged" in server.log.read_text("utf-8")
