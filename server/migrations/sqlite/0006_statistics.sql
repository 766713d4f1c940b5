-- How selective each index is in a county's file after a year. Without this the planner reads a
-- whole county where it could look up one record, and never learns better, since nothing analyses
-- the file. The numbers need not be right, only in proportion: rows, then rows for each longer
-- prefix of the key. The twin keeps statistics by itself.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('feed', 'feed', '200000 200000 500 1'),
    ('feed', 'feed_record', '200000 200000 2 1'),
    ('log', 'log', '120000 120000 1'),
    ('log', 'log_content', '100000 100000 1 1'),
    ('log', 'log_key', '2000 2000 20 1'),
    ('log', 'sqlite_autoindex_log_2', '120000 120000 1500 1'),
    ('fact', 'fact', '150000 150000 50000 300 1 1'),
    ('fact', 'fact_record', '150000 150000 2'),
    ('claim', 'claim', '20000 20000 1'),
    ('claim', 'claim_line', '20000 20000 50 20 10 1'),
    ('claim', 'claim_live', '10000 10000 40 20 1'),
    ('slot', 'sqlite_autoindex_slot_1', '2000 2000 3 1'),
    ('timer', 'sqlite_autoindex_timer_1', '3000 3000 1000 1'),
    ('timer', 'timer_due', '3000 1'),
    ('refusal', 'sqlite_autoindex_refusal_1', '2000 2000 1'),
    ('refusal', 'refusal_record', '2000 2000 1'),
    ('refusal', 'refusal_received', '2000 2000 1'),
    ('stream', 'sqlite_autoindex_stream_1', '500 500 1'),
    ('stream', 'sqlite_autoindex_stream_2', '500 500 1'),
    ('stream_sum', 'sqlite_autoindex_stream_sum_1', '1500 1500 4 1'),
    ('rollup', 'sqlite_autoindex_rollup_1', '40000 40000 120 6 2 1 1'),
    ('held', 'sqlite_autoindex_held_1', '500 500 1'),
    ('held', 'held_record', '500 500 1'),
    ('held', 'held_device', '500 500 5'),
    ('held', 'held_reason', '500 500 250'),
    ('held_need', 'sqlite_autoindex_held_need_1', '500 500 1 1'),
    ('held_need', 'held_need_held', '500 500 1'),
    ('photo', 'sqlite_autoindex_photo_1', '50000 50000 1 1'),
    ('photo_ref', 'sqlite_autoindex_photo_ref_1', '50000 50000 1 1'),
    ('seal_key', 'sqlite_autoindex_seal_key_1', '20000 10000 1'),
    ('device', 'sqlite_autoindex_device_1', '2000 1'),
    ('device', 'device_person', '2000 2'),
    ('granted', 'sqlite_autoindex_granted_1', '2000 1'),
    ('granted', 'granted_person', '2000 2'),
    ('granted', 'granted_role', '2000 200 5'),
    ('person_shard', 'sqlite_autoindex_person_shard_1', '2000 1 1');
ANALYZE sqlite_schema;
