"""serve: what its start prints, and what it refuses to start with."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from entrepot.cli.program import COMMANDS, GROUPS
from tests.certificate import make_certificate
from tests.cli.programs import Shell
from tests.server import Server, program

EXPORT = re.compile(r"^  export (AWS_[A-Z_]+)=(.+)$", re.MULTILINE)
LISTENS = re.compile(r"^Entrepôt \S+ listens on (https?)://127\.0\.0\.1:(\d+), data in (\S+)$", re.MULTILINE)


@contextmanager
def serving(shell: Shell, *words: str) -> Iterator[tuple[str, int]]:
    """A server on a free port: what it printed at its start, and its process id."""
    said = shell.home / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [*program(), "serve", "--listen", "127.0.0.1:0", "--workers", "2", *words],
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=shell.home,
            env=shell.environment,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while not answers(said.read_text()):
            assert process.poll() is None, "the server ended at once"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
        yield said.read_text(), process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(said: str) -> bool:
    match = LISTENS.search(said)
    if match is None:
        return False
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(match[2]))) == 0


def commands(said: str) -> list[str]:
    return re.findall(r"^  ((?:aws|python3|curl) .+)$", said, re.MULTILINE)


def paste(command: str, variables: dict[str, str], shell: Shell) -> str:
    """Run a line in a shell with these variables, as somebody does who pastes it."""
    environment = {**shell.environment, **variables, "HOME": str(shell.home)}
    # The interpreter of the tests has boto3 and the AWS command line beside it.
    beside = Path(sys.executable).parent
    environment["PATH"] = f"{beside}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env=environment, timeout=120, cwd=shell.home
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_catalog_is_its_owners_alone_in_a_directory_that_everybody_reads(shell: Shell) -> None:
    data = shell.home / "entrepot-data"
    data.mkdir()
    data.chmod(0o755)
    with serving(shell):
        files = {path.name: path.stat().st_mode & 0o777 for path in data.glob("catalog.*")}
    assert {"catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"} <= files.keys()
    assert set(files.values()) == {0o600}


def test_the_first_start_prints_a_key_once_and_commands_that_work(shell: Shell) -> None:
    with serving(shell) as (said, pid):
        variables = dict(EXPORT.findall(said))
        secret = variables["AWS_SECRET_ACCESS_KEY"]
        assert said.count(secret) == 1
        aws, boto3, curl = commands(said)
        assert "make_bucket: hello" in paste(aws, variables, shell)
        assert paste(boto3, variables, shell) == "['hello']\n"
        assert "<Name>hello</Name>" in paste(curl, variables, shell)
        assert secret.encode() not in arguments_of(pid)
    with serving(shell) as (said, _):
        assert EXPORT.findall(said) == []
        assert len(said.splitlines()) == 1
    everything = b"".join(path.read_bytes() for path in shell.home.rglob("*") if path.is_file() and path.name != "said")
    assert secret.encode() not in everything
    assert secret not in shell.run("key", "list").out


def arguments_of(group: int) -> bytes:
    """What the process list shows of a process group."""
    shown = b""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rpartition(")")[2].split()[2]) == group:
                shown += (status.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert b"serve" in shown
    return shown


def test_what_kubernetes_injects_is_told_in_the_log(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment={"ENTREPOT_PORT": "tcp://10.0.0.1:9000"}) as server:
        (line,) = [line for line in server.log.read_text().splitlines() if "passed by" in line]
        assert '"names":"ENTREPOT_PORT"' in line


def test_fixed_keys_are_not_printed(tmp_path: Path) -> None:
    keys = {"ENTREPOT_ACCESS_KEY": "FIXEDACCESS", "ENTREPOT_SECRET_KEY": "fixed-secret-1"}
    with serving(Shell(tmp_path, keys)) as (said, _):
        assert "FIXED" not in said
        assert "fixed-secret-1" not in said


def test_over_tls_the_commands_say_https(tmp_path: Path) -> None:
    tls = make_certificate(tmp_path / "tls")
    shell = Shell(tmp_path, {"ENTREPOT_TLS_CERTIFICATE": str(tls.chain), "ENTREPOT_TLS_KEY": str(tls.key)})
    with serving(shell) as (said, _):
        match = LISTENS.search(said)
        assert match is not None
        assert match[1] == "https"
        variables = dict(EXPORT.findall(said))
        assert variables["AWS_CA_BUNDLE"] == "AUTHORITY.pem CURL_CA_BUNDLE=AUTHORITY.pem"
        variables |= {"AWS_CA_BUNDLE": str(tls.authority), "CURL_CA_BUNDLE": str(tls.authority)}
        aws, boto3, curl = commands(said)
        paste(aws, variables, shell)
        assert paste(boto3, variables, shell) == "['hello']\n"
        assert "<Name>hello</Name>" in paste(curl, variables, shell)


def test_a_port_in_use_is_told_before_anything_starts(shell: Shell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        line = shell.fail("serve", "--listen", f"127.0.0.1:{other.getsockname()[1]}")
    assert "is in use" in line
    assert "--listen" in line


def test_a_second_server_on_the_port_is_refused(shell: Shell) -> None:
    with serving(shell) as (said, _):
        match = LISTENS.search(said)
        assert match is not None
        assert "is in use" in shell.fail("serve", "--listen", f"127.0.0.1:{match[2]}")


@pytest.mark.parametrize(
    ("certificate", "key", "hint"),
    [
        ("absent.pem", "server.key", "absent.pem cannot be read"),
        ("server.pem", "absent.key", "absent.key cannot be read"),
        ("server.pem", "text", "no certificate and key"),
        ("server.pem", "other/server.key", "is not the key of the certificate"),
    ],
)
def test_bad_tls_files(tmp_path: Path, certificate: str, key: str, hint: str) -> None:
    make_certificate(tmp_path)
    make_certificate(tmp_path / "other")
    (tmp_path / "text").write_text("no key")
    shell = Shell(tmp_path, {"ENTREPOT_TLS_CERTIFICATE": certificate, "ENTREPOT_TLS_KEY": key})
    assert hint in shell.fail("serve", "--listen", "127.0.0.1:0")
    assert not (tmp_path / "entrepot-data").exists()


@pytest.mark.parametrize(
    ("toml", "words", "hint"),
    [
        ("lissten = 1", [], "nearest is listen"),
        ("[doors.tuss]\nx = 1", [], "there is no door tuss to be set up; there is monitor, s3"),
        ("[doors.s3]\nregio = 1", [], "nearest is doors.s3.region"),
        ("[doors.s3]\nenabld = false", [], "nearest is doors.s3.enabled"),
        ("", ["--workers", "0"], "workers"),
        ("", ["--listen", "9000"], "'9000' is not host:port"),
        ("", ["--listen", "host.invalid:1"], "no host that is known"),
        ("", ["--data", "said/data"], "said/data: Not a directory"),
    ],
)
def test_settings_that_cannot_serve(shell: Shell, toml: str, words: list[str], hint: str) -> None:
    (shell.home / "entrepot.toml").write_text(toml)
    (shell.home / "said").write_text("")
    listen = [] if "--listen" in words else ["--listen", "127.0.0.1:0"]
    assert hint in shell.fail("serve", *listen, *words)


def test_a_newer_catalog_is_refused_in_one_line(filled: Shell) -> None:
    connection = apsw.Connection(str(filled.home / "entrepot-data" / "catalog.sqlite"))
    connection.execute("INSERT INTO migrations VALUES (9999, 'of tomorrow', 0)")
    connection.close()
    assert "start the newer entrepot" in filled.fail("serve", "--listen", "127.0.0.1:0")
    assert "start the newer entrepot" in filled.fail("ls")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["version"], ["key", "--help"]])
def test_help_does_not_load_the_server(shell: Shell, words: list[str]) -> None:
    """What makes a start slow is not what a person waits for who asks how to write a command."""
    code = (
        "import sys; from entrepot.cli.program import run; code = run(sys.argv[1:]); "
        "heavy = {'httptools', 'uvloop', 'apsw', 'awscrt', 'lxml', 'asyncpg', 'entrepot.core'} & set(sys.modules); "
        "sys.exit(code or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], check=False, capture_output=True, env=shell.environment)
    assert done.returncode == 0, done.stderr


def test_every_command_explains_itself(shell: Shell) -> None:
    said = shell.run("--help").out
    for command in [*COMMANDS, *GROUPS]:
        assert re.search(rf"\b{command} ", said)
    for words in ("serve", "put", "key create", "key revoke", "bucket set", "export", "collect", "doctor"):
        assert "--data" in shell.run(*words.split(), "--help").out
