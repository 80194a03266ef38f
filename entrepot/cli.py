"""The command ``entrepot``."""

from __future__ import annotations

import asyncio
import os
import sys

from entrepot.app import open_core
from entrepot.config import load
from entrepot.serving import serve


def main() -> None:
    flags: dict[str, object] = {}
    words = iter(sys.argv[2:])
    for word in words:
        flags[word.removeprefix("--")] = next(words)
    config = load(flags, os.environ).config

    async def first() -> None:
        async with open_core(config) as core:
            print(await core.keys.root_key())

    asyncio.run(first())
    serve(config)
