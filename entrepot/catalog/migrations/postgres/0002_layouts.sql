-- The parts that a version was completed from: number, size and checksums of each, packed.
CREATE TABLE layouts (
    version BIGINT PRIMARY KEY,
    packed BYTEA NOT NULL
);
