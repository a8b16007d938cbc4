-- While there is a row here, nothing is assigned: the registry was restored from a backup, and what
-- devices really run has gone on since. An operator lets it go on.
CREATE TABLE holds (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    since INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
