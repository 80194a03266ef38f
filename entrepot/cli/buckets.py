"""``entrepot bucket``: what holds objects."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from entrepot.catalog.operations.buckets import BucketChange
from entrepot.cli.opening import ROOT, Data, File, with_core
from entrepot.cli.words import Misused, check_text, say
from entrepot.core import Core
from entrepot.core.names import check_bucket_name
from entrepot.errors import ArgumentInvalid
from entrepot.model import Bucket, Principal, Versioning

Switch = Literal["on", "off", "suspended"]

VERSIONING: Final = {"on": Versioning.ON, "off": Versioning.OFF, "suspended": Versioning.SUSPENDED}
WORDS: Final = {versioning: word for word, versioning in VERSIONING.items()}

Name = Annotated[str, Parameter(help="The bucket.")]
Versions = Annotated[Switch | None, Parameter("--versioning", help="Whether what is overwritten or deleted is kept.")]
Public = Annotated[bool | None, Parameter("--public-read", help="Whether everybody may read.", show_default=False)]
Owner = Annotated[str | None, Parameter("--owner", help="The account that has every right.", show_default=False)]


def create(
    name: Name,
    /,
    *,
    store: Annotated[str | None, Parameter(help="The store of its bytes, for ever.", show_default=False)] = None,
    versioning: Versions = None,
    public_read: Public = None,
    owner: Owner = None,
    data: Data = None,
    config: File = None,
) -> None:
    """Make a bucket. Without an owner it is the root key's."""
    check_bucket_name(check_text("bucket", name))
    who = ROOT if owner is None else Principal(_account(owner), root=True)

    async def work(core: Core) -> None:
        chosen = None if store is None else check_text("store", store)
        await core.buckets.create(who, name, store=chosen, public_read=bool(public_read))
        if versioning is not None:
            await core.buckets.change(ROOT, name, BucketChange(versioning=VERSIONING[versioning]))

    with_core(data, config, work, fresh=True)


def list_(*, data: Data = None, config: File = None) -> None:
    """List buckets with owner, store, versioning and whether everybody may read them."""

    async def work(core: Core) -> list[Bucket]:
        found: list[Bucket] = []
        while page := await core.buckets.list(ROOT, after=found[-1].name if found else ""):
            found += page
        return found

    for bucket in with_core(data, config, work):
        public = "public-read" if bucket.public_read else "private"
        versions = f"versions {WORDS[bucket.versioning]}"
        say(f"{bucket.name:32}  {bucket.owner:12}  {bucket.store:8}  {versions:18}  {public}")


def set_(
    name: Name,
    /,
    *,
    versioning: Versions = None,
    public_read: Public = None,
    owner: Owner = None,
    data: Data = None,
    config: File = None,
) -> None:
    """Change settings of a bucket; what is not named stays as it is.

    Versioning that was on once can be suspended, and not turned off: what was kept is kept.
    """
    if versioning is None and public_read is None and owner is None:
        raise Misused("say what to change: --versioning, --public-read or --owner")
    check_text("bucket", name)
    kept = None if versioning is None else VERSIONING[versioning]
    change = BucketChange(kept, public_read, None if owner is None else _account(owner))

    async def work(core: Core) -> None:
        await core.buckets.change(ROOT, name, change)

    with_core(data, config, work)


def delete(name: Name, /, *, data: Data = None, config: File = None) -> None:
    """Delete an empty bucket. Uploads that are open in it end."""

    async def work(core: Core) -> None:
        await core.buckets.delete(ROOT, check_text("bucket", name))

    with_core(data, config, work)


def _account(name: str) -> str:
    if not name.isprintable() or not name:
        raise ArgumentInvalid("owner", name, "must be printable text")
    return name
