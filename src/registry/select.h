/** Selections as parts of statements, for the files of this module. */
#ifndef OX_REGISTRY_SELECT_H
#define OX_REGISTRY_SELECT_H

#include "filter_sql.h"

#include "oxide/registry/select.h"

/** Fleets whose filters ask for fleets whose filters ask for fleets. With what one filter may hold
 *  this keeps statements within what SQLite takes (a depth of 1000). */
#define OX_SELECT_NESTED_MAX 4
#define OX_SELECT_TESTS_MAX 256

/** A statement about devices d on its way. Set tx and, if few devices are looked at (a page, one),
 *  moment.one_by_one; release it with ox_selecting_clear once the statement has run. */
struct ox_selecting {
    struct ox_tx *tx;
    struct ox_sql sql;
    struct ox_filter_moment moment;
    bool live;                                /* a filter asks for what heartbeats change */
    const char *within[OX_SELECT_NESTED_MAX]; /* fleets whose filters are being written */
    size_t depth;
    struct ox_filter *filters[OX_SELECT_TESTS_MAX]; /* parameters are lent from them; owned */
    size_t filter_count;
    size_t tests;
};
void ox_selecting_clear(struct ox_selecting *selecting);

/** Append "TRUE AND ...": the condition for d to be selected. */
OX_MUST_USE enum ox_code ox_select_put(struct ox_selecting *selecting,
                                       const struct ox_selection *selection, struct ox_err *err);

/**
 * Run "head WHERE <d is selected> tail" once. head names devices d, and both may hold parameters
 * "@", which are their values (NULL: none):
 *     "INSERT INTO fleet_devices (fleet_id, device_id, added_at) SELECT @, d.id, @ FROM devices d"
 * They are texts of ours. ox_db_changes tells how many rows it changed.
 */
OX_MUST_USE enum ox_code ox_select_run(struct ox_tx *tx, const struct ox_selection *selection,
                                       const char *head, const struct ox_db_value *head_values,
                                       const char *tail, const struct ox_db_value *tail_values,
                                       struct ox_err *err);
/** As above, for a query of one row, which `read` reads to `out`. */
OX_MUST_USE enum ox_code ox_select_one(struct ox_tx *tx, const struct ox_selection *selection,
                                       const char *head, const struct ox_db_value *head_values,
                                       const char *tail, const struct ox_db_value *tail_values,
                                       ox_db_read_fn *read, void *out, struct ox_err *err);

#endif
