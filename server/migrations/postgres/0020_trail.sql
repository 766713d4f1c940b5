-- Who did what to whom at the server: ids and codes, the reason of a move sealed for the person.
-- The id begins with the moment, so that rows are read and swept in its order.
CREATE TABLE trail (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    what TEXT NOT NULL,
    person TEXT COLLATE "C" NOT NULL,
    unit TEXT COLLATE "C" NOT NULL,
    target TEXT NOT NULL,
    reason BYTEA
);
-- A page is read along one of these: where somebody watches, whom it is about, who did it.
CREATE INDEX trail_unit ON trail (unit, id);
CREATE INDEX trail_person ON trail (person, id);
CREATE INDEX trail_actor ON trail (actor, id);
