-- The twin of ../sqlite: what the planner must know before there is anything to know. Rows of
-- shards that cannot exist are counted and taken away again; the counts stay until the table has
-- enough of its own. There are more such shards than the list of frequent values holds, so that
-- what is learnt holds for shards that come. A plan made for an empty table, and kept by its connection, would else read
-- a whole county where it could look up one record.
DO $$
DECLARE
    named TEXT;
    columns TEXT;
    ghosts TEXT;
    empty BOOLEAN;
BEGIN
    FOREACH named IN ARRAY ARRAY['feed', 'log', 'fact', 'held', 'held_need', 'slot', 'claim',
        'refusal', 'stream', 'stream_sum', 'rollup', 'timer', 'photo', 'photo_ref', 'seal_key']
    LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT 1 FROM %I)', named) INTO empty;
        CONTINUE WHEN NOT empty;
        SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position),
            string_agg(CASE
                WHEN column_name = 'shard' THEN '-1 - g % 400'
                WHEN column_name IN ('op', 'schema', 'home') AND data_type = 'bigint' THEN '0'
                WHEN column_name = 'stream' THEN 'g % 7'
                WHEN column_name = 'kind' AND data_type = 'bigint' THEN 'g % 5'
                WHEN data_type = 'bigint' THEN 'g'
                WHEN data_type = 'boolean' THEN 'g % 2 = 0'
                WHEN data_type = 'bytea' THEN 'decode(md5(g::text), ''hex'')'
                WHEN column_name = 'state' THEN '''open'''
                ELSE '''x'' || g' END, ', ' ORDER BY ordinal_position)
        INTO columns, ghosts
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = named;
        EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM generate_series(1, 4000) AS g '
            || 'ON CONFLICT DO NOTHING',
            named, columns, ghosts);
        EXECUTE format('ANALYZE %I', named);
        EXECUTE format('DELETE FROM %I WHERE shard < 0', named);
    END LOOP;
END $$;
