-- Packs are signed, and by whom. Those from before are signed when the tables are brought up to date.
ALTER TABLE pack ADD COLUMN signature TEXT;
ALTER TABLE pack ADD COLUMN signer TEXT;
-- Who proposed a pack and who published it; nobody for the shipped one.
ALTER TABLE pack ADD COLUMN proposed_by TEXT;
ALTER TABLE pack ADD COLUMN published_by TEXT;
-- Whether the row of its stream has been written since it was signed.
ALTER TABLE pack ADD COLUMN told BOOLEAN NOT NULL DEFAULT FALSE;

-- Packs that wait for a second person.
CREATE TABLE pack_draft (
    region TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    signature TEXT,
    signer TEXT,
    proposed_by TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    PRIMARY KEY (region, version)
);
