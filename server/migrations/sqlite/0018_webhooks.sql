-- Where changes of a stream are told to, how far they were, and what went wrong.
CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    shard BIGINT NOT NULL,
    stream TEXT NOT NULL,
    url TEXT NOT NULL,
    secret BLOB NOT NULL,
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    position BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    fault TEXT
);
CREATE INDEX webhook_due ON webhook (due_at) WHERE state = 'active';
CREATE INDEX webhook_shard ON webhook (shard, id);
