"""Commands that are ended in the middle of their work."""

from __future__ import annotations

import array
import fcntl
import os
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

from entrepot.cli.folders import LEFTOVER_AGE
from tests.cli.programs import Shell
from tests.server import program

LARGE = 9 * 1024 * 1024 + 17
ENDS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@ENDS
def test_an_upload_that_is_interrupted_leaves_nothing_and_waits_for_nobody(
    filled: Shell, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [*program(), "put", "-", "photos/x"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=filled.home,
        env=filled.environment,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(bytes(16 * 1024 * 1024))  # more than a pipe holds: it is being read when this returns
    process.stdin.flush()
    process.send_signal(number)
    assert process.wait(60) == 128 + number  # although nobody has closed its input
    process.stdin.close()
    with process.stderr as told:
        assert told.read() == b"entrepot: interrupted\n"
    assert filled.run("ls", "photos").out == ""


@ENDS
def test_a_download_that_is_interrupted_leaves_no_part(filled: Shell, tmp_path: Path, number: signal.Signals) -> None:
    filled.run("put", "-", "photos/x", stdin=bytes(LARGE))
    part = slowly(filled, tmp_path / "out", number)
    assert not part.exists()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_part_that_a_killed_download_left_goes_when_it_is_old(filled: Shell, tmp_path: Path) -> None:
    filled.run("put", "-", "photos/x", stdin=bytes(LARGE))
    part = slowly(filled, tmp_path / "out", signal.SIGKILL)
    assert part.exists()
    filled.run("get", "photos/x", tmp_path / "out")
    assert part.exists()  # it might be another's, who is still writing
    ahead = f"import time; now = time.time; time.time = lambda: now() + {LEFTOVER_AGE + 60}"
    code = f"{ahead}; from entrepot.cli.program import run; run(['get', 'photos/x', {str(tmp_path / 'out')!r}])"
    assert filled.python(code) == (0, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """More files than a small pipe holds lines about them, and as many objects."""
    shell = Shell(tmp_path_factory.mktemp("many"))
    shell.run("bucket", "create", "photos")
    (shell.home / "many").mkdir()
    for number in range(500):
        (shell.home / "many" / f"{number:040}").touch()
    shell.run("put", "-r", "many", "photos/many")
    return shell


@pytest.mark.parametrize("words", ["ls -r photos", "put -r many photos/again", "get -r photos/many out"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_whose_output_nobody_reads_can_be_ended(many: Shell, words: str, number: signal.Signals) -> None:
    ours, its = os.pipe()
    size = fcntl.fcntl(its, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [*program(), *words.split()], stdout=its, stderr=subprocess.PIPE, cwd=many.home, env=many.environment
    )
    os.close(its)
    deadline, held = time.monotonic() + 60, array.array("i", [0])
    while held[0] < size:  # then it waits, as what it writes at once is more than that
        assert time.monotonic() < deadline
        time.sleep(0.01)
        fcntl.ioctl(ours, termios.FIONREAD, held)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    os.close(ours)
    assert process.stderr is not None
    with process.stderr as told:
        assert told.read() == b"entrepot: interrupted\n"
    assert list(many.home.glob("out/.entrepot-*")) == []


def slowly(shell: Shell, out: Path, number: signal.Signals) -> Path:
    """Fetch ``photos/x`` with a pause before each write of the file, and end it by a signal; the part's path."""
    code = (
        "import sys, time, entrepot.cli.folders as folders; from entrepot.cli.program import run\n"
        "class Slow:\n"
        "    def __init__(self): self.whole = folders_blake3()\n"
        "    def update(self, data): self.whole.update(data); time.sleep(0.3)\n"
        "    def digest(self): return self.whole.digest()\n"
        "folders_blake3 = folders.blake3; folders.blake3 = Slow\n"
        f"sys.exit(run(['get', 'photos/x', {str(out / 'x')!r}]))"
    )
    process = subprocess.Popen([program()[0], "-c", code], cwd=shell.home, env=shell.environment)
    deadline = time.monotonic() + 60
    while not (found := list(out.glob(".entrepot-*.part"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(60) == (-number if number is signal.SIGKILL else 128 + number)
    return found[0]
