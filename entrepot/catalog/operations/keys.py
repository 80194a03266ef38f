"""Operations on access keys."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_, lock, one, run
from entrepot.errors import Conflict, KeyMissing
from entrepot.model import Key, Right

KEY_SPACE: Final = 2
"""Lock space: access keys."""

_COLUMNS: Final = "access_key, account, sealed, root, created_at, grants, display_name"
_FIND: Final = Sql(f"SELECT {_COLUMNS} FROM keys WHERE access_key = :access_key")
_FIND_ROOT: Final = Sql(f"SELECT {_COLUMNS} FROM keys WHERE root = 1 ORDER BY created_at LIMIT 1")
_LIST: Final = Sql(f"SELECT {_COLUMNS} FROM keys ORDER BY account, created_at, access_key")
_NAME: Final = Sql("SELECT display_name FROM keys WHERE account = :account ORDER BY created_at LIMIT 1")
_INSERT: Final = Sql(
    "INSERT INTO keys (access_key, account, display_name, sealed, root, grants, created_at) "
    "VALUES (:access_key, :account, :display_name, :sealed, :root, :grants, :created_at)"
)
_DELETE: Final = Sql("DELETE FROM keys WHERE access_key = :access_key")
_GRANTED: Final = Sql(
    "SELECT access_key, grants FROM keys WHERE grants != '' AND instr(grants, :bucket) > 0 ORDER BY access_key"
)
_GRANT: Final = Sql("UPDATE keys SET grants = :grants WHERE access_key = :access_key")


def find_key(access_key: str) -> Transaction[Key | None]:
    row: Row | None = yield one(_FIND, access_key=access_key)
    return None if row is None else _key_from(row)


def find_root_key() -> Transaction[Key | None]:
    """The oldest root key of the catalog."""
    row: Row | None = yield one(_FIND_ROOT)
    return None if row is None else _key_from(row)


def list_keys() -> Transaction[list[Key]]:
    rows: list[Row] = yield all_(_LIST)
    return [_key_from(row) for row in rows]


def create_key(key: Key) -> Transaction[None]:
    """Raises Conflict when the access key is taken."""
    yield lock(KEY_SPACE, key.access_key.encode())
    row: Row | None = yield one(_FIND, access_key=key.access_key)
    if row is not None:
        raise Conflict(f"access key {key.access_key} exists already")
    yield run(
        _INSERT, access_key=key.access_key, account=key.account, display_name=key.display_name or key.account,
        sealed=key.sealed, root=int(key.root), grants=_grants_text(key.grants), created_at=key.created_at,
    )  # fmt: skip


def create_root_key(key: Key) -> Transaction[Key]:
    """The root key of the catalog: this one, unless another process was first."""
    yield lock(KEY_SPACE, b"root")
    row: Row | None = yield one(_FIND_ROOT)
    if row is not None:
        return _key_from(row)
    yield from create_key(key)
    return key


def delete_key(access_key: str) -> Transaction[None]:
    """Raises KeyMissing."""
    changed: int = yield run(_DELETE, access_key=access_key)
    if not changed:
        raise KeyMissing(access_key)


def drop_grants(bucket: str) -> Transaction[None]:
    """Take back what keys may do with a bucket that ends: the next one of that name may be somebody else's."""
    yield lock(KEY_SPACE, b"grants")
    rows: list[Row] = yield all_(_GRANTED, bucket=json.dumps(bucket))
    for access_key, text in rows:
        left = {name: rights for name, rights in _grants_from(text).items() if name != bucket}
        yield run(_GRANT, access_key=access_key, grants=_grants_text(left))


def find_display_name(account: str) -> Transaction[str]:
    """What to call an account; its own name when it has no key (any more)."""
    row: Row | None = yield one(_NAME, account=account)
    return account if row is None else str(row[0])


def _key_from(row: Row) -> Key:
    return Key(row[0], row[1], row[2], bool(row[3]), row[4], _grants_from(row[5]), row[6])


def _grants_text(grants: Mapping[str, frozenset[Right]]) -> str:
    return json.dumps({bucket: sorted(rights) for bucket, rights in grants.items()}) if grants else ""


@functools.lru_cache(maxsize=1024)
def _grants_from(text: str) -> Mapping[str, frozenset[Right]]:
    if not text:
        return {}
    return {bucket: frozenset(map(Right, rights)) for bucket, rights in json.loads(text).items()}
