-- Activities that anybody may see: until when, the digest of their public texts, and what WeChat
-- said of these: due, pass, review, risky, or parked where it said nothing. A row goes when the last
-- session has begun.
CREATE TABLE card (
    shard BIGINT NOT NULL,
    record BLOB NOT NULL,
    author TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    digest BLOB NOT NULL,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    fault TEXT,
    PRIMARY KEY (shard, record)
);
CREATE INDEX card_until ON card (until_at);
CREATE INDEX card_due ON card (due_at) WHERE state = 'due';
CREATE INDEX card_parked ON card (due_at) WHERE state = 'parked';
CREATE INDEX card_author ON card (author) WHERE state = 'due';

-- What is there already: read again by the server, which then knows until when.
INSERT INTO card (shard, record, author, until_at, digest, state, tries, due_at)
    SELECT DISTINCT shard, id, author, 9223372036854775807, x'', 'due', 0, 0
    FROM feed WHERE kind = 5 AND op = 0;
