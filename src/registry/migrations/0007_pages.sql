-- Lists that are sorted by these columns are read from an index.
CREATE INDEX devices_by_name ON devices (name, id);
CREATE INDEX devices_by_registered ON devices (registered_at, id);
