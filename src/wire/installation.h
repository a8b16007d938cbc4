/** The part of a heartbeat that tells of the installation. Private to wire. */
#ifndef OX_WIRE_INSTALLATION_H
#define OX_WIRE_INSTALLATION_H

#include "oxide/wire/heartbeat.h"

OX_MUST_USE enum ox_code ox_wire_parse_installation(const json_t *json, struct ox_installation *out,
                                                    struct ox_err *err);
OX_MUST_USE enum ox_code ox_wire_put_installation(json_t *json,
                                                  const struct ox_installation *installation,
                                                  struct ox_err *err);

#endif
