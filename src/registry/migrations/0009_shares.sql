-- Of a campaign's devices: those that are to be updated, which its stages are shares of. The others
-- run the version already, or have been passed by.
ALTER TABLE campaigns ADD COLUMN staged INTEGER NOT NULL DEFAULT 0;
UPDATE campaigns SET staged = total;

-- What a device that was told may fetch: bytes of its patches or full files, held against budgets.
ALTER TABLE campaign_devices ADD COLUMN offered_bytes INTEGER NOT NULL DEFAULT 0;
