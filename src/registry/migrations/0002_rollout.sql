-- Campaigns carry a policy; each device in one has a target of its own (variants, reverts), what it
-- came from, and why it failed. Counts by state are kept by triggers, so that a decision reads a
-- few rows however many devices there are.

CREATE TABLE campaigns_new (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rollout', 'revert')),
    artifact_id INTEGER NOT NULL REFERENCES artifacts (id),
    of_campaign TEXT,
    fleet_id TEXT,
    strategy TEXT NOT NULL,
    policy TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('pending', 'rolling_out', 'paused', 'complete', 'aborted')),
    reason TEXT,
    created_at INTEGER NOT NULL,
    prepared_at INTEGER,
    ended_at INTEGER,
    total INTEGER NOT NULL DEFAULT 0,
    stage INTEGER NOT NULL,
    stage_opened_at INTEGER NOT NULL,
    approved_stage INTEGER NOT NULL DEFAULT 0,
    last_success_at INTEGER,
    unnamed_bytes INTEGER NOT NULL DEFAULT 0,
    bytes_served INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE campaign_devices_new (
    campaign_id TEXT NOT NULL REFERENCES campaigns_new (id) ON DELETE CASCADE,
    device_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    artifact_id INTEGER REFERENCES artifacts (id),
    from_version TEXT,
    from_digest TEXT,
    state TEXT NOT NULL CHECK (state IN
        ('pending', 'downloading', 'applying', 'verifying', 'complete', 'failed', 'skipped')),
    class TEXT NOT NULL DEFAULT '',
    released INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1)),
    deferred INTEGER NOT NULL DEFAULT 0 CHECK (deferred IN (0, 1)),
    accepted INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
    late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),
    fallback INTEGER NOT NULL DEFAULT 0 CHECK (fallback IN (0, 1)),
    released_at INTEGER,
    offered_at INTEGER,
    error TEXT,
    strategy TEXT,
    bytes_full INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL DEFAULT 0,
    bytes_served INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, device_id)
) STRICT;

INSERT INTO campaigns_new (id, kind, artifact_id, fleet_id, strategy, policy, state, reason,
    created_at, prepared_at, total, stage, stage_opened_at, unnamed_bytes)
SELECT id, 'rollout', artifact_id, fleet_id, strategy, '{"strategy":"' || strategy || '"}', state,
    reason, created_at, prepared_at,
    (SELECT count(*) FROM campaign_devices d WHERE d.campaign_id = campaigns.id),
    stage, stage_opened_at, unnamed_bytes
FROM campaigns;

-- What had begun stays released; stages open anew for the others from where the campaign stands.
INSERT INTO campaign_devices_new (campaign_id, device_id, place, artifact_id, state, class,
    released, error, strategy, bytes_full, bytes_received, bytes_served, updated_at)
SELECT d.campaign_id, d.device_id, d.place, c.artifact_id, d.state,
    CASE WHEN d.state = 'failed' THEN 'other' ELSE '' END,
    CASE WHEN d.state <> 'pending' OR c.strategy = 'all_at_once' THEN 1 ELSE 0 END,
    d.error, d.strategy, d.bytes_full, d.bytes_received, d.bytes_served, d.updated_at
FROM campaign_devices d JOIN campaigns c ON c.id = d.campaign_id;

UPDATE campaigns_new SET bytes_served = coalesce((SELECT sum(d.bytes_served)
    FROM campaign_devices_new d WHERE d.campaign_id = campaigns_new.id), 0);

DROP TABLE campaign_devices;
DROP TABLE campaigns;
ALTER TABLE campaigns_new RENAME TO campaigns;
ALTER TABLE campaign_devices_new RENAME TO campaign_devices;

CREATE INDEX campaigns_by_state ON campaigns (state);
CREATE INDEX campaigns_by_artifact ON campaigns (artifact_id);
CREATE INDEX campaign_devices_by_device ON campaign_devices (device_id, state);
CREATE INDEX campaign_devices_by_place ON campaign_devices (campaign_id, place);
CREATE INDEX campaign_devices_by_state ON campaign_devices (campaign_id, state, updated_at);
CREATE INDEX campaign_devices_by_artifact ON campaign_devices (artifact_id);
CREATE INDEX campaign_devices_by_offer ON campaign_devices (campaign_id, offered_at)
    WHERE offered_at IS NOT NULL;
CREATE INDEX campaign_devices_by_fallback ON campaign_devices (campaign_id) WHERE fallback = 1;

-- How many devices of a campaign are where.
CREATE TABLE campaign_tallies (
    campaign_id TEXT NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    class TEXT NOT NULL,
    released INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    offered INTEGER NOT NULL,
    devices INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, state, class, released, deferred, accepted, offered)
) STRICT, WITHOUT ROWID;

INSERT INTO campaign_tallies
SELECT campaign_id, state, class, released, deferred, accepted, 0, count(*)
FROM campaign_devices GROUP BY campaign_id, state, class, released, deferred, accepted;

CREATE TRIGGER campaign_devices_enter AFTER INSERT ON campaign_devices BEGIN
    INSERT INTO campaign_tallies VALUES (NEW.campaign_id, NEW.state, NEW.class, NEW.released,
        NEW.deferred, NEW.accepted, NEW.offered_at IS NOT NULL, 1)
    ON CONFLICT DO UPDATE SET devices = devices + 1;
END;

CREATE TRIGGER campaign_devices_move
AFTER UPDATE OF state, class, released, deferred, accepted, offered_at ON campaign_devices BEGIN
    UPDATE campaign_tallies SET devices = devices - 1
    WHERE campaign_id = OLD.campaign_id AND state = OLD.state AND class = OLD.class
        AND released = OLD.released AND deferred = OLD.deferred AND accepted = OLD.accepted
        AND offered = (OLD.offered_at IS NOT NULL);
    INSERT INTO campaign_tallies VALUES (NEW.campaign_id, NEW.state, NEW.class, NEW.released,
        NEW.deferred, NEW.accepted, NEW.offered_at IS NOT NULL, 1)
    ON CONFLICT DO UPDATE SET devices = devices + 1;
END;

CREATE TRIGGER campaign_devices_leave AFTER DELETE ON campaign_devices BEGIN
    UPDATE campaign_tallies SET devices = devices - 1
    WHERE campaign_id = OLD.campaign_id AND state = OLD.state AND class = OLD.class
        AND released = OLD.released AND deferred = OLD.deferred AND accepted = OLD.accepted
        AND offered = (OLD.offered_at IS NOT NULL);
END;

-- What a fleet's devices are to run, set by the campaign that completed last: who comes later
-- enters that campaign. halted: why nobody is sent there any more.
CREATE TABLE fleet_desired (
    fleet_id TEXT NOT NULL REFERENCES fleets (id) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
    set_at INTEGER NOT NULL,
    halted TEXT,
    PRIMARY KEY (fleet_id, model_id)
) STRICT;
CREATE INDEX fleet_desired_by_campaign ON fleet_desired (campaign_id);

-- Versions that a device is not given any more, after failures that speak against them.
CREATE TABLE quarantines (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    model_id TEXT NOT NULL,
    version TEXT NOT NULL,
    failures INTEGER NOT NULL,
    class TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (device_id, digest)
) STRICT;
