"""Access keys: who a request comes from, and the secrets that signatures need in clear.

Secrets are sealed with AES-256-GCM under a key that lies beside the data (mode 0600) or comes from
the environment; the access key is bound in, so a sealed secret cannot be moved to another row.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.catalog import keys as rows
from entrepot.catalog.database import Database
from entrepot.errors import ArgumentInvalid, Corrupt
from entrepot.model import Key, Principal, Right
from entrepot.ownership import make_file

_ALPHABET: Final = string.ascii_uppercase + string.digits
_ACCESS_KEY: Final = re.compile(r"[!-+\--~]{3,128}")  # printable, no comma: it stands in a header's list
ROOT_ACCOUNT: Final = "root"


class Sealer:
    """Seals and opens secrets under one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.open = functools.lru_cache(maxsize=4096)(self._open)

    def seal(self, access_key: str, secret: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), access_key.encode())

    def _open(self, access_key: str, sealed: bytes) -> str:
        """Raises Corrupt when the seal was made under another key."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], access_key.encode()).decode()
        except InvalidTag:
            raise Corrupt(
                f"the secret of {access_key} was sealed under another key: put back the file that held it"
            ) from None


def load_sealing_key(path: Path) -> bytes:
    """The key in a file, made (mode 0600) when there is none: whole under its name, and on disk, before
    anything is sealed under it. Raises Corrupt.
    """
    if not path.exists():
        _make_sealing_key(path)
    key = path.read_bytes()
    if len(key) != 32:
        raise Corrupt(f"{path} does not hold a key of 32 bytes")
    return key


def _make_sealing_key(path: Path) -> None:
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = make_file(fresh)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key stays
            path.hardlink_to(fresh)
    finally:
        fresh.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def new_pair() -> tuple[str, str]:
    """A fresh access key (20 characters) and secret (40 characters)."""
    return "EP" + "".join(secrets.choice(_ALPHABET) for _ in range(18)), secrets.token_urlsafe(30)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who holds an access key, and the secret that proves it."""

    principal: Principal
    secret: str


@functools.lru_cache(maxsize=16)
def _fixed_identity(access_key: str, secret: str) -> Identity:
    return Identity(Principal(ROOT_ACCOUNT, access_key, root=True), secret)


@dataclass(frozen=True, slots=True)
class Keys:
    """The service for access keys. ``fixed`` are pairs given by the configuration: root keys that
    no catalog has and nobody can revoke.
    """

    database: Database
    sealer: Sealer
    clock: Callable[[], int]
    fixed: Mapping[str, str]

    async def find(self, access_key: str) -> Identity | None:
        """Asked of every signed request, so a revoked key is refused from then on."""
        secret = self.fixed.get(access_key)
        if secret is not None:
            return _fixed_identity(access_key, secret)
        key = await self.database.read(rows.find_key(access_key))
        if key is None:
            return None
        return Identity(
            Principal(key.account, access_key, key.root, key.grants), self.sealer.open(access_key, key.sealed)
        )

    async def create(
        self,
        account: str,
        *,
        access_key: str = "",
        secret: str = "",
        root: bool = False,
        grants: Mapping[str, frozenset[Right]] | None = None,
        display_name: str = "",
    ) -> tuple[str, str]:
        """A key for an account; returns the pair. Raises ArgumentInvalid, Conflict."""
        fresh = new_pair()
        pair = (access_key or fresh[0], secret or fresh[1])
        _check_pair(account, *pair)
        key = self._key(account, *pair, root=root, grants=grants or {}, display_name=display_name)
        await self.database.write(rows.create_key(key))
        return pair

    async def root_key(self) -> tuple[str, str, bool]:
        """The root key of this data and whether it was made just now."""
        if self.fixed:
            return *next(iter(self.fixed.items())), False
        made = self._key(ROOT_ACCOUNT, *new_pair(), root=True, grants={}, display_name=ROOT_ACCOUNT)
        found = await self.database.read(rows.find_root_key())
        if found is None:
            found = await self.database.write(rows.create_root_key(made))
        return found.access_key, self.sealer.open(found.access_key, found.sealed), found.access_key == made.access_key

    async def list(self) -> list[Key]:
        """Every key of the catalog by account."""
        return await self.database.read(rows.list_keys())

    async def revoke(self, access_key: str) -> None:
        """Raises KeyMissing."""
        await self.database.write(rows.delete_key(access_key))

    async def display_name(self, account: str) -> str:
        """What listings call an account."""
        return account if account == ROOT_ACCOUNT else await self.database.read(rows.find_display_name(account))

    def _key(
        self,
        account: str,
        access_key: str,
        secret: str,
        *,
        root: bool,
        grants: Mapping[str, frozenset[Right]],
        display_name: str,
    ) -> Key:
        sealed = self.sealer.seal(access_key, secret)
        return Key(access_key, account, sealed, root, self.clock(), grants, display_name or account)


def _check_pair(account: str, access_key: str, secret: str) -> None:
    if not account or any(not char.isprintable() for char in account):
        raise ArgumentInvalid("account", account, "must be printable text")
    if not _ACCESS_KEY.fullmatch(access_key) or "/" in access_key:
        raise ArgumentInvalid("access-key", access_key, "3 to 128 printable characters, no slash or comma")
    if len(secret) < 8:
        raise ArgumentInvalid("secret-key", "…", "at least 8 characters")
