-- A version is what people speak of; each of its variants is an artifact. The words about a version
-- (labels, lineage) stand here, those about one file of it (requirements, metrics) with the artifact.
-- parent_model and parent_version refer to no row: a parent may be held elsewhere, or be removed.
CREATE TABLE versions (
    id INTEGER PRIMARY KEY,
    model_id TEXT NOT NULL,
    version TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    labels TEXT NOT NULL DEFAULT '{}',
    parent_model TEXT,
    parent_version TEXT,
    commit_id TEXT,
    data_digest TEXT,
    notes TEXT,
    UNIQUE (model_id, version)
) STRICT;
INSERT INTO versions (id, model_id, version, published_at)
    SELECT id, model_id, version, uploaded_at FROM artifacts ORDER BY id;
CREATE INDEX versions_by_parent ON versions (parent_model, parent_version);

-- variant '' is the one without a name. removed_at: its files are gone, what campaigns say of it
-- stays, and so does its digest: a version never comes back with other bytes.
CREATE TABLE artifacts_next (
    id INTEGER PRIMARY KEY,
    model_id TEXT NOT NULL,
    version TEXT NOT NULL,
    variant TEXT NOT NULL DEFAULT '',
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    format TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    rank INTEGER NOT NULL DEFAULT 100,
    requires TEXT,
    metrics TEXT NOT NULL DEFAULT '{}',
    removed_at INTEGER,
    UNIQUE (model_id, version, variant),
    FOREIGN KEY (model_id, version) REFERENCES versions (model_id, version)
) STRICT;
INSERT INTO artifacts_next (id, model_id, version, digest, size_bytes, format, uploaded_at)
    SELECT id, model_id, version, digest, size_bytes, format, uploaded_at FROM artifacts;
DROP TABLE artifacts;
ALTER TABLE artifacts_next RENAME TO artifacts;
CREATE INDEX artifacts_by_digest ON artifacts (digest);

-- evicted: the patch was made, and dropped for room; it is made again for whoever asks. canceled:
-- by an operator, until one retries it.
CREATE TABLE delta_jobs_next (
    id INTEGER PRIMARY KEY,
    base_digest TEXT NOT NULL,
    target_digest TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('oxdl/2', 'oxdl/1')),
    state TEXT NOT NULL CHECK (state IN
        ('queued', 'running', 'ready', 'useless', 'failed', 'canceled', 'evicted')),
    waiting INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    patch_sha256 TEXT,
    patch_bytes INTEGER,
    ops INTEGER,
    strategy TEXT,
    queued_at INTEGER NOT NULL,
    ended_at INTEGER,
    used_at INTEGER,
    UNIQUE (base_digest, target_digest, format)
) STRICT;
INSERT INTO delta_jobs_next (id, base_digest, target_digest, format, state, waiting, reason,
    patch_sha256, patch_bytes, ops, strategy, queued_at, ended_at)
    SELECT id, base_digest, target_digest, format, state, waiting, reason,
        patch_sha256, patch_bytes, ops, strategy, queued_at, ended_at FROM delta_jobs;
DROP TABLE delta_jobs;
ALTER TABLE delta_jobs_next RENAME TO delta_jobs;
CREATE INDEX delta_jobs_by_state ON delta_jobs (state, waiting);
CREATE INDEX delta_jobs_by_target ON delta_jobs (target_digest);
CREATE INDEX delta_jobs_by_patch ON delta_jobs (patch_sha256);

-- Which versions of a model are kept; model_id '' is the rule of models without one of their own.
-- keep_labels is a JSON array of "key" and "key=value".
CREATE TABLE retention (
    model_id TEXT PRIMARY KEY NOT NULL,
    keep_newest INTEGER NOT NULL,
    keep_labels TEXT NOT NULL,
    keep_for_s INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Whom a version, a patch or a blob is still needed by.
CREATE INDEX device_models_by_digest ON device_models (digest);
CREATE INDEX campaign_devices_by_origin ON campaign_devices (campaign_id, from_digest);
