-- Who did what to whom at the server: ids and codes, the reason of a move sealed for the person.
-- The id begins with the moment, so that rows are read and swept in its order.
CREATE TABLE trail (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    what TEXT NOT NULL,
    person TEXT NOT NULL,
    unit TEXT NOT NULL,
    target TEXT NOT NULL,
    reason BLOB
);
