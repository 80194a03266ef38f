"""What the operations on buckets and keys promise, on whatever engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.operations import buckets, keys
from entrepot.catalog.operations.buckets import BucketChange
from entrepot.errors import BucketExists, BucketMissing, BucketNotEmpty, Conflict, KeyMissing
from entrepot.model import Bucket, Key, Right, Versioning
from entrepot.rules import TRUE, Equal, Field
from tests.contracts.acts import Acts, outcomes

if TYPE_CHECKING:
    from entrepot.catalog.database import Database

KEY = Key("AKIA", "alice", b"\x00sealed\xff", False, 7, {"b": frozenset({Right.READ, Right.WRITE})}, "Alice É")


class PeopleContract:
    @pytest.fixture
    def acts(self, database: Database) -> Acts:
        return Acts(database)

    async def test_a_bucket_from_cradle_to_grave(self, acts: Acts) -> None:
        read, write = acts.database.read, acts.database.write
        assert await read(buckets.find_bucket("b")) is None
        with pytest.raises(BucketMissing):
            await read(buckets.get_bucket("b"))
        made = await write(buckets.create_bucket("b", "alice", "main", 5, public_read=True))
        assert made == Bucket(made.id, "b", "alice", "main", Versioning.OFF, True, 5)
        assert await read(buckets.get_bucket("b")) == made
        changed = await write(buckets.change_bucket("b", BucketChange(Versioning.ON, public_read=False, owner="bob")))
        assert changed == replace(made, versioning=Versioning.ON, public_read=False, owner="bob")
        assert await write(buckets.change_bucket("b", BucketChange())) == changed
        assert await read(buckets.find_bucket("b")) == changed
        await write(buckets.delete_bucket("b", "o", 9))
        for gone in (buckets.delete_bucket("b", "o", 9), buckets.change_bucket("b", BucketChange())):
            with pytest.raises(BucketMissing):
                await write(gone)
        again = await write(buckets.create_bucket("b", "alice", "main", 9))
        assert again.id > made.id

    async def test_grants_end_with_their_bucket(self, acts: Acts) -> None:
        """The next one of that name may be somebody else's. Two that end at once take nothing from each other."""
        rights = frozenset({Right.READ})
        of_key = {
            "both": {"aaa": rights, "bbb": rights, "ccc": rights}, "one": {"aaa": rights}, "every": {"*": rights},
            "longer": {"aaaa": rights, "x-aaa": rights}, "none": {},
        }  # fmt: skip
        for name in ("aaa", "bbb", "ccc"):
            await acts.database.write(buckets.create_bucket(name, "alice", "main", 1))
        for name, grants in of_key.items():
            await acts.database.write(keys.create_key(replace(KEY, access_key=name, grants=grants)))
        await outcomes(*[acts.database.write(buckets.delete_bucket(name, "o", 9)) for name in ("aaa", "bbb")])
        left = {key.access_key: key.grants for key in await acts.database.read(keys.list_keys())}
        assert left == of_key | {"both": {"ccc": rights}, "one": {}}

    async def test_a_bucket_name_is_taken_once(self, acts: Acts) -> None:
        creates = [acts.database.write(buckets.create_bucket("same", f"account{i % 2}", "main", i)) for i in range(20)]
        won, lost = await outcomes(*creates)
        assert len(won) == 1
        for error in lost:
            assert isinstance(error, BucketExists)
        assert sum(isinstance(error, BucketExists) and error.own for error in lost) == 9

    async def test_a_full_bucket_stays(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        await acts.put(bucket, "k", b"x")
        with pytest.raises(BucketNotEmpty):
            await acts.database.write(buckets.delete_bucket(bucket.name, "o", 9))
        assert await acts.data(bucket, "k") == b"x"

    async def test_buckets_are_listed_by_name_in_pages(self, acts: Acts) -> None:
        names = sorted(["a", "a-b", "a.b", "a0", "aa", "b", "b-1", "zz", "0", "a--"])
        for i, name in enumerate(names):
            await acts.database.write(buckets.create_bucket(name, f"account{i % 2}", "main", i))
        for owner, prefix in ((None, ""), (None, "a"), ("account0", ""), ("account1", "a"), ("nobody", "")):
            expected = [
                name for i, name in enumerate(names) if name.startswith(prefix) and owner in {None, f"account{i % 2}"}
            ]
            visible = TRUE if owner is None else Equal(Field.BUCKET_OWNER, owner)
            found: list[str] = []
            after = ""
            while page := await acts.database.read(buckets.list_buckets(prefix, after, 3, visible)):
                found.extend(bucket.name for bucket in page)
                after = page[-1].name
            assert found == expected

    async def test_a_key_from_cradle_to_grave(self, acts: Acts) -> None:
        read, write = acts.database.read, acts.database.write
        assert await read(keys.find_key("AKIA")) is None
        await write(keys.create_key(KEY))
        assert await read(keys.find_key("AKIA")) == KEY
        with pytest.raises(Conflict):
            await write(keys.create_key(replace(KEY, account="mallory")))
        assert await read(keys.find_display_name("alice")) == "Alice É"
        assert await read(keys.find_display_name("nobody")) == "nobody"
        await write(keys.delete_key("AKIA"))
        with pytest.raises(KeyMissing):
            await write(keys.delete_key("AKIA"))
        assert await read(keys.find_key("AKIA")) is None

    async def test_keys_are_listed_by_account_as_bytes(self, acts: Acts) -> None:
        accounts = ["Zoe", "alice", "Bob", "élan", "a-b", "ab", "a_b"]
        for i, account in enumerate(accounts):
            await acts.database.write(keys.create_key(replace(KEY, access_key=f"K{i}", account=account)))
        listed = await acts.database.read(keys.list_keys())
        assert [key.account for key in listed] == sorted(accounts, key=str.encode)

    async def test_there_is_one_root_key(self, acts: Acts) -> None:
        made = [
            acts.database.write(keys.create_root_key(replace(KEY, access_key=f"R{i}", root=True))) for i in range(10)
        ]
        found, lost = await outcomes(*made)
        assert lost == []
        assert len({key.access_key for key in found}) == 1
        assert await acts.database.read(keys.find_root_key()) == found[0]
        assert await acts.number("SELECT count(*) FROM keys") == 1
