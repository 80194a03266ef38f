-- The parts that a version was completed from: number, size and checksums of each, packed.
CREATE TABLE layouts (
    version INTEGER PRIMARY KEY,
    packed BLOB NOT NULL
);
