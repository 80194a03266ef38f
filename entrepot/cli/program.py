"""From the words of a command line to a function, and from what it raises to an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError, UnusedCliTokensError

from entrepot import __version__
from entrepot.cli.words import STDIO, Misused, advice, complain, fault, give_up_output, printing, say
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
    "jobs": (
        "See what the server does by itself, and ask for it.",
        {
            "list": ("jobs:list_", "List what runs by itself, and how it is."),
            "show": ("jobs:show", "Tell everything of one job."),
            "run": ("jobs:run", "Have a job begin now."),
            "cancel": ("jobs:cancel", "End a round of a job before its end."),
        },
    ),
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
    mend_streams()
    sys.exit(run(sys.argv[1:]))


def mend_streams() -> None:
    r"""Standard streams that the caller has closed fail when they are used, and no file that is opened
    later takes their place. What the terminal's encoding lacks is written as ``\xNN``.
    """
    # Opened the wrong way round, so that reading and writing are refused. Trouble alone may go nowhere.
    wrong = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for number, (name, flags) in enumerate(wrong.items()):
        stream = getattr(sys, name)
        if stream is None:
            handle = os.open(os.devnull, flags)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115 - it stays open
        elif isinstance(stream, io.TextIOWrapper) and name != "stdin":
            stream.reconfigure(errors="backslashreplace")


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code.

    0 is success, 1 a failure that one line on standard error explains, 2 a command line that
    cannot be meant, 130 an interruption.
    """
    # A lone hyphen reads as an option where a path is due, so it travels under another name.
    words = [STDIO if word == "-" else word for word in arguments]
    try:
        if words and words[0].startswith("--") and words[0] not in {"--help", "--version"}:
            raise Misused(f"the command comes first: entrepot COMMAND {words[0]} …")
        if "" in words:  # as a path it would be the working directory
            raise Misused("an argument is empty: perhaps a variable of the shell is not set")
        code = build(words)(words, exit_on_error=False, print_error=False, result_action="return_value")
        with printing():
            sys.stdout.flush()
    except UnusedCliTokensError as error:
        unused = " ".join(error.unused_tokens or []).replace(STDIO, "-")
        complain(f"too many words: {unused} ({_help(words)} explains)")
        return MISUSED
    except CycloptsError as error:
        complain(f"{' '.join(str(error).replace(STDIO, '-').split())} ({_help(words)} explains)")
        return MISUSED
    except Misused as error:
        complain(str(error))
        return MISUSED
    except EntrepotError as error:
        complain(advice(error))
        return FAILED
    except BrokenPipeError:
        give_up_output()
        return BROKEN_PIPE
    except OSError as error:
        complain(fault(error))
        give_up_output()
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    return code or 0


def _help(words: Sequence[str]) -> str:
    """The command line that explains the command which ``words`` begin with."""
    first, second = (*words[:2], "", "")[:2]
    known = [first] if first in COMMANDS or first in GROUPS else []
    if first in GROUPS and second in GROUPS[first][1]:
        known.append(second)
    return " ".join(["entrepot", *known, "--help"])


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
