"""What must hold in the catalog, as queries for what does not.

Each query looks for one kind of contradiction and returns what it concerns as text columns; keys
and digests come as bytes. All run on one snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_
from entrepot.model import BlobId

MOST: Final = 1_000
"""Findings of one kind that are reported; where there are more, that says enough."""

_VERSION: Final = "coalesce(b.name, '?'), v.key, v.version_id"
_OF_VERSIONS: Final = f"SELECT {_VERSION} FROM versions v LEFT JOIN buckets b ON b.id = v.bucket"
_PART: Final = "coalesce(b.name, '?'), u.key, u.upload_id, t.number"
_OF_PARTS: Final = (
    f"SELECT {_PART} FROM parts t LEFT JOIN uploads u ON u.id = t.upload LEFT JOIN buckets b ON b.id = u.bucket"
)


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that must hold. ``sql`` finds the subjects for which it does not, each of them a
    ``noun``: a version, a part, a tag, an upload or a manifest.
    """

    noun: str
    broken: str
    sql: Sql


def _rule(noun: str, broken: str, text: str) -> Invariant:
    return Invariant(noun, broken, Sql(f"{text} LIMIT {MOST}"))


RULES: Final = (
    # The versions of a key (see the invariants of catalog.objects).
    _rule("version", "is in no bucket", f"{_OF_VERSIONS} WHERE b.id IS NULL"),
    _rule("version", "is a delete marker and live", f"{_OF_VERSIONS} WHERE v.marker = 1 AND v.live = 1"),
    _rule(
        "version",
        "is live although a newer one is there",
        f"{_OF_VERSIONS} WHERE v.live = 1 AND EXISTS (SELECT 1 FROM versions w "
        "WHERE w.bucket = v.bucket AND w.key = v.key AND w.live = 0 AND w.id > v.id)",
    ),
    _rule(
        "version",
        "is the newest and neither live nor a delete marker",
        f"{_OF_VERSIONS} WHERE v.live = 0 AND v.marker = 0 AND NOT EXISTS (SELECT 1 FROM versions w "
        "WHERE w.bucket = v.bucket AND w.key = v.key AND w.live = 1) AND NOT EXISTS (SELECT 1 FROM versions w "
        "WHERE w.bucket = v.bucket AND w.key = v.key AND w.live = 0 AND w.id > v.id)",
    ),
    _rule("version", "is history in a bucket that keeps none", f"{_OF_VERSIONS} WHERE v.live = 0 AND b.versioning = 0"),
    _rule(
        "version",
        "is not the only null version of its key",
        f"{_OF_VERSIONS} WHERE v.version_id = 'null' AND EXISTS (SELECT 1 FROM versions w WHERE w.bucket = v.bucket "
        "AND w.key = v.key AND w.live = 0 AND w.version_id = 'null' AND w.id != v.id)",
    ),
    _rule(
        "version",
        "does not name its bytes in exactly one way",
        f"{_OF_VERSIONS} WHERE CASE WHEN v.inline_id IS NULL THEN 0 ELSE 1 END + CASE WHEN v.blob IS NULL THEN 0 "
        "ELSE 1 END + CASE WHEN v.manifest IS NULL THEN 0 ELSE 1 END != CASE WHEN v.size = 0 THEN 0 ELSE 1 END",
    ),
    _rule(
        "version",
        "was completed from parts that are not recorded",
        f"{_OF_VERSIONS} LEFT JOIN layouts l ON l.version = v.id WHERE v.parts > 0 AND l.version IS NULL",
    ),
    _rule(
        "version",
        "has another number of tags than it counts",
        f"{_OF_VERSIONS} LEFT JOIN (SELECT version, count(*) AS number FROM version_tags GROUP BY version) t "
        "ON t.version = v.id WHERE coalesce(t.number, 0) != v.tags",
    ),
    _rule(
        "tag",
        "is of a version that is absent",
        "SELECT t.name, t.version FROM version_tags t LEFT JOIN versions v ON v.id = t.version WHERE v.id IS NULL",
    ),
    _rule(
        "tag",
        "is of a bucket that is absent",
        "SELECT t.name, t.bucket FROM bucket_tags t LEFT JOIN buckets b ON b.id = t.bucket WHERE b.id IS NULL",
    ),
    # Uploads.
    _rule("part", "belongs to no upload", f"{_OF_PARTS} WHERE u.id IS NULL"),
    _rule(
        "part",
        "does not name its bytes in exactly one way",
        f"{_OF_PARTS} WHERE CASE WHEN t.blob IS NULL THEN 0 ELSE 1 END + CASE WHEN t.manifest IS NULL THEN 0 "
        "ELSE 1 END != CASE WHEN t.size = 0 THEN 0 ELSE 1 END",
    ),
    _rule("part", "belongs to an upload that is complete", f"{_OF_PARTS} WHERE u.finished_at IS NOT NULL"),
    _rule(
        "upload",
        "is in no bucket",
        "SELECT u.upload_id FROM uploads u LEFT JOIN buckets b ON b.id = u.bucket "
        "WHERE b.id IS NULL AND u.finished_at IS NULL",
    ),
    # Bytes in the catalog.
    _rule(
        "version",
        "has lost its bytes: they were kept in the catalog and are absent, damaged or of another size",
        f"{_OF_VERSIONS} LEFT JOIN inline_blobs i ON i.id = v.inline_id WHERE v.inline_id IS NOT NULL "
        "AND (i.id IS NULL OR i.damaged = 1 OR i.digest != coalesce(v.inline_digest, v.hash) "
        "OR (v.inline_digest IS NULL AND length(i.data) != v.size))",
    ),
    # Bytes in stores.
    _rule(
        "version",
        "names a blob that is not placed in its store with that size",
        f"{_OF_VERSIONS} LEFT JOIN placements p ON p.blob = v.blob AND p.store = v.store AND p.condemned = 0 "
        "WHERE v.blob IS NOT NULL AND (p.blob IS NULL OR p.size != v.size)",
    ),
    _rule(
        "part",
        "names a blob that is not placed in its store with that size",
        f"{_OF_PARTS} LEFT JOIN placements p ON p.blob = t.blob AND p.store = t.store AND p.condemned = 0 "
        "WHERE t.blob IS NOT NULL AND (p.blob IS NULL OR p.size != t.size)",
    ),
    _rule(
        "manifest",
        "has a piece whose blob is not placed in its store with that size",
        "SELECT m.id FROM manifests m JOIN pieces q ON q.manifest = m.id LEFT JOIN placements p "
        "ON p.blob = q.blob AND p.store = m.store AND p.condemned = 0 "
        "WHERE q.blob IS NOT NULL AND (p.blob IS NULL OR p.size != q.size)",
    ),
    # Manifests.
    _rule(
        "version",
        "names a manifest that is absent, of another size or for another store",
        f"{_OF_VERSIONS} LEFT JOIN manifests m ON m.id = v.manifest WHERE v.manifest IS NOT NULL "
        "AND (m.id IS NULL OR m.size != v.size OR m.store != v.store)",
    ),
    _rule(
        "part",
        "names a manifest that is absent, of another size or for another store",
        f"{_OF_PARTS} LEFT JOIN manifests m ON m.id = t.manifest WHERE t.manifest IS NOT NULL "
        "AND (m.id IS NULL OR m.size != t.size OR m.store != t.store)",
    ),
    _rule(
        "manifest",
        "has a piece that is not where the one before it ends",
        "SELECT q.manifest FROM (SELECT manifest, start, "
        "lag(start + size, 1, 0) OVER (PARTITION BY manifest ORDER BY start) AS due FROM pieces) q "
        "WHERE q.start != q.due",
    ),
    _rule(
        "manifest",
        "is not as long as its pieces together",
        "SELECT m.id FROM manifests m LEFT JOIN (SELECT manifest, sum(size) AS size FROM pieces GROUP BY manifest) q "
        "ON q.manifest = m.id WHERE coalesce(q.size, 0) != m.size",
    ),
    _rule(
        "manifest",
        "is absent but has pieces",
        "SELECT q.manifest FROM pieces q LEFT JOIN manifests m ON m.id = q.manifest WHERE m.id IS NULL",
    ),
    _rule(
        "manifest",
        "has a piece that is empty or names not exactly one thing",
        "SELECT q.manifest FROM pieces q WHERE q.size <= 0 "
        "OR CASE WHEN q.blob IS NULL THEN 0 ELSE 1 END = CASE WHEN q.nested IS NULL THEN 0 ELSE 1 END",
    ),
    _rule(
        "manifest",
        "holds a manifest that is absent, of another size or for another store",
        "SELECT q.manifest FROM pieces q JOIN manifests o ON o.id = q.manifest LEFT JOIN manifests m "
        "ON m.id = q.nested WHERE q.nested IS NOT NULL AND (m.id IS NULL OR m.size != q.size OR m.store != o.store)",
    ),
)  # fmt: skip

_STORES: Final = Sql(
    "SELECT store FROM buckets UNION SELECT store FROM manifests UNION "
    "SELECT store FROM versions WHERE blob IS NOT NULL UNION SELECT store FROM parts WHERE blob IS NOT NULL"
)
_PLACEMENTS: Final = Sql(
    "SELECT blob, size FROM placements WHERE store = :store AND condemned = 0 AND blob > :after "
    "ORDER BY blob LIMIT :limit"
)
_INLINE: Final = Sql(
    "SELECT id, digest, data FROM inline_blobs WHERE id > :after AND damaged = 0 ORDER BY id LIMIT :limit"
)
_VERSION_BLOBS: Final = Sql(
    f"SELECT v.id, v.store, v.blob, v.manifest, {_VERSION} FROM versions v JOIN buckets b ON b.id = v.bucket "
    "WHERE v.id > :after ORDER BY v.id LIMIT :limit"
)
_PART_BLOBS: Final = Sql(
    f"SELECT t.store, t.blob, t.manifest, {_PART} FROM parts t JOIN uploads u ON u.id = t.upload "
    "JOIN buckets b ON b.id = u.bucket"
)
_PIECE_BLOBS: Final = Sql(
    "SELECT m.id, m.store, q.blob, q.nested FROM manifests m JOIN pieces q ON q.manifest = m.id "
    "WHERE m.id > :after AND m.id <= :last"
)
_LAST_MANIFEST: Final = Sql("SELECT coalesce(max(id), 0) FROM manifests")

_PAGE: Final = 1_000


def describe(noun: str, row: Row) -> str:
    """A subject in words: ``version photos/cat.jpg (null)``."""
    if noun == "version":
        return f"version {row[0]}/{_text(row[1])} ({row[2]})"
    if noun == "part":
        return f"part {row[3]} of upload {row[2]} for {row[0]}/{_text(row[1])}"
    if noun == "tag":
        return f"tag {row[0]} of {row[1]}"
    return f"{noun} {row[0]}"


def _text(key: bytes | None) -> str:
    return "?" if key is None else bytes(key).decode("utf-8", "replace")


def find_broken() -> Transaction[list[tuple[str, str]]]:
    """Everything for which a rule does not hold, with what is wrong."""
    broken = []
    for rule in RULES:
        rows: list[Row] = yield all_(rule.sql)
        broken += [(subject, rule.broken) for subject in dict.fromkeys(describe(rule.noun, row) for row in rows)]
    return broken


def list_stores() -> Transaction[list[str]]:
    """The stores that buckets are bound to, or that hold what something names."""
    rows: list[Row] = yield all_(_STORES)
    return sorted(row[0] for row in rows)


def list_placements(store: str, after: bytes, limit: int) -> Transaction[dict[BlobId, int]]:
    """The blobs of a store and their sizes in order, condemned ones left out."""
    rows: list[Row] = yield all_(_PLACEMENTS, store=store, after=after, limit=limit)
    return {BlobId(bytes(row[0])): row[1] for row in rows}


def list_inline(after: int, limit: int) -> Transaction[list[tuple[int, bytes, bytes]]]:
    """Id, digest and bytes of undamaged inline blobs in order of id."""
    rows: list[Row] = yield all_(_INLINE, after=after, limit=limit)
    return [(row[0], bytes(row[1]), bytes(row[2])) for row in rows]


Place = tuple[str, bytes]
"""A store and a blob."""


def list_users(blobs: frozenset[Place]) -> Transaction[list[tuple[Place, str]]]:
    """Which versions and parts need any of these blobs, in words; those that nothing needs are
    left out. Reads every name there is: for the day when blobs are missing.
    """
    manifests = yield from _manifests_with(blobs)
    users: list[tuple[Place, str]] = []

    def note(store: str, blob: bytes | None, manifest: int | None, subject: str) -> None:
        place = (store, bytes(blob)) if blob is not None else manifests.get(manifest)
        if place in blobs:
            users.append((place, subject))

    after = 0
    while rows := (yield all_(_VERSION_BLOBS, after=after, limit=_PAGE)):
        for row in rows:
            note(row[1], row[2], row[3], describe("version", row[4:]))
        after = rows[-1][0]
    rows = yield all_(_PART_BLOBS)
    for row in rows:
        note(row[0], row[1], row[2], describe("part", row[3:]))
    return users


def _manifests_with(blobs: frozenset[Place]) -> Transaction[dict[int | None, Place]]:
    """Manifests that hold any of the blobs, themselves or within, each with one of them."""
    found: dict[int | None, Place] = {}
    outer: list[tuple[int, int]] = []
    last = (yield all_(_LAST_MANIFEST))[0][0]
    for after in range(0, last, _PAGE):
        rows: list[Row] = yield all_(_PIECE_BLOBS, after=after, last=after + _PAGE)
        for manifest, store, blob, nested in rows:
            if nested is not None:
                outer.append((manifest, nested))
            elif (store, bytes(blob)) in blobs:
                found[manifest] = (store, bytes(blob))
    for manifest, nested in outer:
        if nested in found:
            found.setdefault(manifest, found[nested])
    return found
