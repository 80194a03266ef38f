"""``entrepot key``: who may come in."""

from __future__ import annotations

import datetime
import getpass
import sys
from typing import Annotated, Final

from cyclopts import Parameter

from entrepot.cli.opening import ROOT, Data, File, with_core
from entrepot.cli.words import STDIO, check_text, complain, say
from entrepot.core import Core
from entrepot.errors import ArgumentInvalid, BucketMissing
from entrepot.model import Key, Right, parse_grant

EVERY_BUCKET: Final = "*"


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
            "and admin, with commas, BUCKET is one that is there, or *. Can be repeated.",
            negative="",
        ),
    ] = None,
    display_name: Annotated[str, Parameter(help="What listings call the account.", show_default=False)] = "",
    root: Annotated[bool, Parameter(help="Every right on everything.", negative="", show_default=False)] = False,
    data: Data = None,
    config: File = None,
) -> None:
    """Make an access key for an account, and print what was made up for it, this once."""
    grants = _grants(grant or [])
    texts = {"account": account, "access-key": access_key, "display-name": display_name, "secret-key": secret_key}
    for name, text in texts.items():
        check_text(name, text)
    if not display_name.isprintable():
        raise ArgumentInvalid("display-name", display_name, "must be printable text")
    given = _read_secret() if secret_key == STDIO else secret_key

    async def work(core: Core) -> tuple[str, str]:
        for bucket in grants.keys() - {EVERY_BUCKET}:
            await _check_bucket(core, bucket)
        return await core.keys.create(
            account, access_key=access_key, secret=given, root=root, grants=grants, display_name=display_name
        )

    access, secret = with_core(data, config, work, fresh=not grants.keys() - {EVERY_BUCKET})
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
        await core.keys.revoke(check_text("access-key", access_key))

    with_core(data, config, work)


def _read_secret() -> str:
    """The first line of standard input; from a terminal without showing it."""
    if sys.stdin.isatty():
        line = getpass.getpass("secret key: ")
    else:
        try:
            line = sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ArgumentInvalid("secret-key", "…", "is not UTF-8") from None
    if not line:
        raise ArgumentInvalid("secret-key", "", "standard input was empty")
    return check_text("secret-key", line)


async def _check_bucket(core: Core, bucket: str) -> None:
    """A right on a bucket that is not there would be given away with its name later. Raises ArgumentInvalid."""
    try:
        await core.buckets.get(ROOT, bucket)
    except BucketMissing:
        hint = f"there is no bucket {bucket}: make it first (entrepot bucket create), or write * for every bucket"
        raise ArgumentInvalid("grant", bucket, hint) from None


def _grants(texts: list[str]) -> dict[str, frozenset[Right]]:
    """Grants by bucket; those of one bucket add up. Raises ArgumentInvalid."""
    grants: dict[str, frozenset[Right]] = {}
    for bucket, rights in map(parse_grant, (check_text("grant", text) for text in texts)):
        grants[bucket] = grants.get(bucket, frozenset()) | rights
    return grants


def _rights(key: Key) -> str:
    if key.root:
        return "root"
    grants = [f"{bucket}:{','.join(r for r in Right if r in rights)}" for bucket, rights in sorted(key.grants.items())]
    return " ".join(grants) or "own buckets"
