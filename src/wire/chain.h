/** Patches in an assignment, alone and in a row. Private to wire. */
#ifndef OX_WIRE_CHAIN_H
#define OX_WIRE_CHAIN_H

#include "oxide/wire/heartbeat.h"

/** {sha256, size, format, strategy}, and back; the caller owns *out. */
OX_MUST_USE enum ox_code ox_wire_patch_to_json(const struct ox_patch_ref *patch, json_t **out,
                                               struct ox_err *err);
OX_MUST_USE enum ox_code ox_wire_patch_from_json(const json_t *json, struct ox_patch_ref *out,
                                                 struct ox_err *err);

/** Set "patches" if there is a chain. */
OX_MUST_USE enum ox_code ox_wire_put_chain(json_t *json, const struct ox_assignment *assignment,
                                           struct ox_err *err);
/** Take it, if it is there. `out` holds base and digest already. */
OX_MUST_USE enum ox_code ox_wire_parse_chain(const json_t *json, struct ox_assignment *out,
                                             struct ox_err *err);
void ox_wire_chain_clear(struct ox_assignment *assignment);

#endif
