/** What must be so in the registry, as a table of queries that find what is not. */
#ifndef OX_REGISTRY_INVARIANTS_H
#define OX_REGISTRY_INVARIANTS_H

#include "oxide/base/checkup.h"

struct ox_invariant {
    const char *name;
    enum ox_severity severity;
    bool stopped;     /* it holds only while no control plane runs */
    const char *sql;  /* rows of (where, what); ?1 is the time, in milliseconds */
    const char *hint; /* what to do */
    const char *fix;  /* statements that mend it, losing nothing; NULL: an operator decides */
};

extern const struct ox_invariant ox_invariants[];
extern const size_t ox_invariants_count;

#endif
