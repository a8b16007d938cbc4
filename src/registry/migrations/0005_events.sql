-- What happened, in the order in which it became durable. An id is never used again, also after the
-- rows before it were dropped, so that readers resume by it. data holds what is not in a column.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    device_id TEXT,
    campaign_id TEXT,
    model_id TEXT,
    actor TEXT,
    request_id TEXT,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_device ON events (device_id, id) WHERE device_id IS NOT NULL;
CREATE INDEX events_by_campaign ON events (campaign_id, id) WHERE campaign_id IS NOT NULL;

-- cursor: the last event that the receiver has taken, or that is none of its kinds. kinds are words
-- with commas between; null stands for all.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY NOT NULL,
    url TEXT NOT NULL,
    kinds TEXT,
    secret TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'stopped')),
    delivered INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    last_status INTEGER,
    last_error TEXT,
    last_tried_at INTEGER,
    last_delivered_at INTEGER,
    next_try_at INTEGER
) STRICT;
