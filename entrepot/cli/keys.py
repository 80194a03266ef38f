"""``entrepot key``: who may come in."""

from __future__ import annotations

import datetime
import sys
from typing import Annotated

from cyclopts import Parameter

from entrepot.cli.opening import Data, File, with_core
from entrepot.cli.words import STDIO, complain, say
from entrepot.core import Core
from entrepot.errors import ArgumentInvalid
from entrepot.model import Key, Right, parse_grant


def create(
    *,
    account: Annotated[str, Parameter(help="Who holds the key. An account owns the buckets that its keys make.")],
    access_key: Annotated[str, Parameter(help="The key, if not a random one.", show_default=False)] = "",
    secret_key: Annotated[
        str, Parameter(help="Its secret, if not a random one; - reads it from standard input.", show_default=False)
    ] = "",
    grant: Annotated[
        list[str] | None,
        Parameter(
            help="Rights beyond the account's own buckets, as BUCKET:RIGHTS; RIGHTS are some of read, write, delete "
            "and admin, with commas, BUCKET may be *. Can be repeated.",
            negative="",
        ),
    ] = None,
    display_name: Annotated[str, Parameter(help="What listings call the account.", show_default=False)] = "",
    root: Annotated[bool, Parameter(help="Every right on everything.", negative="", show_default=False)] = False,
    data: Data = None,
    config: File = None,
) -> None:
    """Make an access key for an account, and print what was made up for it, this once."""
    given = sys.stdin.readline().rstrip("\r\n") if secret_key == STDIO else secret_key
    if secret_key and not given:
        raise ArgumentInvalid("secret-key", "", "standard input was empty")

    async def work(core: Core) -> tuple[str, str]:
        return await core.keys.create(
            account, access_key=access_key, secret=given, root=root, grants=_grants(grant or []),
            display_name=display_name,
        )  # fmt: skip

    access, secret = with_core(data, config, work, fresh=True)
    say(f"access key  {access}")
    if not given:
        say(f"secret key  {secret}")
        complain("the secret is not shown again")


def list_(*, data: Data = None, config: File = None) -> None:
    """List access keys with account, date, rights and name. Their secrets are not shown.

    The key of access_key and secret_key in the configuration is no part of the data, nor of the list.
    """

    async def work(core: Core) -> list[Key]:
        return await core.keys.list()

    for key in with_core(data, config, work):
        day = datetime.datetime.fromtimestamp(key.created_at // 1_000_000, datetime.UTC).date()
        name = f'  "{key.display_name}"' if key.display_name != key.account else ""
        say(f"{key.access_key:20}  {key.account:12}  {day}  {_rights(key)}{name}")


def revoke(
    access_key: Annotated[str, Parameter(help="The key, as entrepot key list shows it.")],
    /,
    *,
    data: Data = None,
    config: File = None,
) -> None:
    """Refuse an access key from now on, also by servers that are running."""

    async def work(core: Core) -> None:
        await core.keys.revoke(access_key)

    with_core(data, config, work)


def _grants(texts: list[str]) -> dict[str, frozenset[Right]]:
    """Grants by bucket; those of one bucket add up. Raises ArgumentInvalid."""
    grants: dict[str, frozenset[Right]] = {}
    for bucket, rights in map(parse_grant, texts):
        grants[bucket] = grants.get(bucket, frozenset()) | rights
    return grants


def _rights(key: Key) -> str:
    if key.root:
        return "root"
    grants = [f"{bucket}:{','.join(r for r in Right if r in rights)}" for bucket, rights in sorted(key.grants.items())]
    return " ".join(grants) or "own buckets"
