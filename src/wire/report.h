/** Reports within a heartbeat. Private to wire. */
#ifndef OX_WIRE_REPORT_H
#define OX_WIRE_REPORT_H

#include "oxide/wire/heartbeat.h"

/** The caller clears *report, also on failure. */
OX_MUST_USE enum ox_code ox_wire_parse_report(const json_t *entry, struct ox_device_report *report,
                                              struct ox_err *err);
/** *out is a reference to release. */
OX_MUST_USE enum ox_code ox_wire_build_report(const struct ox_device_report *report, json_t **out,
                                              struct ox_err *err);

#endif
