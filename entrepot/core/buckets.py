"""Buckets: create, find, list, change, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from entrepot.catalog.database import Database
from entrepot.catalog.operations import buckets as rows
from entrepot.catalog.operations.buckets import BucketChange
from entrepot.catalog.operations.tags import list_bucket_tags
from entrepot.core.access import DEFAULT, Access, Action, Resource
from entrepot.core.names import check_bucket_name, check_key
from entrepot.core.tags import OF_BUCKET, check_tags
from entrepot.errors import ArgumentInvalid, BucketMissing, Denied
from entrepot.model import Bucket, Principal, Versioning
from entrepot.rules import FALSE, Expression


@dataclass(frozen=True, slots=True)
class Buckets:
    """The service for buckets. ``store`` is where a new bucket keeps its blobs unless told."""

    database: Database
    stores: frozenset[str]
    store: str
    clock: Callable[[], int]
    access: Access = DEFAULT

    async def create(self, who: Principal, name: str, *, store: str | None = None, public_read: bool = False) -> Bucket:
        """Raises NameInvalid, Denied (the anonymous own nothing), BucketExists, ArgumentInvalid."""
        self.access.check(who, Action.BUCKET_CREATE)
        check_bucket_name(name)
        chosen = store or self.store
        if chosen not in self.stores:
            raise ArgumentInvalid("store", chosen, f"the stores are {', '.join(sorted(self.stores))}")
        return await self.database.write(
            rows.create_bucket(name, who.account, chosen, self.clock(), public_read=public_read)
        )

    def check_creation(self, who: Principal) -> None:
        """Decide whether somebody may create buckets, before anything else is looked at. Raises Denied."""
        self.access.check(who, Action.BUCKET_CREATE)

    async def get(self, who: Principal, name: str, action: Action = Action.BUCKET_READ) -> Bucket:
        """The bucket in which an action is allowed. Raises BucketMissing, Denied."""
        found = await self.find(name)
        self.access.check(who, action, Resource(found))
        return found

    async def enter(self, who: Principal, name: str, action: Action, key: str | None = None) -> Bucket:
        """The bucket in which an action may be allowed, on the key or on one of its keys. The action itself is
        checked when the row is known that it is about. Raises NameInvalid, BucketMissing, Denied.
        """
        if key is not None:
            check_key(key)
        found = await self.find(name)
        self.access.check_before(who, action, Resource(found, key))
        return found

    async def list_in(self, who: Principal, name: str, action: Action) -> tuple[Bucket, Expression]:
        """The bucket, and what must hold of its rows so that they may be listed. Raises BucketMissing, and
        Denied where none may.
        """
        found = await self.find(name)
        return found, self._visible(who, action, found)

    def _visible(self, who: Principal, action: Action, bucket: Bucket | None) -> Expression:
        visible = self.access.filter(who, action, bucket)
        if visible == FALSE:
            raise Denied
        return visible

    async def find(self, name: str) -> Bucket:
        """The bucket of a name, for whoever decides next. Raises BucketMissing."""
        found = await self.database.read(rows.find_bucket(name))
        if found is None:
            raise BucketMissing(name)
        return found

    async def check_owner(self, name: str, account: str) -> None:
        """Raises Denied when a bucket is another account's. One that is not there is nobody's."""
        found = await self.database.read(rows.find_bucket(name))
        if found is not None and found.owner != account:
            raise Denied

    async def list(self, who: Principal, prefix: str = "", after: str = "", limit: int = 10_000) -> list[Bucket]:
        """Buckets in order of name, the account's own; for the root key everybody's. Raises Denied."""
        visible = self._visible(who, Action.BUCKET_LIST, None)
        return await self.database.scan(rows.list_buckets(prefix, after, limit, visible))

    async def change(self, who: Principal, name: str, change: BucketChange) -> Bucket:
        """Change settings. Versioning, once on, can be suspended but not undone.

        Raises BucketMissing, Denied, ArgumentInvalid.
        """

        def check(found: Bucket) -> None:
            self.access.check(who, Action.BUCKET_ADMIN, Resource(found))
            if change.owner is not None:
                self.access.check(who, Action.BUCKET_GIVE, Resource(found))
            if change.versioning is Versioning.OFF and found.versioning is not Versioning.OFF:
                raise ArgumentInvalid("versioning", "off", "versions are kept from now on: suspend it instead")

        check(await self.find(name))  # so that strangers do not take the writers' turn
        return await self.database.write(rows.change_bucket(name, change, check))

    async def tags(self, who: Principal, name: str) -> Mapping[str, str]:
        """The tags of a bucket in order of name. Raises BucketMissing, Denied."""
        found = await self.get(who, name)
        return await self.database.read(list_bucket_tags(found.id))

    async def set_tags(self, who: Principal, name: str, tags: Mapping[str, str]) -> None:
        """Give a bucket these tags instead of those that it had; none take them away. Raises BucketMissing, Denied,
        TagInvalid, TagsTooMany.
        """

        def check(found: Bucket) -> None:
            self.access.check(who, Action.BUCKET_ADMIN, Resource(found))

        check(await self.find(name))  # as above
        check_tags(tags, OF_BUCKET)
        await self.database.write(rows.tag_bucket(name, tags, check))

    async def delete(self, who: Principal, name: str) -> None:
        """Raises BucketMissing, Denied, BucketNotEmpty."""

        def check(found: Bucket) -> None:
            self.access.check(who, Action.BUCKET_DELETE, Resource(found))

        check(await self.find(name))  # as above
        await self.database.write(rows.delete_bucket(name, who.account, self.clock(), check))
