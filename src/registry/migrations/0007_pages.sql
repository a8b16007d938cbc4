-- Lists that are sorted by these columns are read from an index.
CREATE INDEX devices_by_name ON devices (name, id);
CREATE INDEX devices_by_registered ON devices (registered_at, id);
CREATE INDEX devices_unseen ON devices (id) WHERE last_heartbeat IS NULL;

-- What a device in a campaign has cost: what we served it or, where others did, what it says that it
-- received; and what that saved, once it completed.
ALTER TABLE campaign_devices ADD COLUMN cost INTEGER GENERATED ALWAYS AS
    (CASE WHEN bytes_served > 0 THEN bytes_served ELSE bytes_received END) VIRTUAL;
ALTER TABLE campaign_devices ADD COLUMN saved INTEGER GENERATED ALWAYS AS
    (CASE WHEN state = 'complete' AND bytes_full > cost THEN bytes_full - cost ELSE 0 END) VIRTUAL;

-- Their sums, kept as they change: a campaign is shown without a look at its devices.
CREATE TABLE campaign_sums (
    campaign_id TEXT PRIMARY KEY NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
    cost INTEGER NOT NULL,
    saved INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO campaign_sums
SELECT campaign_id, sum(cost), sum(saved) FROM campaign_devices GROUP BY campaign_id;

CREATE TRIGGER campaign_sums_enter AFTER INSERT ON campaign_devices
WHEN NEW.cost > 0 OR NEW.saved > 0 BEGIN
    INSERT INTO campaign_sums VALUES (NEW.campaign_id, NEW.cost, NEW.saved)
    ON CONFLICT DO UPDATE SET cost = cost + excluded.cost, saved = saved + excluded.saved;
END;

CREATE TRIGGER campaign_sums_move
AFTER UPDATE OF state, bytes_full, bytes_received, bytes_served ON campaign_devices
WHEN NEW.cost <> OLD.cost OR NEW.saved <> OLD.saved BEGIN
    INSERT INTO campaign_sums
    VALUES (NEW.campaign_id, NEW.cost - OLD.cost, NEW.saved - OLD.saved)
    ON CONFLICT DO UPDATE SET cost = cost + excluded.cost, saved = saved + excluded.saved;
END;

CREATE TRIGGER campaign_sums_leave AFTER DELETE ON campaign_devices
WHEN OLD.cost > 0 OR OLD.saved > 0 BEGIN
    UPDATE campaign_sums SET cost = cost - OLD.cost, saved = saved - OLD.saved
    WHERE campaign_id = OLD.campaign_id;
END;
