"""The program as a shell runs it: arguments in, exit code and both outputs back."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.server import CHECKOUT, program

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str
    data: bytes

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


STRANGE = ("AWS_", "ENTREPOT_", "PYTHONUNBUFFERED")
"""What the variables begin with that a user's environment may not have."""


def _bow() -> None:
    """Take from the process, and from root's programs that it becomes, what looks past permissions."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Shell:
    """A working directory with ``entrepot-data`` in it, and no settings but those given. A ``humble`` one may
    not pass over the permissions of files, be its user root.
    """

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    humble: bool = False

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(STRANGE)}
        clean["PYTHONPATH"] = os.pathsep.join(filter(None, (str(CHECKOUT), clean.get("PYTHONPATH"))))
        return clean | dict(self.settings)

    def attempt(self, *words: str | Path, stdin: bytes = b"") -> Done:
        """Run to whatever end."""
        done = subprocess.run(
            [*program(), *map(str, words)],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self.home,
            env=self.environment,
            timeout=120,
            preexec_fn=_bow if self.humble else None,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode(), done.stdout)

    def into(self, out: IO[bytes], *words: str) -> tuple[int, str]:
        """Run with standard output elsewhere: the exit code, and what was told."""
        return self._told([*program(), *words], out)

    def line(self, text: str) -> tuple[int, str]:
        """Run words as a line of the shell bash, where they can be redirected: the exit code, and what was told."""
        return self._told(["bash", "-c", f"{shlex.join(program())} {text}"], subprocess.PIPE)

    def python(self, code: str) -> tuple[int, str]:
        """Run other code where the program would run."""
        return self._told([program()[0], "-c", code], subprocess.PIPE)

    def _told(self, command: list[str], out: IO[bytes] | int) -> tuple[int, str]:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, check=False, cwd=self.home,
            env=self.environment, timeout=120,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode, done.stderr.decode()

    def run(self, *words: str | Path, stdin: bytes = b"") -> Done:
        """Run to success."""
        done = self.attempt(*words, stdin=stdin)
        assert done.code == 0, f"{words} ended with {done.code}: {done.out}{done.err}"
        return done

    def fail(self, *words: str | Path, code: int = 1, stdin: bytes = b"") -> str:
        """Run to a failure that one line explains; returns the line."""
        done = self.attempt(*words, stdin=stdin)
        assert done.code == code, f"{words} ended with {done.code}: {done.out}{done.err}"
        assert done.err.startswith("entrepot: ")
        assert done.err.count("\n") == 1, done.err
        return done.err
