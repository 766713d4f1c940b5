-- A second factor: its secret, sealed; when it was confirmed; the last step of time that was used.
ALTER TABLE person ADD COLUMN second_factor BLOB;
ALTER TABLE person ADD COLUMN second_factor_at BIGINT;
ALTER TABLE person ADD COLUMN second_factor_step BIGINT NOT NULL DEFAULT 0;
-- A person sees and ends what is signed in.
CREATE INDEX session_person ON session (person);
