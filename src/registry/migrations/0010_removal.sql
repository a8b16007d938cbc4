-- Where a revert sends a device back to having nothing, artifact_id is what it gives up.
ALTER TABLE campaign_devices ADD COLUMN removes INTEGER NOT NULL DEFAULT 0
    CHECK (removes IN (0, 1));
