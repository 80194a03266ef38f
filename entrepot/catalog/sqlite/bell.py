"""The bell of a catalog in SQLite: a Unix socket for each process, in a folder beside the data."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from entrepot.catalog.bell import Ear, MemoryBell
from entrepot.ownership import make_directory

LONGEST: Final = 512
"""Bytes of a name at most."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class SocketBell:
    """A :class:`~entrepot.catalog.bell.Bell`. The folder is named by its descriptor, as an address of a socket
    has no room for a long path. Sockets of processes that were killed are taken away by whoever rings next.
    """

    def __init__(self, folder: Path) -> None:
        with contextlib.suppress(FileExistsError):
            make_directory(folder)
        self._folder = os.open(folder, _FOLDER)
        self._here = MemoryBell()
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._mine: socket.socket | None = None
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    async def ring(self, name: str) -> None:
        self._here.sound(name)
        data = name.encode()[:LONGEST]
        for other in os.listdir(self._folder):  # noqa: PTH208 - of a descriptor
            if other != self._name:
                self._send(other, data)

    def _send(self, other: str, data: bytes) -> None:
        try:
            self._sender.sendto(data, self._address(other))
        except OSError as error:  # a hint that is lost; who cannot keep up has one in his ear already
            if error.errno == errno.ECONNREFUSED:
                with contextlib.suppress(OSError):
                    os.unlink(other, dir_fd=self._folder)

    @contextlib.asynccontextmanager
    async def hear(self, name: str) -> AsyncIterator[Ear]:
        if self._mine is None:
            self._listen()
        async with self._here.hear(name) as ear:
            yield ear

    def _listen(self) -> None:
        mine = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            mine.bind(self._address(self._name))
        except OSError:  # a file system without sockets: nobody is woken, and all look now and then
            mine.close()
            return
        asyncio.get_running_loop().add_reader(mine.fileno(), self._receive, mine)
        self._mine = mine

    def _receive(self, mine: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._here.sound(mine.recv(LONGEST).decode("utf-8", "replace"))

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder}/{name}"

    async def close(self) -> None:
        if self._mine is not None:
            asyncio.get_running_loop().remove_reader(self._mine.fileno())
            self._mine.close()
            with contextlib.suppress(OSError):  # whoever rang in between has taken it away
                os.unlink(self._name, dir_fd=self._folder)
        self._sender.close()
        os.close(self._folder)
