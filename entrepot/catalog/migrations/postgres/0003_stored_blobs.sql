-- Blobs of the stores that keep them in the catalog. A damaged one is set aside (damaged = 1), where it makes room
-- for a sound one and stays as evidence until the blob is removed.
CREATE TABLE stored_blobs (
    store TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    damaged BIGINT NOT NULL DEFAULT 0,
    data BYTEA NOT NULL,
    PRIMARY KEY (store, digest, damaged)
);
ALTER TABLE stored_blobs ALTER COLUMN data SET STORAGE EXTERNAL;
