-- What happened in buckets that somebody listens to. A row is numbered once it is committed, in order: see
-- operations/events.py.
ALTER TABLE buckets ADD COLUMN events INTEGER NOT NULL DEFAULT 0;

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER,
    happened_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    bucket TEXT NOT NULL,
    key BLOB,
    hash BLOB,
    version_id TEXT,
    principal TEXT NOT NULL,
    payload BLOB
);
CREATE UNIQUE INDEX events_numbered ON events (sequence) WHERE sequence IS NOT NULL;
CREATE INDEX events_unnumbered ON events (id) WHERE sequence IS NULL;

-- The one row is the number given last, which outlives the events.
CREATE TABLE numbering (
    id INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);
INSERT INTO numbering (id, last) VALUES (1, 0);

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX leases_by_end ON leases (until);

-- What runs by itself. A round has begun and not ended where ended is NULL and started is not.
CREATE TABLE jobs (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    arguments TEXT NOT NULL,
    every INTEGER,
    due INTEGER,
    started INTEGER,
    ended INTEGER,
    position BLOB,
    done TEXT NOT NULL,
    progress INTEGER,
    error TEXT,
    cancelled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- What the collector asks: who names this. None of them has a row for an object that is kept in the catalog.
CREATE INDEX versions_by_blob ON versions (blob) WHERE blob IS NOT NULL;
CREATE INDEX versions_by_manifest ON versions (manifest) WHERE manifest IS NOT NULL;
CREATE INDEX parts_by_blob ON parts (blob) WHERE blob IS NOT NULL;
CREATE INDEX parts_by_manifest ON parts (manifest) WHERE manifest IS NOT NULL;
CREATE INDEX pieces_by_blob ON pieces (blob) WHERE blob IS NOT NULL;
CREATE INDEX pieces_by_nested ON pieces (nested) WHERE nested IS NOT NULL;
