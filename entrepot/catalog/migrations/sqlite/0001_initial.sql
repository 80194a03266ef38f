-- Keys and digests are BLOBs: they compare as bytes on every engine. Times are microseconds.

CREATE TABLE keys (
    access_key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    display_name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    root INTEGER NOT NULL,
    grants TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    store TEXT NOT NULL,
    versioning INTEGER NOT NULL DEFAULT 0,
    public_read INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
);
CREATE INDEX buckets_by_owner ON buckets (owner, name);

-- Bytes of small objects. The digest finds a copy that is there already; rows name the id.
CREATE TABLE inline_blobs (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    seen_at INTEGER NOT NULL,
    damaged INTEGER NOT NULL DEFAULT 0,
    data BLOB NOT NULL
);

-- The fact that a blob is in a store. A condemned one is being removed by the collector.
CREATE TABLE placements (
    store TEXT NOT NULL,
    blob BLOB NOT NULL,
    size INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    condemned INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (store, blob)
) WITHOUT ROWID;

CREATE TABLE manifests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    store TEXT NOT NULL,
    size INTEGER NOT NULL,
    released_at INTEGER NOT NULL
);

-- A piece is a whole blob, or a whole nested manifest (a part of an upload).
CREATE TABLE pieces (
    manifest INTEGER NOT NULL,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    blob BLOB,
    nested INTEGER,
    PRIMARY KEY (manifest, start)
) WITHOUT ROWID;

-- A row is either the current version of its key with bytes (live = 1) or history: an older
-- version, or a delete marker. A key whose newest row is a marker has no live row. Within a key a
-- higher id is newer. (An id may serve again once the highest row is gone, which keeps that true
-- and spares each write a page of sqlite_sequence.)
CREATE TABLE versions (
    id INTEGER PRIMARY KEY,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    version_id TEXT NOT NULL,
    live INTEGER NOT NULL,
    marker INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    hash BLOB NOT NULL,
    inline_id INTEGER,
    blob BLOB,
    manifest INTEGER,
    media_type TEXT NOT NULL,
    headers BLOB,
    metadata BLOB,
    checksums BLOB,
    parts INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    archived_at INTEGER
);
CREATE UNIQUE INDEX versions_live ON versions (bucket, key) WHERE live = 1;
CREATE INDEX versions_history ON versions (bucket, key, id DESC) WHERE live = 0;

CREATE TABLE uploads (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    upload_id TEXT NOT NULL UNIQUE,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    owner TEXT NOT NULL,
    media_type TEXT NOT NULL,
    headers BLOB,
    metadata BLOB,
    algorithm TEXT NOT NULL,
    composite INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    version_id TEXT,
    etag TEXT
);
CREATE INDEX uploads_by_key ON uploads (bucket, key, upload_id) WHERE finished_at IS NULL;
CREATE INDEX uploads_finished ON uploads (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE parts (
    upload INTEGER NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    hash BLOB NOT NULL,
    blob BLOB,
    manifest INTEGER,
    checksums BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
