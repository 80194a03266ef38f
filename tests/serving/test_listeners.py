"""Several addresses of one server: their doors, their TLS, the proxies that they believe."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from entrepot.config import Listener
from entrepot.serving.sockets import listening
from tests.cli.programs import Shell
from tests.server import Server, free_port, make_certificate
from tests.serving.processes import children
from tests.serving.raw import Reply, Wire, ask, head, proof

GET_HEALTH = head("GET", "/health", [("host", "a")])


class Other(Wire):
    """A connection to another address of a server, by a Unix socket, or with TLS."""

    def __init__(self, address: tuple[str, int] | str, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(60)
        self.socket.connect(address)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._came = b""


def get(address: tuple[str, int] | str, target: str, fields: Mapping[str, str] | None = None) -> Reply:
    with Other(address) as wire:
        wire.send(head("GET", target, [("host", "a"), *(fields or {}).items()]))
        return wire.answer()


@contextlib.contextmanager
def serving(folder: Path, toml: str, workers: int = 2) -> Iterator[Server]:
    """A server whose file of settings names addresses; the first has its doors all, for its start is seen there."""
    server = Server(folder / "data", workers=workers)
    text = f'[[listen]]\naddress = "127.0.0.1:{server.port}"\n{toml}'
    (folder / "entrepot.toml").write_text(text)
    server.listens = False
    with server:
        yield server


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def test_each_address_has_its_doors(tmp_path: Path) -> None:
    metrics, path = free_port(), str(tmp_path / "s3.sock")
    toml = f"""
        [[listen]]
        address = "127.0.0.1:{metrics}"
        doors = ["monitor"]
        [[listen]]
        address = "unix:{path}"
        doors = "s3"
    """
    with serving(tmp_path, toml) as server:
        assert ask(server, "PUT", "/health").status == 200
        assert get(("127.0.0.1", metrics), "/health").status == 200
        assert get(("127.0.0.1", metrics), "/bucket").status == 404
        assert get(path, "/health").code == "AccessDenied"
        for _ in range(8):  # whichever worker takes it
            with Other(path) as wire:
                wire.send(head("GET", "/health", proof(server, "GET", "/health")))
                assert b"<Name>health</Name>" in wire.answer().body
        shell = Shell(tmp_path, {"ENTREPOT_DATA": str(server.data)})
        said = [line for line in shell.run("doctor").out.splitlines() if " port " in line]
        assert [line.split()[0] for line in said] == ["ok"] * 3
        assert f"unix:{path} (s3)" in said[2]
        assert "is in use" in shell.fail("serve", "--listen", f"unix:{path}")
        # Told once every worker is there, which may be after the first answers.
        greeting = next(line for line in server.log.read_text().splitlines() if " listens on " in line)
        for text in (f"http://127.0.0.1:{server.port},", f"http://127.0.0.1:{metrics} (monitor)", f"unix:{path} (s3)"):
            assert text in greeting
    assert not Path(path).exists()


def test_a_door_that_is_closed_can_be_had_nowhere(tmp_path: Path) -> None:
    (tmp_path / "entrepot.toml").write_text('[[listen]]\naddress = "127.0.0.1:0"\ndoors = ["s4"]\n')
    line = Shell(tmp_path).fail("serve")
    assert "the door s4 of 127.0.0.1:0 is not open; open are monitor, s3" in line
    (tmp_path / "entrepot.toml").write_text('[[listen]]\naddress = "127.0.0.1:0"\ndoors = ["s3"]\n')
    assert "is not open" in Shell(tmp_path).fail("serve", "--doors", "monitor")


def test_the_socket_of_a_server_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    path = str(tmp_path / "s3.sock")
    with serving(tmp_path, f'[[listen]]\naddress = "unix:{path}"\n') as server:
        server.kill9()
        assert Path(path).is_socket()
        server.start()
        assert get(path, "/health").status == 200
    Path(path).write_text("no socket")
    assert "is no socket" in Shell(tmp_path).fail("serve", "--listen", f"unix:{path}")


def test_the_socket_of_a_server_that_begins_is_not_taken_for_one_that_was_left(tmp_path: Path) -> None:
    listener = Listener(address=f"unix:{tmp_path / 's3.sock'}")
    with listening([listener], 1):
        with pytest.raises(OSError, match="in use"), listening([listener], 1):
            pass
        assert (tmp_path / "s3.sock").is_socket()


def test_proxies_are_believed_where_they_are_trusted(tmp_path: Path) -> None:
    path, port = str(tmp_path / "web.sock"), free_port()
    toml = f"""
        [[listen]]
        address = "unix:{path}"
        trusted_proxies = ["unix"]
        forwarded_prefixes = ["/files"]
        [[listen]]
        address = "127.0.0.1:{port}"
        trusted_proxies = ["127.0.0.0/8"]
        forwarded_by = "forwarded"
    """
    with serving(tmp_path, toml) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        # What a client signed for the proxy's own name and path, as the proxy sends it on.
        outer = proof(server, "GET", "/files/bucket", host="files.example")[1:]
        seen = {"x-forwarded-for": "192.0.2.7", "x-forwarded-host": "files.example", "x-forwarded-prefix": "/files"}
        inner = dict(outer) | {"host": "inner"}
        for address, fields, status in (
            (path, inner | seen, 200), (path, inner, 403), (path, inner | seen | {"x-forwarded-prefix": "/fil"}, 403),
            (("127.0.0.1", server.port), inner | seen, 403),
            (("127.0.0.1", port), inner | seen, 403),
        ):  # fmt: skip
            with Other(address) as wire:
                wire.send(head("GET", "/bucket", fields.items()))
                assert wire.answer().status == status
        assert get(("127.0.0.1", port), "/health", {"forwarded": "for=198.51.100.9;proto=https"}).status == 200
        server.stop()
        clients = [
            json.loads(line).get("client") for line in server.log.read_text().splitlines() if '"request"' in line
        ]
        assert {"192.0.2.7", "198.51.100.9"} <= {*clients}
        server.start()


@pytest.mark.parametrize("told", [True, False], ids=["SIGHUP", "seen"])
def test_a_certificate_that_changes_is_used_by_the_next_handshake(tmp_path: Path, *, told: bool) -> None:
    port, first, second = free_port(), make_certificate(tmp_path / "1"), make_certificate(tmp_path / "2")
    live = tmp_path / "live"
    shutil.copytree(tmp_path / "1", live)
    toml = f"""
        [[listen]]
        address = "127.0.0.1:{port}"
        tls_certificate = "{live / first.chain.name}"
        tls_key = "{live / first.key.name}"
    """

    def signed_by(authority: Path) -> bool:
        try:
            with Other(("127.0.0.1", port), ssl.create_default_context(cafile=authority)) as wire:
                wire.send(GET_HEALTH)
                return wire.answer().status == 200
        except ssl.SSLError:
            return False

    with serving(tmp_path, toml) as server:
        assert signed_by(first.authority)
        assert ask(server, "PUT", "/bucket").status == 200
        with Other(("127.0.0.1", port), ssl.create_default_context(cafile=first.authority)) as kept:
            (live / first.chain.name).write_bytes(second.chain.read_bytes())  # and not yet its key
            os.kill(server.pid, signal.SIGHUP)
            wait_until("it is told", lambda: "certificate not read" in server.log.read_text())
            assert signed_by(first.authority)
            (live / first.key.name).write_bytes(second.key.read_bytes())
            if told:
                os.kill(server.pid, signal.SIGHUP)
            wait_until("all workers have it", lambda: all(signed_by(second.authority) for _ in range(10)))
            kept.send(GET_HEALTH)
            assert kept.answer().status == 200
        worker = children(server.pid)[0]
        os.kill(worker, signal.SIGKILL)
        wait_until("it is replaced", lambda: len({*children(server.pid)} - {worker}) == 2)
        assert all(signed_by(second.authority) for _ in range(10))


def test_config_shows_addresses_as_they_can_be_written(tmp_path: Path) -> None:
    toml = '[[listen]]\naddress = "127.0.0.1:1"\ndoors = ["s3"]\n\n[[listen]]\naddress = "unix:/run/a"\n'
    (tmp_path / "entrepot.toml").write_text(toml)
    said = Shell(tmp_path).run("config").out
    assert tomllib.loads(said)["listen"] == [{"address": "127.0.0.1:1", "doors": ["s3"]}, "unix:/run/a"]
    (tmp_path / "entrepot.toml").write_text(said)
    again = Shell(tmp_path).run("config").out
    assert tomllib.loads(again) == tomllib.loads(said)
