-- Blobs of the stores that keep them in the catalog. A damaged one is set aside (damaged = 1), where it makes room
-- for a sound one and stays as evidence until the blob is removed.
CREATE TABLE stored_blobs (
    store TEXT NOT NULL,
    digest BLOB NOT NULL,
    damaged INTEGER NOT NULL DEFAULT 0,
    data BLOB NOT NULL,
    PRIMARY KEY (store, digest, damaged)
);
