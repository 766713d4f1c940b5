-- Who is who in the mini-program: the openid as a keyed hash, and sealed under the person's key.
CREATE TABLE wechat_user (
    openid BLOB NOT NULL PRIMARY KEY,
    person TEXT NOT NULL UNIQUE,
    sealed BLOB NOT NULL,
    bound_at BIGINT NOT NULL
);

-- One tap of consent is worth one message.
CREATE TABLE message_credit (
    person TEXT NOT NULL,
    what TEXT NOT NULL,
    credits BIGINT NOT NULL,
    PRIMARY KEY (person, what)
);

-- Messages on their way, and those that were given up.
CREATE TABLE message (
    shard BIGINT NOT NULL,
    what TEXT NOT NULL,
    record BLOB NOT NULL,
    number BIGINT NOT NULL,
    person TEXT NOT NULL,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    fault TEXT,
    PRIMARY KEY (shard, what, record, number)
);
CREATE INDEX message_due ON message (due_at) WHERE state = 'due';
