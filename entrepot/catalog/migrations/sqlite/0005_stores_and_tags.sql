-- Headers and user metadata are JSON objects of text, which SQL can ask. A version says itself in which store its blob
-- or manifest lies ('' when it has neither), and under which key its bytes are sealed (NULL: they are as they came).
-- Inline bytes that are not kept as they came have a digest of their own; where it is NULL, hash is it.
CREATE TABLE versions_anew (
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
    inline_digest BLOB,
    store TEXT NOT NULL,
    blob BLOB,
    manifest INTEGER,
    sealed_with TEXT,
    media_type TEXT NOT NULL,
    headers TEXT,
    metadata TEXT,
    checksums BLOB,
    parts INTEGER NOT NULL,
    tags INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    archived_at INTEGER
);
INSERT INTO versions_anew
SELECT v.id, v.bucket, v.key, v.version_id, v.live, v.marker, v.size, v.etag, v.hash, v.inline_id, NULL,
    CASE WHEN v.blob IS NULL AND v.manifest IS NULL THEN '' ELSE coalesce(b.store, '') END,
    v.blob, v.manifest, NULL, v.media_type, unpacked(v.headers), unpacked(v.metadata), v.checksums, v.parts, 0,
    v.owner, v.created_at, v.archived_at
FROM versions v LEFT JOIN buckets b ON b.id = v.bucket ORDER BY v.id;
DROP TABLE versions;
ALTER TABLE versions_anew RENAME TO versions;
CREATE UNIQUE INDEX versions_live ON versions (bucket, key) WHERE live = 1;
CREATE INDEX versions_history ON versions (bucket, key, id DESC) WHERE live = 0;
-- Not unique: data in which two of a key have one id is for `check` to tell, not for an upgrade to fail at.
CREATE INDEX versions_by_version_id ON versions (bucket, key, version_id) WHERE live = 0;

ALTER TABLE parts ADD COLUMN store TEXT NOT NULL DEFAULT '';
ALTER TABLE parts ADD COLUMN sealed_with TEXT;
UPDATE parts SET store = coalesce(
    (SELECT b.store FROM uploads u JOIN buckets b ON b.id = u.bucket WHERE u.id = parts.upload), ''
) WHERE blob IS NOT NULL OR manifest IS NOT NULL;

-- The tags of an upload, a JSON object of text, become those of its version.
ALTER TABLE uploads ADD COLUMN tags TEXT;
ALTER TABLE uploads RENAME COLUMN headers TO headers_packed;
ALTER TABLE uploads RENAME COLUMN metadata TO metadata_packed;
ALTER TABLE uploads ADD COLUMN headers TEXT;
ALTER TABLE uploads ADD COLUMN metadata TEXT;
UPDATE uploads SET headers = unpacked(headers_packed), metadata = unpacked(metadata_packed);
ALTER TABLE uploads DROP COLUMN headers_packed;
ALTER TABLE uploads DROP COLUMN metadata_packed;
ALTER TABLE uploads ADD COLUMN stage TEXT NOT NULL DEFAULT 'open';
UPDATE uploads SET stage = 'accepted' WHERE finished_at IS NOT NULL;

-- versions.tags tells how many a version has.
CREATE TABLE version_tags (
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (version, name)
) WITHOUT ROWID;
CREATE TABLE bucket_tags (
    bucket INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;

-- What would be looked for among everything else.
CREATE INDEX placements_condemned ON placements (store, blob) WHERE condemned = 1;
CREATE INDEX keys_by_account ON keys (account, created_at);
CREATE INDEX keys_granted ON keys (access_key) WHERE grants != '';
