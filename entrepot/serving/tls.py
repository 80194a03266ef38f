"""A certificate and its key, read again when they change."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn


class KeyLocked(ssl.SSLError):
    """The key's file cannot be read without a password."""


class Tls:
    """Raises OSError (SSLError) when the files are not fit."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._context = load(certificate, key)
        self._stamps = self._look()

    def current(self) -> ssl.SSLContext:
        """For the next handshake."""
        return self._context

    def changed(self) -> bool:
        """Whether the files are others than when this was last asked."""
        before, self._stamps = self._stamps, self._look()
        return before != self._stamps

    def reload(self) -> None:
        """Read the files again. Raises OSError (SSLError) when they are not fit; then what was read before stays."""
        self._context = load(*self._files)

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        stamps = []
        for path in self._files:
            try:
                found = path.stat()
            except OSError:  # in the middle of being replaced: it is seen when it is back
                stamps.append((0, 0, 0))
            else:
                stamps.append((found.st_ino, found.st_mtime_ns, found.st_size))
        return tuple(stamps)


def load(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server needs for its handshakes. Raises OSError, of which SSLError is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key, password=_no_password)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> NoReturn:
    # Without it OpenSSL would ask on the terminal, and a server would stand there for ever.
    raise KeyLocked("the key is locked with a password; the server needs it in clear")
