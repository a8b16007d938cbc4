/**
 * The registry under examination: opened to be read alone, as it is, whatever its schema; nothing
 * is migrated, and not a byte of the database is written. Findings go into a checkup, section by
 * section. For `oxide doctor`; a control plane may be running on it.
 */
#ifndef OXIDE_REGISTRY_AUDIT_H
#define OXIDE_REGISTRY_AUDIT_H

#include "oxide/base/checkup.h"
#include "oxide/registry/registry.h"

struct ox_audit;

/**
 * Errors: OX_ENOTFOUND, OX_ECORRUPT (it is no database, or its head is damaged), OX_EPERM. `stop`
 * ends queries, which then fail with OX_ECANCELED; it may be NULL. The caller closes *out.
 */
OX_MUST_USE enum ox_code ox_audit_open(struct ox_audit **out, const char *path,
                                       struct ox_stop *stop, struct ox_err *err);
/** NULL is fine. */
void ox_audit_close(struct ox_audit *audit);

/** The number of its schema, 0 if it has none, and of the newest that is known. */
int ox_audit_schema(const struct ox_audit *audit);
int ox_audit_schema_newest(void);

/** A reading transaction on it, ended as any other; short ones do not hold up the log of writes. */
OX_MUST_USE enum ox_code ox_audit_begin(struct ox_audit *audit, struct ox_tx *tx,
                                        struct ox_err *err);

/** Pages, indexes (but for `quick`), constraints, references between rows. */
OX_MUST_USE enum ox_code ox_audit_database(struct ox_audit *audit, struct ox_checkup *checkup,
                                           struct ox_err *err);
/**
 * What must be so (invariants.c), each rule on the registry as it is at one instant. Only for the
 * newest schema. With `registry`, the same one opened by who holds the folder, rules that can be
 * mended are; NULL: nothing is.
 */
OX_MUST_USE enum ox_code ox_audit_rules(struct ox_audit *audit, struct ox_registry *registry,
                                        struct ox_checkup *checkup, struct ox_err *err);

#endif
