-- Headers and user metadata were MessagePack until here: a map of short text to short text.
CREATE FUNCTION pg_temp.unpacked(packed BYTEA) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    kind INT := get_byte(packed, 0);
    many INT;
    place INT;
    size INT;
    texts TEXT[] := '{}';
BEGIN
    IF kind = 222 THEN
        many := get_byte(packed, 1) * 256 + get_byte(packed, 2);
        place := 3;
    ELSE
        many := kind - 128;
        place := 1;
    END IF;
    FOR number IN 1 .. 2 * many LOOP
        kind := get_byte(packed, place);
        IF kind = 217 THEN
            size := get_byte(packed, place + 1);
            place := place + 2;
        ELSIF kind = 218 THEN
            size := get_byte(packed, place + 1) * 256 + get_byte(packed, place + 2);
            place := place + 3;
        ELSE
            size := kind - 160;
            place := place + 1;
        END IF;
        texts := array_append(texts, convert_from(substr(packed, place + 1, size), 'UTF8'));
        place := place + size;
    END LOOP;
    RETURN json_object(texts)::text;
END $$;

-- Headers and user metadata are JSON objects of text, which SQL can ask. A version says itself in which store its blob
-- or manifest lies ('' when it has neither), and under which key its bytes are sealed (NULL: they are as they came).
-- Inline bytes that are not kept as they came have a digest of their own; where it is NULL, hash is it.
ALTER TABLE versions
    ADD COLUMN inline_digest BYTEA,
    ADD COLUMN store TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN sealed_with TEXT COLLATE "C",
    ADD COLUMN tags BIGINT NOT NULL DEFAULT 0,
    ALTER COLUMN headers TYPE TEXT COLLATE "C" USING pg_temp.unpacked(headers),
    ALTER COLUMN metadata TYPE TEXT COLLATE "C" USING pg_temp.unpacked(metadata);
UPDATE versions v SET store = b.store FROM buckets b
WHERE b.id = v.bucket AND (v.blob IS NOT NULL OR v.manifest IS NOT NULL);
-- Not unique: data in which two of a key have one id is for `check` to tell, not for an upgrade to fail at.
CREATE INDEX versions_by_version_id ON versions (bucket, key, version_id) WHERE live = 0;

ALTER TABLE parts
    ADD COLUMN store TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN sealed_with TEXT COLLATE "C";
UPDATE parts t SET store = b.store FROM uploads u JOIN buckets b ON b.id = u.bucket
WHERE u.id = t.upload AND (t.blob IS NOT NULL OR t.manifest IS NOT NULL);

-- The tags of an upload, a JSON object of text, become those of its version.
ALTER TABLE uploads
    ADD COLUMN tags TEXT COLLATE "C",
    ADD COLUMN stage TEXT COLLATE "C" NOT NULL DEFAULT 'open',
    ALTER COLUMN headers TYPE TEXT COLLATE "C" USING pg_temp.unpacked(headers),
    ALTER COLUMN metadata TYPE TEXT COLLATE "C" USING pg_temp.unpacked(metadata);
UPDATE uploads SET stage = 'accepted' WHERE finished_at IS NOT NULL;

-- versions.tags tells how many a version has.
CREATE TABLE version_tags (
    version BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (version, name)
);
CREATE TABLE bucket_tags (
    bucket BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, name)
);
DROP FUNCTION pg_temp.unpacked;

-- What would be looked for among everything else.
CREATE INDEX placements_condemned ON placements (store, blob) WHERE condemned = 1;
CREATE INDEX keys_by_account ON keys (account, created_at);
CREATE INDEX keys_granted ON keys (access_key) WHERE grants != '';
