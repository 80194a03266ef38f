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

from entrepot.catalog.database import Database
from entrepot.catalog.operations import keys as rows
from entrepot.errors import ArgumentInvalid, Corrupt
from entrepot.model import Key, Principal, Right
from entrepot.ownership import make_file

_PUBLIC: Final = string.ascii_uppercase + string.digits
_SECRET: Final = string.ascii_letters + string.digits
"""Of 40 of these nobody guesses one; and none is taken for an option, or falls apart, where it is pasted."""

_ACCESS_KEY: Final = re.compile(r"[!-+\--~]{3,128}")  # printable, no comma: it stands in a header's list
ROOT_ACCOUNT: Final = "root"


class Sealer:
    """Seals and opens secrets under one 32-byte key: ``key``, or what the file ``path`` holds.

    The file is read when it is first needed, so what needs no secret can be done without it.
    """

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self._path = path
        self._key = key
        self.open = functools.lru_cache(maxsize=4096)(self._open)

    def absent(self) -> bool:
        """Whether there is no key."""
        return self._key is None and not self._path.exists()

    def make(self) -> None:
        """Make the file; one that somebody else was first to make stays. Never where anything was sealed already."""
        make_sealing_key(self._path)

    def load(self) -> None:
        """Read the key, which is kept from then on. Raises Corrupt."""
        self._cipher  # noqa: B018 - reading it is what is wanted

    @functools.cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._key or load_sealing_key(self._path))

    def seal(self, access_key: str, secret: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), access_key.encode())

    def _open(self, access_key: str, sealed: bytes) -> str:
        """Raises Corrupt when the seal was made under another key, or there is none."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], access_key.encode()).decode()
        except InvalidTag:
            place = self._path if self._key is None else "sealing_key"
            raise Corrupt(
                f"the secret of {access_key} was sealed under another key: put back the {place} that held it; "
                f"if it is lost for good: entrepot key revoke {access_key}"
            ) from None


def load_sealing_key(path: Path) -> bytes:
    """The key in a file. Raises Corrupt, also when the file is gone."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        raise Corrupt(
            f"{path} is gone: no secret in the catalog can be opened without it. Put it back from a backup, or from "
            "another host of this catalog. If it is lost for good, revoke every key (entrepot key list, entrepot key "
            "revoke): then the next start makes a new file and a new root key"
        ) from None
    if len(key) != 32:
        raise Corrupt(f"{path} does not hold a key of 32 bytes: put back the one that did, or remove it")
    return key


def make_sealing_key(path: Path) -> None:
    """Make the file of the key (mode 0600): whole under its name, and on disk, before anything is sealed under it."""
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
    return "EP" + _drawn(_PUBLIC, 18), _drawn(_SECRET, 40)


def _drawn(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


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
        """A key for an account; returns the pair. Raises ArgumentInvalid, Conflict, Corrupt."""
        fresh = new_pair()
        pair = (access_key or fresh[0], secret or fresh[1])
        _check_pair(account, *pair)
        await self.prepare()
        key = self._key(account, *pair, root=root, grants=grants or {}, display_name=display_name)
        await self.database.write(rows.create_key(key))
        return pair

    async def root_key(self) -> tuple[str, str, bool]:
        """The root key of this data and whether it was made just now. Raises Corrupt."""
        await self.check_sealing()
        if self.fixed:
            return *next(iter(self.fixed.items())), False
        made = self._key(ROOT_ACCOUNT, *new_pair(), root=True, grants={}, display_name=ROOT_ACCOUNT)
        found = await self.database.read(rows.find_root_key())
        if found is None:
            found = await self.database.write(rows.create_root_key(made))
        return found.access_key, self.sealer.open(found.access_key, found.sealed), found.access_key == made.access_key

    async def prepare(self) -> None:
        """Make the sealing key where there is none and the catalog has no secret yet.

        A new one beside secrets that are sealed would hide that theirs is gone.
        """
        if self.sealer.absent() and not await self.list():
            self.sealer.make()

    async def check_sealing(self) -> None:
        """Have what a server needs to open and seal secrets. Raises Corrupt."""
        await self.prepare()
        self.sealer.load()

    async def list_closed(self) -> tuple[str, ...]:
        """The access keys whose secrets were sealed under another key than ours. Raises Corrupt when there is none."""
        closed = []
        keys = await self.list()
        if keys:
            self.sealer.load()
        for key in keys:
            try:
                self.sealer.open(key.access_key, key.sealed)
            except Corrupt:
                closed.append(key.access_key)
        return tuple(closed)

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
