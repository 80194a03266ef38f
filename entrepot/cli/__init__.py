"""The command ``entrepot``: what a person or a script does with a server's data.

Every command but ``serve`` opens catalog and stores itself, as the root key would, so it works
beside a running server and without one. A command is a function in a module of its subject, which
is imported when it is asked for: ``entrepot --help`` stays quick.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line of this process, and exit; an interruption may come while it is still starting."""
    try:
        from entrepot.cli.program import main as run

        run()
    except KeyboardInterrupt:
        os.write(2, b"entrepot: interrupted\n")
        sys.exit(130)
