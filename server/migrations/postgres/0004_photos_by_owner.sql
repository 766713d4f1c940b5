-- Before an announcement, what its sender has under way and has sent lately is counted.
CREATE INDEX photo_upload_owner ON photo_upload (owner);
CREATE INDEX photo_owner ON photo (owner, stored_at);
