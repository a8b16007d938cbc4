/**
 * Lists, page by page. What control.h says of all functions holds; also, each gives one page as an
 * array of rows, and in *next the cursor of the page behind it, which the caller frees: NULL behind
 * the last row. A page may have fewer rows than the limit and yet not be the last.
 *
 * Errors: OX_EINVAL for a sort that the list does not know, or a cursor that is not of this list
 * and this sort.
 */
#ifndef OXIDE_CONTROL_LIST_H
#define OXIDE_CONTROL_LIST_H

#include "oxide/control/control.h"

#define OX_LIST_FILTERS_MAX 6

struct ox_list_query {
    const char *sort;   /* a field, with - in front for falling; NULL: the list's own order */
    const char *cursor; /* of the page before; NULL: the first page */
    uint64_t limit;     /* rows, 1 or more */
    bool brief;         /* leave out what is long: the devices of a fleet */
    struct {
        const char *name;
        const char *value;
    } filters[OX_LIST_FILTERS_MAX];
    size_t filter_count;
};

#define OX_CONTROL_LIST(name)                                                                      \
    OX_MUST_USE enum ox_code ox_control_##name(struct ox_control *control,                         \
                                               const struct ox_list_query *query, json_t **rows,   \
                                               char **next, struct ox_err *err)
/** Sorts: id, name, last_seen, registered. Filters: filter (registry/filter.h), fleet,
 *  runs ("MODEL[@VERSION]"), status. */
OX_CONTROL_LIST(devices);
/** What a device ran, the newest first. Sorts: id, from. Filters: device, which must be there or
 * have been (OX_ENOTFOUND); model. */
OX_CONTROL_LIST(device_history);
/** Devices that run, or ran, a model. Sorts: device, from. Filters: model; version; at (RFC 3339;
 *  without it, now). */
OX_CONTROL_LIST(model_where);
/** Devices that ask and are not known. Sorts: id, first_seen, last_seen. Filters: state. */
OX_CONTROL_LIST(pending_devices);
/** Sorts: id, name, created. Filters: device. */
OX_CONTROL_LIST(fleets);
/** Sorts: id, versions, size, uploaded. No filters. */
OX_CONTROL_LIST(models);
/** Sorts: uploaded, version, size. Filters: model, which must be there (OX_ENOTFOUND). */
OX_CONTROL_LIST(versions);
/** Sorts: created, id, model, state. Filters: state, model, fleet, device. */
OX_CONTROL_LIST(campaigns);
/** Sorts: place, id, state, updated. Filters: campaign, which must be there (OX_ENOTFOUND); state.
 */
OX_CONTROL_LIST(campaign_devices);
/** Sorts: id, waiting, queued, size. Filters: state, base, target. */
OX_CONTROL_LIST(jobs);

#endif
