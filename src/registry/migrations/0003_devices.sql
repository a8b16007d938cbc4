-- Which installation speaks under a device's id, what else a heartbeat tells, what ran where and
-- when, who waits to be made known, and what shall stay as it is.

-- conflict_since: another installation speaks under the same id, beside this one.
ALTER TABLE devices ADD COLUMN instance TEXT;
ALTER TABLE devices ADD COLUMN instance_since INTEGER;
ALTER TABLE devices ADD COLUMN conflict_since INTEGER;
ALTER TABLE devices ADD COLUMN poll_interval_s INTEGER;
ALTER TABLE devices ADD COLUMN utc_offset_s INTEGER;
ALTER TABLE devices ADD COLUMN disk_free_bytes INTEGER;
ALTER TABLE devices ADD COLUMN disk_total_bytes INTEGER;
ALTER TABLE devices ADD COLUMN address TEXT;
CREATE INDEX devices_by_conflict ON devices (id) WHERE conflict_since IS NOT NULL;

-- Installations that speak, or spoke, under the id of a device and are not that device: rival (to
-- be decided), split (it is new_id from now on), replaced (it has nothing to do any more).
CREATE TABLE device_instances (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('rival', 'split', 'replaced')),
    new_id TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    address TEXT,
    agent TEXT,
    platform TEXT,
    PRIMARY KEY (device_id, instance)
) STRICT;
CREATE INDEX device_instances_by_age ON device_instances (last_seen) WHERE state = 'rival';

-- device_id refers to no row: what ran stays known when a device is unregistered. to_ms is null for
-- what runs now.
CREATE TABLE device_model_history (
    id INTEGER PRIMARY KEY,
    device_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER
) STRICT;
CREATE INDEX device_model_history_by_device ON device_model_history (device_id, id);
CREATE INDEX device_model_history_by_model ON device_model_history (model_id, device_id, id);
CREATE UNIQUE INDEX device_model_history_open ON device_model_history (device_id, model_id)
    WHERE to_ms IS NULL;

INSERT INTO device_model_history (device_id, model_id, version, digest, from_ms)
SELECT m.device_id, m.model_id, m.version, m.digest, coalesce(d.last_heartbeat, d.registered_at)
FROM device_models m JOIN devices d ON d.id = m.device_id;

-- model_id '' is all models.
CREATE TABLE device_pins (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    reason TEXT,
    since INTEGER NOT NULL,
    PRIMARY KEY (device_id, model_id)
) STRICT;

-- Devices that asked and are not known.
CREATE TABLE pending_devices (
    id TEXT PRIMARY KEY NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'rejected')),
    address TEXT,
    agent TEXT,
    platform TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE INDEX pending_devices_by_state ON pending_devices (state, id);
CREATE INDEX pending_devices_by_age ON pending_devices (last_seen);
