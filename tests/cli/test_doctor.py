"""doctor and config."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import time
import tomllib
from pathlib import Path

import pytest

from tests.certificate import make_certificate
from tests.cli.programs import Shell
from tests.postgres import Postgres
from tests.server import Server


def findings(said: str) -> dict[str, list[str]]:
    """The lines by their state."""
    found: dict[str, list[str]] = {"ok": [], "warning": [], "BAD": []}
    for line in said.splitlines():
        state, rest = line.split(maxsplit=1)
        found[state].append(rest)
    return found


@pytest.fixture
def quiet(filled: Shell) -> Shell:
    """Sound data, and a port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Shell(filled.home, {"ENTREPOT_LISTEN": f"127.0.0.1:{port}"})


def test_nothing_is_wrong(quiet: Shell) -> None:
    found = findings(quiet.run("doctor").out)
    assert found["BAD"] == []
    text = "\n".join(found["ok"])
    for word in ("can be written and synced", "SQLite, schema", "mode 0600", "is free", "UTC"):
        assert word in text
    assert [path for path in quiet.home.rglob("*") if "doctor" in path.name] == []


def test_before_the_first_start(shell: Shell) -> None:
    found = findings(shell.attempt("doctor").out)
    assert "will be made at the first start" in "\n".join(found["ok"])
    assert not (shell.home / "entrepot-data").exists()


def test_beside_a_server(server: Server, beside: Shell) -> None:
    shell = Shell(beside.home, {"ENTREPOT_LISTEN": f"127.0.0.1:{server.port}"})
    found = findings(shell.run("doctor").out)
    assert "a server answers" in found["ok"][-1]
    assert [line for line in found["warning"] if line.startswith("port")] == []


def test_beside_a_server_of_other_data(server: Server, filled: Shell) -> None:
    shell = Shell(filled.home, {"ENTREPOT_LISTEN": f"127.0.0.1:{server.port}"})
    (line,) = (line for line in findings(shell.run("doctor").out)["warning"] if line.startswith("port"))
    assert "no entrepot serve runs on entrepot-data" in line
    assert "is in use" in shell.fail("serve")
    assert "a server answers" in findings(Shell(server.data.parent, shell.settings).run("doctor").out)["ok"][-1]


def test_what_is_wrong_is_found(quiet: Shell) -> None:
    data = quiet.home / "entrepot-data"
    (data / "secret.key").chmod(0o644)
    future = time.time() + 86_400
    os.utime(data / "catalog.sqlite", (future, future))
    (data / "blobs").rename(data / "elsewhere")
    (data / "blobs").write_text("no directory")
    done = quiet.attempt("doctor")
    bad = "\n".join(findings(done.out)["BAD"])
    assert done.code == 1
    for word in ("chmod 600", "clock is behind", "catalog"):
        assert word in bad


def test_settings_of_doors(quiet: Shell) -> None:
    assert "s3" in next(line for line in findings(quiet.run("doctor").out)["ok"] if line.startswith("doors"))
    (quiet.home / "entrepot.toml").write_text("[doors.s3]\nregoin = 'x'\n")
    done = quiet.attempt("doctor")
    assert done.code == 1
    assert findings(done.out)["BAD"] == [
        "doors        doors.s3.regoin: there is no such setting; the nearest is doors.s3.region"
    ]


def test_a_missing_store_is_told_without_sending_back_to_doctor(quiet: Shell) -> None:
    quiet.run("put", "-", "photos/x", stdin=b"x" * 100_000)
    shutil.rmtree(quiet.home / "entrepot-data" / "blobs")
    (line,) = findings(quiet.attempt("doctor").out)["BAD"]
    assert "mount its disk" in line
    assert "entrepot doctor" not in line


def test_a_port_of_somebody_else(quiet: Shell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        shell = Shell(quiet.home, {"ENTREPOT_LISTEN": f"127.0.0.1:{other.getsockname()[1]}"})
        other.settimeout(0.1)
        done = shell.attempt("doctor")
    assert done.code == 1
    assert "is in use" in "\n".join(findings(done.out)["BAD"])


def test_tls_files(quiet: Shell, tmp_path: Path) -> None:
    tls = make_certificate(tmp_path / "tls")
    settings = {"ENTREPOT_TLS_CERTIFICATE": str(tls.chain), "ENTREPOT_TLS_KEY": str(tls.key)}
    shell = Shell(quiet.home, {**quiet.settings, **settings})
    found = findings(shell.run("doctor").out)
    assert "valid until" in "\n".join(found["warning"])  # the certificates of tests live for two days
    tls.key.chmod(0o644)
    assert "chmod 600" in "\n".join(findings(shell.run("doctor").out)["warning"])
    tls.key.write_text("")
    assert "tls_certificate" in "\n".join(findings(shell.attempt("doctor").out)["BAD"])


def test_a_catalog_in_postgresql(tmp_path: Path) -> None:
    with Postgres() as postgres:
        shell = Shell(tmp_path, {"ENTREPOT_CATALOG": postgres.new_schema(), "ENTREPOT_LISTEN": "127.0.0.1:0"})
        shell.run("bucket", "create", "photos")
        shell.run("put", "-", "photos/x", stdin=b"x")
        assert shell.run("get", "photos/x", "-").data == b"x"
        said = shell.run("doctor").out
    assert "PostgreSQL, schema" in said
    assert "synchronous_commit is on" in said
    assert "entrepot doctor" in shell.fail("ls")


def test_config_shows_values_and_sources_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "entrepot.toml").write_text('workers = 3\n[log]\nlevel = "warning"\n')
    secrets = {
        "ENTREPOT_ACCESS_KEY": "SHOWNKEY",
        "ENTREPOT_SECRET_KEY": "hidden-secret",
        "ENTREPOT_SEALING_KEY": base64.b64encode(b"h" * 32).decode(),
        "ENTREPOT_METRICS__TOKEN": "hidden-token",
        "ENTREPOT_CATALOG": "postgresql://me:hidden-password@host/name",
    }
    shell = Shell(tmp_path, secrets)
    said = shell.run("config", "--data", "elsewhere").out
    assert "hidden" not in said
    assert secrets["ENTREPOT_SEALING_KEY"] not in said
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert lines["workers"].endswith("# entrepot.toml")
    assert lines["data"].startswith('data = "elsewhere"')
    assert lines["data"].endswith("# --data")
    assert lines["access_key"].endswith("# ENTREPOT_ACCESS_KEY")
    assert lines["region"].endswith("# default")
    tree = tomllib.loads(said)
    assert tree["workers"] == 3
    assert tree["log"]["level"] == "warning"
    assert not (tmp_path / "elsewhere").exists()
    assert "--workers" not in shell.fail("config", "--config", "absent.toml")
