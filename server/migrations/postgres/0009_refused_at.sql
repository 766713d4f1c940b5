-- When a record was refused: at once, or later by a reviewer. The ledger counts by it, so that a
-- month that is over stays as it was published. What was refused before counts as it did.
ALTER TABLE refusal ADD COLUMN refused_at BIGINT NOT NULL DEFAULT 0;
UPDATE refusal SET refused_at = received_at;
CREATE INDEX refusal_refused ON refusal (shard, refused_at);

-- A new index makes the planner look at the table anew: 0006 once more for this one, where it is
-- empty.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM refusal) THEN
        INSERT INTO refusal (shard, id, seq, record, kind, device, n, author, unit, rule, pack,
            version, clause, minutes, received_at, refused_at, state, content)
        SELECT -1 - g % 400, decode(md5(g::text), 'hex'), g, decode(md5(g::text), 'hex'), g % 5,
            'x' || g, g, 'x' || g, 'x' || g, 'x' || g, 'x' || g, g, 'x' || g, g, g, g, 'open',
            decode(md5(g::text), 'hex')
        FROM generate_series(1, 4000) AS g;
        ANALYZE refusal;
        DELETE FROM refusal WHERE shard < 0;
    END IF;
END $$;
