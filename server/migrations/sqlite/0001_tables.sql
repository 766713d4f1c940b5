-- Every table but the people's starts its key with the shard. Times are Unix milliseconds.
-- The twin under ../postgres differs in BYTEA for BLOB, in the byte-wise collation of TEXT
-- and in having no WITHOUT ROWID; a test compares the two shapes.

-- One counter row per shard: the order of everything in it.
CREATE TABLE shard (
    id BIGINT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    head_seq BIGINT NOT NULL,
    durable_seq BIGINT NOT NULL,
    chain BLOB NOT NULL
);

CREATE TABLE stream (
    shard BIGINT NOT NULL,
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    floor_seq BIGINT NOT NULL,
    PRIMARY KEY (shard, id),
    UNIQUE (shard, name)
);

CREATE TABLE stream_sum (
    shard BIGINT NOT NULL,
    stream BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    live BIGINT NOT NULL,
    sum1 BIGINT NOT NULL,
    sum2 BIGINT NOT NULL,
    PRIMARY KEY (shard, stream, kind)
);

-- The newest state of each record in each stream; a pull is one range scan of the key.
CREATE TABLE feed (
    shard BIGINT NOT NULL,
    stream BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    op BIGINT NOT NULL,
    id BLOB NOT NULL,
    kind BIGINT NOT NULL,
    schema BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    home BOOLEAN NOT NULL,
    author TEXT NOT NULL,
    unit TEXT NOT NULL,
    village TEXT,
    state TEXT,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    estimated_at BIGINT NOT NULL,
    quality BIGINT NOT NULL,
    body TEXT NOT NULL,
    sealed BLOB,
    sealed_for TEXT,
    field_revs TEXT,
    PRIMARY KEY (shard, stream, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX feed_record ON feed (shard, id, stream);

-- Mutation register, verdict store and audit history in one append-only table.
CREATE TABLE log (
    shard BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    device TEXT NOT NULL,
    n BIGINT NOT NULL,
    digest BLOB NOT NULL,
    content BLOB,
    verdict BIGINT NOT NULL,
    answer TEXT NOT NULL,
    record BLOB NOT NULL,
    kind BIGINT NOT NULL,
    op BIGINT NOT NULL,
    author TEXT NOT NULL,
    unit TEXT NOT NULL,
    rule TEXT,
    received_at BIGINT NOT NULL,
    key TEXT,
    body_digest BLOB,
    PRIMARY KEY (shard, seq),
    UNIQUE (shard, device, n)
) WITHOUT ROWID;
CREATE UNIQUE INDEX log_content ON log (shard, record, content) WHERE content IS NOT NULL;
CREATE UNIQUE INDEX log_key ON log (shard, device, key) WHERE key IS NOT NULL;

CREATE TABLE log_commit (
    shard BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    chain BLOB NOT NULL,
    committed_at BIGINT NOT NULL,
    PRIMARY KEY (shard, seq)
);

CREATE TABLE held (
    shard BIGINT NOT NULL,
    id BLOB NOT NULL,
    record BLOB NOT NULL,
    device TEXT NOT NULL,
    n BIGINT NOT NULL,
    author TEXT NOT NULL,
    unit TEXT NOT NULL,
    kind BIGINT NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT,
    until_at BIGINT,
    escalated BOOLEAN NOT NULL,
    received_at BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    sealed_for TEXT NOT NULL,
    PRIMARY KEY (shard, id)
);
CREATE INDEX held_record ON held (shard, record);

CREATE TABLE held_need (
    shard BIGINT NOT NULL,
    need BLOB NOT NULL,
    held BLOB NOT NULL,
    PRIMARY KEY (shard, need, held)
);

CREATE TABLE slot (
    shard BIGINT NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    capacity BIGINT NOT NULL,
    confirmed BIGINT NOT NULL,
    offered BIGINT NOT NULL,
    next_rank BIGINT NOT NULL,
    next_offer BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (shard, id, name)
);

-- A person may draw on a lot of goods several times, but claims a place only once.
CREATE TABLE claim (
    shard BIGINT NOT NULL,
    record BLOB NOT NULL,
    slot BLOB NOT NULL,
    name TEXT NOT NULL,
    person TEXT NOT NULL,
    state TEXT NOT NULL,
    rank BIGINT NOT NULL,
    quantity BIGINT NOT NULL,
    offer BIGINT NOT NULL,
    accept_by BIGINT NOT NULL,
    PRIMARY KEY (shard, record)
) WITHOUT ROWID;
CREATE INDEX claim_line ON claim (shard, slot, name, state, rank);
CREATE UNIQUE INDEX claim_live ON claim (shard, slot, name, person)
    WHERE name <> 'lot' AND state IN ('confirmed', 'offered', 'waiting');

CREATE TABLE fact (
    shard BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    key TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    person TEXT NOT NULL,
    record BLOB NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (shard, kind, key, from_ms, record)
) WITHOUT ROWID;
CREATE INDEX fact_record ON fact (shard, record);

CREATE TABLE timer (
    shard BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (shard, kind, id)
);
CREATE INDEX timer_due ON timer (due_at);

CREATE TABLE refusal (
    shard BIGINT NOT NULL,
    id BLOB NOT NULL,
    seq BIGINT NOT NULL,
    record BLOB NOT NULL,
    kind BIGINT NOT NULL,
    device TEXT NOT NULL,
    n BIGINT NOT NULL,
    author TEXT NOT NULL,
    unit TEXT NOT NULL,
    rule TEXT NOT NULL,
    pack TEXT NOT NULL,
    version BIGINT NOT NULL,
    clause TEXT NOT NULL,
    office TEXT,
    minutes BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    refiled BLOB,
    content BLOB NOT NULL,
    PRIMARY KEY (shard, id)
);
CREATE INDEX refusal_record ON refusal (shard, record);
CREATE INDEX refusal_received ON refusal (shard, received_at);

CREATE TABLE rollup (
    shard BIGINT NOT NULL,
    day BIGINT NOT NULL,
    unit TEXT NOT NULL,
    village TEXT NOT NULL,
    class TEXT NOT NULL,
    kind BIGINT NOT NULL,
    count BIGINT NOT NULL,
    minutes BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    PRIMARY KEY (shard, day, unit, village, class, kind)
);

CREATE TABLE photo (
    shard BIGINT NOT NULL,
    sha256 BLOB NOT NULL,
    owner TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    mime TEXT NOT NULL,
    state TEXT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    PRIMARY KEY (shard, sha256, owner)
);

CREATE TABLE photo_ref (
    shard BIGINT NOT NULL,
    sha256 BLOB NOT NULL,
    record BLOB NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (shard, sha256, record)
);

CREATE TABLE photo_upload (
    id TEXT NOT NULL PRIMARY KEY,
    shard BIGINT NOT NULL,
    owner TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    mime TEXT NOT NULL,
    record BLOB,
    length BIGINT NOT NULL,
    received BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE photo_job (
    shard BIGINT NOT NULL,
    sha256 BLOB NOT NULL,
    what TEXT NOT NULL,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    fault TEXT,
    PRIMARY KEY (shard, sha256, what)
);

-- The name is sealed; the telephone is kept only as a keyed hash.
CREATE TABLE person (
    id TEXT NOT NULL PRIMARY KEY,
    name BLOB NOT NULL,
    telephone BLOB NOT NULL UNIQUE,
    password TEXT,
    created_at BIGINT NOT NULL,
    state TEXT NOT NULL
);

CREATE TABLE person_shard (
    person TEXT NOT NULL,
    shard BIGINT NOT NULL,
    PRIMARY KEY (person, shard)
);

CREATE TABLE granted (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    role TEXT NOT NULL,
    unit TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    to_at BIGINT
);
CREATE INDEX granted_person ON granted (person);

CREATE TABLE device (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    kind TEXT NOT NULL,
    session TEXT,
    state TEXT NOT NULL,
    registered_at BIGINT NOT NULL,
    last_seen_at BIGINT,
    saved_below BIGINT NOT NULL,
    waiting_records BIGINT,
    waiting_photos BIGINT,
    oldest_waiting_ms BIGINT,
    next_n BIGINT NOT NULL
);
CREATE INDEX device_person ON device (person);

CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    device TEXT NOT NULL,
    refresh BLOB NOT NULL,
    successor BLOB,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE throttle (
    key BLOB NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    next_at BIGINT NOT NULL
);

-- Data keys, wrapped under the root key; shard 0 holds the keys of identities.
CREATE TABLE seal_key (
    shard BIGINT NOT NULL,
    owner TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (shard, owner)
);

CREATE TABLE pack (
    region TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    PRIMARY KEY (region, version)
);

-- Who read a whole record that is not theirs, and why.
CREATE TABLE read_log (
    shard BIGINT NOT NULL,
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    record BLOB NOT NULL,
    reason TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    PRIMARY KEY (shard, id)
);
