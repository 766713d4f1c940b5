-- Somebody who was entered twice: the entry that was given up, and whose it is.
ALTER TABLE person ADD COLUMN merged_into TEXT;
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;
