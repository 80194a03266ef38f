"""The page about the command: what is pasted from it, from above to below, works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.programs import Shell
from tests.server import CHECKOUT, program

BEFORE = """\
set -eu -o pipefail
entrepot() {{ {program} "$@"; }}
pg_dump() {{ echo dump; }}
less() {{ cat; }}
mkdir pictures
printf 'a secret of some length' > secret-file
for file in hello.txt a.jpg b.jpg pictures/c.jpg; do echo $file > $file; done
"""


def test_the_examples_work_when_pasted(shell: Shell, tmp_path: Path) -> None:
    page = (CHECKOUT / "docs/cli.md").read_text()
    page = page[page.index("\n## Buckets\n") : page.index("\n## Back up\n")]
    examples = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 7
    script = tmp_path / "script"
    script.write_text(BEFORE.format(program=shlex.join(program())) + "".join(examples))
    code, said = shell.line(f"--version; source {script}")
    assert code == 0, said
    assert (tmp_path / "from-archive/c.jpg").read_text() == "pictures/c.jpg\n"
