"""The command ``entrepot``: what a person or a script does with a server's data.

Every command but ``serve`` opens catalog and stores itself, as the root key would, so it works
beside a running server and without one. A command is a function in a module of its subject, which
is imported when it is asked for: ``entrepot --help`` stays quick.
"""

from entrepot.cli.program import main

__all__ = ["main"]
