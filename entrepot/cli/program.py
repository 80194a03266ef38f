"""From the words of a command line to a function, and from what it raises to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

from entrepot import __version__
from entrepot.cli.words import STDIO, Misused, advice, complain, say
from entrepot.errors import EntrepotError

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 128 + 2
BROKEN_PIPE: Final = 128 + 13

COMMANDS: Final = {
    "serve": ("serving:serve", "Answer requests until told to stop."),
    "config": ("serving:config", "Show every setting, and where it comes from."),
    "doctor": ("doctor:doctor", "Look for what would keep the server from working."),
    "put": ("transfers:put", "Store local files."),
    "get": ("transfers:get", "Fetch objects into local files."),
    "cp": ("transfers:cp", "Copy files and objects, in any direction."),
    "ls": ("listings:ls", "List buckets and objects."),
    "rm": ("listings:rm", "Delete objects."),
    "export": ("exports:export", "Write a bucket out as plain files: the way out."),
    "check": ("upkeep:check", "Compare the catalog with the stores."),
    "collect": ("upkeep:collect", "Remove bytes that nothing names any more."),
    "version": ("program:version", "Print the version."),
}
GROUPS: Final = {
    "key": (
        "Make, list and revoke access keys.",
        {
            "create": ("keys:create", "Make an access key for an account."),
            "list": ("keys:list_", "List access keys, without their secrets."),
            "revoke": ("keys:revoke", "Refuse an access key from now on."),
        },
    ),
    "bucket": (
        "Make, list, change and delete buckets.",
        {
            "create": ("buckets:create", "Make a bucket."),
            "list": ("buckets:list_", "List buckets with their settings."),
            "set": ("buckets:set_", "Change settings of a bucket."),
            "delete": ("buckets:delete", "Delete an empty bucket."),
        },
    ),
}


def main() -> None:
    """Run the command line of this process, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code.

    0 is success, 1 a failure that one line on standard error explains, 2 a command line that
    cannot be meant, 130 an interruption.
    """
    # A lone hyphen reads as an option where a path is due, so it travels under another name.
    words = [STDIO if word == "-" else word for word in arguments]
    try:
        code = build(words)(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        complain(f"{' '.join(str(error).replace(STDIO, '-').split())} (entrepot --help explains)")
        return MISUSED
    except Misused as error:
        complain(str(error))
        return MISUSED
    except EntrepotError as error:
        complain(advice(error))
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has read enough; nothing more can be said to them, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    return code or 0


def build(words: Sequence[str]) -> App:
    """The commands. Those that ``words`` do not name are known by one line, and not imported."""
    app = App(
        "entrepot",
        help="Object storage that keeps bytes once and names them many times.",
        help_epilogue="`entrepot COMMAND --help` tells more. docs/cli.md has examples.",
        version=f"entrepot {__version__}",
        suppress_keyboard_interrupt=False,
    )
    _register(app, COMMANDS, words[:1])
    for name, (about, commands) in GROUPS.items():
        group = App(name, help=about)
        _register(group, commands, words[1:2] if words[:1] == [name] else [])
        app.command(group)
    return app


def _register(app: App, commands: dict[str, tuple[str, str]], asked: Sequence[str]) -> None:
    for name, (place, about) in commands.items():
        app.command(f"entrepot.cli.{place}", name=name, help=None if name in asked else about)


def version() -> None:
    """Print the version."""
    say(f"entrepot {__version__}")
