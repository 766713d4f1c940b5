-- What is due and what has expired is looked for every second and every ten minutes.
CREATE INDEX photo_job_due ON photo_job (due_at) WHERE state = 'due';
CREATE INDEX photo_upload_expires ON photo_upload (expires_at);
