-- Fleets by filter: filter is text of docs/filter.md; such a fleet has no rows in fleet_devices.

ALTER TABLE fleets ADD COLUMN filter TEXT;
CREATE INDEX fleets_by_filter ON fleets (id) WHERE filter IS NOT NULL;

-- Which devices run a version, without a look at any other; it serves who asks for the model too.
CREATE INDEX device_models_by_version ON device_models (model_id, version, device_id);
DROP INDEX device_models_by_model;
