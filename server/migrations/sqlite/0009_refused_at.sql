-- When a record was refused: at once, or later by a reviewer. The ledger counts by it, so that a
-- month that is over stays as it was published. What was refused before counts as it did.
ALTER TABLE refusal ADD COLUMN refused_at BIGINT NOT NULL DEFAULT 0;
UPDATE refusal SET refused_at = received_at;
CREATE INDEX refusal_refused ON refusal (shard, refused_at);

-- As 0006 says it of the others.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('refusal', 'refusal_refused', '2000 2000 1');
ANALYZE sqlite_schema;
