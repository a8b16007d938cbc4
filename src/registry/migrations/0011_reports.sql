-- What a device tells of its update beside the result: in which of its stages it failed, how long
-- all of it took and each stage, and where the bytes came from.
ALTER TABLE campaign_devices ADD COLUMN failed_at TEXT;
ALTER TABLE campaign_devices ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_devices ADD COLUMN stages_ms TEXT;
ALTER TABLE campaign_devices ADD COLUMN sources TEXT;
