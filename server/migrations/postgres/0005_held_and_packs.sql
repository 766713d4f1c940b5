-- A held item is found by what it waits for, and by itself; a device's and a reviewer's are counted.
CREATE INDEX held_need_held ON held_need (shard, held);
CREATE INDEX held_device ON held (shard, device);
CREATE INDEX held_reason ON held (shard, reason);

-- The packs that judged what was stored, province first: "43@3 430121@1".
ALTER TABLE log ADD COLUMN packs TEXT COLLATE "C";
