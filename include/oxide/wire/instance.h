/**
 * Who speaks under a device's id: the installation of an agent, and its run. Each installation has
 * a random instance id, kept beside its models as long as it stands; each start of its process, a
 * random one that lives only in memory. So a card that was copied says the instance of the first
 * one, but never its start.
 */
#ifndef OXIDE_WIRE_INSTANCE_H
#define OXIDE_WIRE_INSTANCE_H

#include "oxide/base/err.h"

#define OX_INSTANCE_HEX 32 /* lower-case hex digits, as all of them */
#define OX_START_HEX 16

/** Errors: OX_EINVAL, naming `what`. */
OX_MUST_USE enum ox_code ox_instance_check(const char *what, const char *text, struct ox_err *err);

#endif
