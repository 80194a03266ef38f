"""``entrepot serve`` and ``entrepot config``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated

from cyclopts import Parameter

from entrepot.cli.greeting import greeting, introduction
from entrepot.cli.opening import Data, File, opened, settings
from entrepot.cli.preflight import check_listener, check_tls
from entrepot.cli.words import give_up_output, say
from entrepot.config import Config, Listener, Sourced
from entrepot.errors import ConfigInvalid


def serve(
    *,
    listen: Annotated[
        str | None,
        Parameter(
            help="HOST:PORT, or unix:PATH, or several with commas; port 0 takes a free one. [default: 127.0.0.1:9000]",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None, Parameter(help="Processes that answer. [default: one for each core]", show_default=False)
    ] = None,
    doors: Annotated[
        str | None,
        Parameter(help="Doors that are open, with commas; all others are closed. [default: all]", show_default=False),
    ] = None,
    data: Data = None,
    config: File = None,
) -> None:
    """Answer requests until told to stop (Ctrl-C or SIGTERM; requests under way are finished).

    The first start makes the data directory and a root key, and prints that key this once.
    """
    loaded = settings(data, config, listen=listen, workers=workers)
    chosen = loaded.config
    from entrepot.serving import serve as run
    from entrepot.serving import share_metrics

    share_metrics(chosen)  # first: the check imports what counts
    if doors is not None:
        chosen = _with_doors(chosen, doors)
    check_settings(chosen)
    _tell(chosen, loaded.passed_by)
    for listener in chosen.listeners:
        if listener.tls is not None:
            check_tls(*listener.tls)
    chosen = replace(chosen, listen=tuple(check_listener(listener) for listener in chosen.listeners))
    access, secret, made = asyncio.run(_prepare(chosen))
    # Flushed, as the workers would print again what is left in a buffer.
    if made:  # before anything else can go wrong: it is never shown again
        print(introduction(chosen, access, secret), flush=True)  # noqa: T201 - it has to stand as it is, to be pasted
    code = run(chosen, lambda: _greet(chosen))
    if code:
        raise SystemExit(code)


def _with_doors(config: Config, names: str) -> Config:
    """The settings with these doors open and no others. Raises ConfigInvalid."""
    from entrepot.app import find_doors

    wanted = {name.strip() for name in names.split(",")} - {""}
    there = find_doors().keys()
    for name in wanted - there:
        raise ConfigInvalid("--doors", names, f"there is no door {name}; there is {', '.join(there)}")
    tables = {name: {**config.doors.get(name, {}), "enabled": name in wanted} for name in there}
    return replace(config, doors={**config.doors, **tables})


def _tell(config: Config, passed_by: Sequence[str]) -> None:
    from entrepot.observe import configure_log, tell_passed_by

    configure_log(config)
    tell_passed_by(passed_by)


def _greet(config: Config) -> None:
    try:
        print(greeting(config), flush=True)  # noqa: T201 - as the introduction
    except OSError:  # whoever was to be told does not listen: no reason to end
        give_up_output()


async def _prepare(config: Config) -> tuple[str, str, bool]:
    """Make what is not there yet, and find out before any worker starts what is wrong with data and settings."""
    from entrepot.app import build_doors, open_doors

    async with opened(config) as core:
        build_doors(core, open_doors(config))
        return await core.keys.root_key()


def config(*, data: Data = None, config: File = None) -> None:
    """Show every setting with its value, as in entrepot.toml, and behind it where it comes from.

    Secrets are masked. What is not set at all stands in a comment.
    """
    from entrepot.app import open_doors

    loaded = settings(data, config)
    check_settings(loaded.config)
    named = {row.name for row in loaded.settings}
    words = (f"doors.{name}.enabled" for name in open_doors(loaded.config))
    rows = (*loaded.settings, *(Sourced(word, value=True, source="default") for word in words if word not in named))
    lines = [(_line(row.name, row.value), row.source) for row in rows]
    width = min(48, max(len(line) for line, _ in lines))
    for line, source in lines:
        say(f"{line:{width}}  # {source}")


def check_settings(config: Config) -> None:
    """What only the doors know about their settings. Raises ConfigInvalid."""
    from entrepot.app import check_doors

    check_doors(config)


def _line(name: str, value: object) -> str:
    if value is None or value in ("", ()):
        return f"# {name} is not set"
    if name == "listen" and isinstance(value, tuple) and len(value) == 1:
        value = value[0]  # as most write it
    return f"{name} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, Listener):
        plain = asdict(Listener(address=value.address))
        named = {name: each for name, each in asdict(value).items() if name == "address" or each != plain[name]}
        table = ", ".join(f"{name} = {_toml(each)}" for name, each in named.items())
        return f"{{{table}}}" if len(named) > 1 else _toml(value.address)
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(str(value), ensure_ascii=False)
