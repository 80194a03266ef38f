"""What the operations on placements, manifests and inline bytes promise, on whatever engine."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.operations import blobs
from entrepot.catalog.operations.consistency import find_broken
from entrepot.errors import Superseded
from entrepot.model import BlobId, Bytes, Piece, Span
from tests.contracts.acts import STORE, Acts, clock, digest, inline

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from entrepot.catalog.database import Database
    from entrepot.model import Version

SIZE = "SELECT size FROM placements WHERE store = :store AND blob = :blob"
SEEN = "SELECT seen_at FROM placements WHERE store = :store AND blob = :blob"
COUNT = "SELECT count(*) FROM placements WHERE store = :store AND blob = :blob"


class BlobsContract:
    @pytest.fixture
    def acts(self, database: Database) -> Acts:
        return Acts(database)

    async def test_a_claim_renews_what_is_there(self, acts: Acts) -> None:
        blob = digest(b"x")
        for now in (5, 9):
            assert await acts.database.write(blobs.claim(STORE, blob, 1, now)) is not None
            assert await acts.number(SEEN, store=STORE, blob=blob) == now
        assert await acts.number(COUNT, store="other", blob=blob) == 0

    async def test_what_was_seen_lately_is_not_condemned(self, acts: Acts) -> None:
        blob = digest(b"x")
        await acts.database.write(blobs.claim(STORE, blob, 1, 10))
        assert not await acts.database.write(blobs.condemn(STORE, blob, 10))
        assert not await acts.database.write(blobs.condemn("other", blob, 11))
        assert await acts.database.write(blobs.condemn(STORE, blob, 11))
        assert not await acts.database.write(blobs.condemn(STORE, blob, 11))

    async def test_a_condemned_blob_is_nobodys_until_it_is_forgotten(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        blob = digest(b"x")
        first = await acts.claim(blob, 1)
        assert await acts.database.write(blobs.condemn(STORE, blob, 2))
        assert await acts.database.write(blobs.claim(STORE, blob, 1, 3)) is None
        with pytest.raises(Superseded):
            await acts.put(bucket, "k", b"x", bytes_=Bytes(1, blob, blob=blob, claim=first, store=STORE))
        await acts.database.write(blobs.forget(STORE, [blob]))
        second = await acts.claim(blob, 4)
        await acts.put(bucket, "k", b"x", bytes_=Bytes(1, blob, blob=blob, claim=second, store=STORE))

    @pytest.mark.parametrize("large", [False, True])
    async def test_a_claim_ends_with_its_blob(self, acts: Acts, large: bool) -> None:  # noqa: FBT001 - a parameter
        """Whoever claims anew may have put nothing yet: a transfer that had its blob in place before it was
        collected, and a copy of what was named then, must not rely on that.
        """
        bucket = await acts.bucket()
        blob = digest(b"x")

        def put(key: str, claim: int = 0) -> Awaitable[Version]:
            pieces = (Piece(0, 1, blob, claim=claim), Piece(1, 1, blob, claim=claim))
            several, one = (
                Bytes(2, digest(b"xx"), pieces=pieces, store=STORE),
                Bytes(1, blob, blob=blob, claim=claim, store=STORE),
            )
            return acts.put(bucket, key, b"", bytes_=several if large else one)

        first = await acts.claim(blob, 1)
        assert await acts.database.write(blobs.condemn(STORE, blob, 2))
        await acts.database.write(blobs.forget(STORE, [blob]))
        second = await acts.claim(blob, 3)
        assert await acts.claim(blob, 4) == second
        for stale in (first, 0):
            with pytest.raises(Superseded):
                await put("k", stale)
            assert await acts.newest(bucket, "k") is None
        version = await put("k", second)
        assert (version.bytes.claim, version.bytes.pieces) == (0, ())
        assert await acts.claim(blob, 5) == 0
        for named in (second, first, 0):  # by now the bytes are there, whoever put them
            await put(f"k{named}", named)

    async def test_forgetting_spares_what_was_claimed_again(self, acts: Acts) -> None:
        condemned, claimed = digest(b"x"), digest(b"y")
        for blob in (condemned, claimed):
            await acts.database.write(blobs.claim(STORE, blob, 1, 1))
        await acts.database.write(blobs.condemn(STORE, condemned, 2))
        await acts.database.write(blobs.forget(STORE, [condemned, claimed]))
        await acts.database.write(blobs.forget(STORE, []))
        assert await acts.number(COUNT, store=STORE, blob=condemned) == 0
        assert await acts.number(COUNT, store=STORE, blob=claimed) == 1

    async def test_an_orphan_is_condemned_only_without_a_placement(self, acts: Acts) -> None:
        blob = digest(b"x")
        assert await acts.database.write(blobs.condemn_orphan(STORE, blob, 1))
        assert not await acts.database.write(blobs.condemn_orphan(STORE, blob, 1))
        assert await acts.database.write(blobs.claim(STORE, blob, 1, 2)) is None
        await acts.database.write(blobs.forget(STORE, [blob]))
        assert await acts.database.write(blobs.claim(STORE, blob, 7, 3)) is not None
        assert not await acts.database.write(blobs.condemn_orphan(STORE, blob, 4))
        assert await acts.number(SIZE, store=STORE, blob=blob) == 7

    async def test_a_claim_or_the_collector_wins_never_both(self, acts: Acts) -> None:
        for i in range(20):
            blob = digest(b"%d" % i)
            await acts.database.write(blobs.claim(STORE, blob, 1, 1))
            claimed, condemned = await asyncio.gather(
                acts.database.write(blobs.claim(STORE, blob, 1, 100)),
                acts.database.write(blobs.condemn(STORE, blob, 50)),
            )
            assert (claimed is None) == condemned

    async def test_a_version_or_the_collector_wins_never_both(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        for i in range(20):
            blob = digest(b"%d" % i)
            claim = await acts.claim(blob, 1)
            put, condemned = await asyncio.gather(
                acts.put(bucket, f"k{i}", b"", bytes_=Bytes(1, blob, blob=blob, claim=claim, store=STORE)),
                acts.database.write(blobs.condemn(STORE, blob, 50)),
                return_exceptions=True,
            )
            assert isinstance(put, Superseded) == bool(condemned)
            assert (await acts.newest(bucket, f"k{i}") is None) == bool(condemned)

    async def test_claims_of_one_blob_at_once(self, acts: Acts) -> None:
        blob = digest(b"popular")
        claims = [acts.database.write(blobs.claim(STORE, blob, 1, next(clock))) for _ in range(30)]
        assert len(set(await asyncio.gather(*claims))) == 1

    async def test_versions_of_shared_blobs_written_at_once(self, acts: Acts) -> None:
        """Manifests that name the same blobs in different order do not wait for one another in a circle."""
        bucket = await acts.bucket()
        ids = [await acts.placed(b"%d" % i) for i in range(12)]
        rng = random.Random(4)

        def pieces() -> tuple[Piece, ...]:
            return tuple(Piece(i, 1, blob) for i, blob in enumerate(rng.sample(ids, len(ids))))

        await asyncio.gather(
            *(
                acts.put(bucket, f"k{i}", b"", bytes_=Bytes(12, digest(b""), pieces=pieces(), store=STORE))
                for i in range(40)
            )
        )
        assert await acts.number("SELECT count(*) FROM pieces") == 40 * 12

    async def test_the_pieces_of_a_span(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        sizes = [3, 1, 4, 1, 5, 9, 2, 6]
        pieces, start = [], 0
        for size in sizes:
            pieces.append(Piece(start, size, await acts.placed(b"%d" % start)))
            start += size
        whole = Bytes(start, digest(b"whole"), pieces=tuple(pieces), store=STORE)
        written = await acts.put(bucket, "k", b"", bytes_=whole)
        manifest = written.bytes.manifest
        assert manifest is not None
        for begin in range(start):
            for end in range(begin + 1, start + 1):
                expected = [piece for piece in pieces if piece.start < end and piece.start + piece.size > begin]
                span = Span(begin, end)
                assert await acts.database.read(blobs.list_pieces(manifest, span, 100)) == expected
                assert await acts.database.read(blobs.list_pieces(manifest, span, 2)) == expected[:2]

    async def test_inline_bytes_can_be_damaged_and_mended(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        version = await acts.put(bucket, "k", b"small")
        row = version.bytes.inline
        assert row is not None
        assert await acts.database.read(blobs.find_inline(row)) == b"small"
        await acts.database.write(blobs.damage_inline(row, b"smell"))  # as it was before somebody mended it
        assert await acts.database.read(blobs.find_inline(row)) == b"small"
        await acts.database.write(blobs.damage_inline(row, b"small"))
        assert await acts.database.read(blobs.find_inline(row)) is None
        broken = await acts.live(bucket, "k")
        assert broken is not None
        assert (broken.bytes.data, broken.bytes.inline) == (None, row)
        await acts.put(bucket, "other", b"small")
        assert await acts.data(bucket, "k") == b"small"

    async def test_inline_bytes_may_be_kept_under_another_name_than_their_content(self, acts: Acts) -> None:
        """As compressed or sealed ones will be: the content's hash and size stay what clients know them by."""
        bucket = await acts.bucket()
        kept = Bytes(100, digest(b"content"), data=b"kept", inline_digest=digest(b"kept"))
        version = await acts.put(bucket, "k", b"", bytes_=kept)
        found = await acts.live(bucket, "k")
        assert found is not None
        assert (found.size, found.bytes.hash, found.bytes.data) == (100, digest(b"content"), b"kept")
        assert found.bytes.inline_name == digest(b"kept")
        copy = await acts.put(bucket, "copy", b"", bytes_=version.bytes)
        same = await acts.put(bucket, "same", b"", bytes_=inline(b"kept"))
        assert version.bytes.inline == copy.bytes.inline == same.bytes.inline
        assert (copy.bytes.inline_name, same.bytes.inline_name) == (digest(b"kept"), digest(b"kept"))
        assert await acts.database.scan(find_broken()) == []

    async def test_a_copy_of_inline_bytes_needs_them(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        version = await acts.put(bucket, "k", b"small")
        assert version.bytes.inline is not None
        copy = Bytes(5, version.bytes.hash, inline=version.bytes.inline)
        await acts.put(bucket, "copy", b"small", bytes_=copy)
        assert await acts.data(bucket, "copy") == b"small"
        gone = Bytes(5, version.bytes.hash, inline=version.bytes.inline + 1000)
        with pytest.raises(Superseded):
            await acts.put(bucket, "copy2", b"small", bytes_=gone)

    async def test_a_copy_of_a_manifest_needs_it(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        blob = await acts.placed(b"x")
        whole = Bytes(2, digest(b"xx"), pieces=(Piece(0, 1, blob), Piece(1, 1, blob)), store=STORE)
        version = await acts.put(bucket, "k", b"", bytes_=whole)
        assert version.bytes.manifest is not None
        await acts.put(bucket, "copy", b"", bytes_=version.bytes)
        with pytest.raises(Superseded):
            await acts.put(
                bucket, "copy2", b"", bytes_=Bytes(2, digest(b"xx"), manifest=version.bytes.manifest + 99, store=STORE)
            )

    async def test_any_digest_is_a_name(self, acts: Acts) -> None:
        for blob in (bytes(32), b"\xff" * 32, b"\x00\xff" * 16, b"'\"\\%$1:a" * 4):
            assert await acts.database.write(blobs.claim(STORE, BlobId(blob), 2**62, 1)) == 1
            assert await acts.number(SIZE, store=STORE, blob=blob) == 2**62
