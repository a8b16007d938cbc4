/** What the queries that read devices share. */
#ifndef OX_REGISTRY_DEVICES_H
#define OX_REGISTRY_DEVICES_H

struct ox_db_row;

/** Columns of a row d of devices, as ox_device_read reads them. */
#define OX_DEVICE_COLUMNS                                                                          \
    "d.id, d.name, d.tags, d.last_heartbeat, d.status, d.current_model, d.current_version,"        \
    " d.last_result, d.platform, d.metrics, d.agent, d.protocol, d.reads, d.report_seq,"           \
    " d.registered_at, d.instance, d.instance_since, d.conflict_since, d.poll_interval_s,"         \
    " coalesce(d.utc_offset_s, -2147483648), d.disk_free_bytes, d.disk_total_bytes, d.address,"    \
    " (SELECT f.fleet_id FROM fleet_devices f WHERE f.device_id = d.id"                            \
    " ORDER BY f.added_at DESC, f.fleet_id LIMIT 1)"
void ox_device_read(struct ox_db_row *row, void *out);

/** Has a row d of devices missed three polls of its own interval, at the time `now`? The number is
 *  OX_DEVICE_POLL_S_DEFAULT. */
#define OX_DEVICE_SILENT(now) "d.last_heartbeat + 3000 * coalesce(d.poll_interval_s, 30) < " now

/** The status of a row d of devices; "@" is the time. */
#define OX_DEVICE_STATUS_AT                                                                        \
    "CASE WHEN coalesce(d.last_heartbeat, 0) = 0 THEN 'unknown'"                                   \
    " WHEN d.conflict_since IS NOT NULL THEN 'conflict'"                                           \
    " WHEN " OX_DEVICE_SILENT("@") " THEN 'offline' ELSE d.status END"

#endif
