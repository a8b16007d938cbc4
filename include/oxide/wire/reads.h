/**
 * What patches an agent can read, as it says so in the header X-Oxide-Reads and in heartbeats:
 * "oxdl/2; ops=1f; chains=8, oxdl/1, remove/1". `ops` is the hexadecimal bitmap of OXDL 2
 * operations (docs/oxdl.md), `chains` how many patches it applies one after the other, by way of
 * versions in between. "remove/1" is no format: such an agent removes a model where an assignment
 * says so. Formats and parameters that we do not know are ignored: a newer agent may say more.
 */
#ifndef OXIDE_WIRE_READS_H
#define OXIDE_WIRE_READS_H

#include "oxide/base/err.h"

#include <stdint.h>

#define OX_READS_TEXT_MAX 80
#define OX_READS_REMOVE "remove/1"

struct ox_reads {
    bool oxdl1;
    bool oxdl2;
    uint64_t oxdl2_ops; /* operations of OXDL 2 that are understood */
    uint64_t chains;    /* patches of OXDL 2 in a row; 0 and 1: no chains */
    bool removes;       /* a model can be taken from it */
};

/** Errors: OX_EINVAL for a malformed list (over 512 bytes, ops that are no hex number). */
OX_MUST_USE enum ox_code ox_reads_parse(const char *text, struct ox_reads *out, struct ox_err *err);

/** Write the text; returns `out`. */
const char *ox_reads_text(const struct ox_reads *reads, char out[OX_READS_TEXT_MAX]);

#endif
