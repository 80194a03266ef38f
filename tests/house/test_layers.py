"""The contracts on imports catch what they are for: each violation is planted in a copy of the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

PLANTED: Final = {
    "core → an engine": ("core/objects.py", "import entrepot.catalog.sqlite.engine"),
    "core → the HTTP server": ("core/objects.py", "import entrepot.http1.parser"),
    "an operation → an engine": ("catalog/operations/objects.py", "import entrepot.catalog.sqlite.turnstile"),
    "a door → the catalog": ("doors/s3/routes.py", "import entrepot.catalog.operations.objects"),
    "a door → another": ("doors/s3/routes.py", "import entrepot.doors.monitor"),
    "a protocol → core": ("protocols/tus/rules.py", "import entrepot.core.uploads"),
    "a protocol → another": ("protocols/tus/rules.py", "import entrepot.protocols.resumable.rules"),
    "a store → the catalog": ("blobs/memory.py", "import entrepot.catalog.operations.blobs"),
    "core → the settings": ("core/objects.py", "import entrepot.config"),
    "the wire → core": ("wire/http.py", "import entrepot.core.access"),
    "a package in no layer": ("stray/__init__.py", ""),
}


def test_the_package_as_it_is_keeps_them(tmp_path: Path) -> None:
    done = lint(tmp_path, "core/objects.py", "")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED.keys())
def test_a_violation_is_caught(planted: tuple[str, str], tmp_path: Path) -> None:
    done = lint(tmp_path, *planted)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def lint(folder: Path, module: str, line: str) -> subprocess.CompletedProcess[str]:
    """The contracts held against a copy of the package with one more line, which alone is on the path."""
    shutil.copytree(ROOT / "entrepot", folder / "entrepot", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    changed = folder / "entrepot" / module
    changed.parent.mkdir(exist_ok=True)
    text = changed.read_text() if changed.exists() else ""
    changed.write_text(f"{text}\n{line}\n")
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
