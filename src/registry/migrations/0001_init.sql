-- Times are milliseconds since 1970 UTC; digests are 64 lower-case hex digits; JSON is text.

CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    model_id TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    format TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    UNIQUE (model_id, version)
) STRICT;
CREATE INDEX artifacts_by_digest ON artifacts (digest);

CREATE TABLE artifact_files (
    artifact_id INTEGER NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    executable INTEGER NOT NULL CHECK (executable IN (0, 1)),
    PRIMARY KEY (artifact_id, path)
) STRICT;
CREATE INDEX artifact_files_by_sha256 ON artifact_files (sha256);

CREATE TABLE devices (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    last_heartbeat INTEGER,
    status TEXT NOT NULL,
    current_model TEXT,
    current_version TEXT,
    last_result TEXT,
    platform TEXT,
    metrics TEXT,
    agent TEXT,
    protocol INTEGER NOT NULL DEFAULT 0,
    reads TEXT,
    report_seq INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What a device runs, by its own word. digest is null where only a version was named that this
-- control plane does not hold.
CREATE TABLE device_models (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT,
    PRIMARY KEY (device_id, model_id)
) STRICT;
CREATE INDEX device_models_by_model ON device_models (model_id);

CREATE TABLE fleets (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    default_strategy TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE fleet_devices (
    fleet_id TEXT NOT NULL REFERENCES fleets (id) ON DELETE CASCADE,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (fleet_id, device_id)
) STRICT;
CREATE INDEX fleet_devices_by_device ON fleet_devices (device_id);

CREATE TABLE campaigns (
    id TEXT PRIMARY KEY NOT NULL,
    artifact_id INTEGER NOT NULL REFERENCES artifacts (id),
    fleet_id TEXT,
    strategy TEXT NOT NULL CHECK (strategy IN ('all_at_once', 'rolling', 'canary')),
    state TEXT NOT NULL
        CHECK (state IN ('pending', 'rolling_out', 'paused', 'complete', 'aborted')),
    reason TEXT,
    created_at INTEGER NOT NULL,
    prepared_at INTEGER,
    stage INTEGER NOT NULL,
    stage_opened_at INTEGER NOT NULL,
    failures_accepted INTEGER NOT NULL DEFAULT 0,
    unnamed_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX campaigns_by_state ON campaigns (state);
CREATE INDEX campaigns_by_artifact ON campaigns (artifact_id);

-- device_id refers to no row: what a campaign did stays when a device is unregistered.
CREATE TABLE campaign_devices (
    campaign_id TEXT NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
    device_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('pending', 'downloading', 'applying', 'verifying', 'complete', 'failed', 'skipped')),
    error TEXT,
    strategy TEXT,
    bytes_full INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL DEFAULT 0,
    bytes_served INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, device_id)
) STRICT;
CREATE INDEX campaign_devices_by_device ON campaign_devices (device_id, state);
CREATE INDEX campaign_devices_by_place ON campaign_devices (campaign_id, place);

CREATE TABLE delta_jobs (
    id INTEGER PRIMARY KEY,
    base_digest TEXT NOT NULL,
    target_digest TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('oxdl/2', 'oxdl/1')),
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'ready', 'useless', 'failed')),
    waiting INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    patch_sha256 TEXT,
    patch_bytes INTEGER,
    ops INTEGER,
    strategy TEXT,
    queued_at INTEGER NOT NULL,
    ended_at INTEGER,
    UNIQUE (base_digest, target_digest, format)
) STRICT;
CREATE INDEX delta_jobs_by_state ON delta_jobs (state);
CREATE INDEX delta_jobs_by_target ON delta_jobs (target_digest);
CREATE INDEX delta_jobs_by_patch ON delta_jobs (patch_sha256);
