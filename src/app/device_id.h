/** Device ids that are made of what the machine is: 'cam-{serial}'. */
#ifndef OX_APP_DEVICE_ID_H
#define OX_APP_DEVICE_ID_H

#include "oxide/base/err.h"
#include "oxide/wire/id.h"

/**
 * Put values in place of {serial}, {hostname}, {mac} and {machine_id}. What an identifier cannot
 * hold becomes "-" in them. `root` stands in front of every file that is read; "" is the machine.
 * Errors: OX_EINVAL for an unknown name, a brace that does not close, or what is no identifier in
 * the end; OX_ENOTFOUND where the machine has no such value, or one that many machines share.
 */
OX_MUST_USE enum ox_code ox_device_id_resolve(const char *template, const char *root,
                                              char out[OX_ID_MAX + 1], struct ox_err *err);

#endif
