-- The log is chained line by line, so that it can be checked without knowing where commits ended.
-- What was written before stays outside the chain: it begins anew after this number.
DROP TABLE log_commit;
ALTER TABLE shard ADD COLUMN chained_from BIGINT NOT NULL DEFAULT 0;
UPDATE shard SET chained_from = head_seq, chain = '';

-- Backups that were made and verified; a server that has none of today says so.
CREATE TABLE backup (
    made_at BIGINT NOT NULL PRIMARY KEY,
    bytes BIGINT NOT NULL,
    records BIGINT NOT NULL,
    photos BIGINT NOT NULL
);
