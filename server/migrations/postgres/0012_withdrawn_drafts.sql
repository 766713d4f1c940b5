-- Drafts that were taken back, by whom; their numbers may be proposed again.
CREATE TABLE pack_withdrawn (
    region TEXT NOT NULL,
    version BIGINT NOT NULL,
    digest TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    withdrawn_by TEXT NOT NULL,
    withdrawn_at BIGINT NOT NULL,
    PRIMARY KEY (region, version, withdrawn_at, digest)
);
