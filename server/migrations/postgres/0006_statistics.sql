-- The twin of ../sqlite, where statistics are written by hand: this engine keeps its own.
SELECT 1;
