#include "variants.h"

#include "inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum ox_code ox_requires_check(const char *requires, struct ox_err *err)
{
    struct ox_filter *filter = NULL;
    enum ox_code code = ox_filter_parse(&filter, requires, err);

    if (code == OX_OK && ox_filter_is_live(filter)) {
        code =
            ox_err_set(err, OX_EINVAL,
                       "\"requires\" asks for what every heartbeat may change (status, last_seen "
                       "or metrics): ask for what devices are");
    }
    ox_filter_free(filter);
    return code;
}

enum ox_code ox_variant_find(struct ox_tx *tx, const char *model_id, const char *version,
                             const char *variant, struct ox_artifact_row *out, struct ox_err *err)
{
    struct ox_artifact_row row;
    enum ox_code code;

    if (variant == NULL) {
        return ox_registry_artifact_get(tx, model_id, version, out, err);
    }
    code = ox_registry_artifact_find(tx, model_id, version, variant, &row, err);
    if (code == OX_OK && row.removed_ms != 0) {
        return ox_err_set(err, OX_ENOTFOUND, "%s@%s (%s) was removed", model_id, version, variant);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

/* --- the variants of a version, in the order of preference --- */

struct variants {
    struct ox_artifact_row *rows;
    size_t count;
    size_t standing; /* which one stands for the version */
};

static enum ox_code load(struct ox_tx *tx, const char *model_id, const char *version,
                         struct variants *out, struct ox_err *err)
{
    struct ox_artifact_row standing;
    enum ox_code code = ox_registry_artifact_get(tx, model_id, version, &standing, err);

    if (code == OX_OK) {
        code = ox_registry_variants(tx, model_id, version, &out->rows, &out->count, err);
    }
    for (size_t i = 0; code == OX_OK && i < out->count; i++) {
        out->standing = out->rows[i].id == standing.id ? i : out->standing;
    }
    return code;
}

/* The devices that a variant is for. *filter is the caller's to free. */
static enum ox_code selection_of(struct ox_control *control, const struct variants *variants,
                                 size_t index, struct ox_selection *out, struct ox_filter **filter,
                                 struct ox_err *err)
{
    const struct ox_artifact_row *row = &variants->rows[index];
    enum ox_code code = OX_OK;

    *filter = NULL;
    if (row->requires != NULL && (code = ox_filter_parse(filter, row->requires, err)) != OX_OK) {
        return ox_err_context(err, "variant %.64s of %s@%s",
                              row->variant[0] == '\0' ? "without a name" : row->variant,
                              row->model_id, row->version);
    }
    *out = ox_select_now(control, NULL, *filter);
    return code;
}

/* "no variant of m@v2 is for it: int8 requires platform.arch = ..., q4 requires ..." */
static void tell_why(const struct variants *variants, char why[OX_VARIANT_WHY_MAX])
{
    int used = snprintf(why, OX_VARIANT_WHY_MAX, "no variant of %.128s@%.128s is for it",
                        variants->rows[0].model_id, variants->rows[0].version);

    for (size_t i = 0; i < variants->count && used < OX_VARIANT_WHY_MAX - 1; i++) {
        const struct ox_artifact_row *row = &variants->rows[i];
        bool named = row->variant[0] != '\0';

        used += snprintf(why + used, OX_VARIANT_WHY_MAX - (size_t)used, "%s%s %s %s",
                         i == 0 ? ": " : ", ", named ? row->variant : "the one without a name",
                         row->requires == NULL ? "is none that an agent of its generation can ask "
                                                 "for"
                                               : "requires",
                         row->requires == NULL ? "" : row->requires);
    }
}

/* --- one device --- */

static enum ox_code suits(struct ox_control *control, struct ox_tx *tx,
                          const struct variants *variants, size_t index,
                          const struct ox_device_row *device, bool *out, struct ox_err *err)
{
    bool first_generation = device->protocol == 0 && device->last_heartbeat_ms != 0;
    struct ox_filter *filter = NULL;
    struct ox_selection selection;
    enum ox_code code;

    *out = index == variants->standing || !first_generation;
    if (!*out || variants->rows[index].requires == NULL) {
        return OX_OK;
    }
    code = selection_of(control, variants, index, &selection, &filter, err);
    if (code == OX_OK) {
        code = ox_registry_selected_has(tx, &selection, device->id, out, err);
    }
    ox_filter_free(filter);
    return code;
}

enum ox_code ox_variant_choose(struct ox_control *control, struct ox_tx *tx, const char *model_id,
                               const char *version, const char *device_id,
                               struct ox_artifact_row *out, bool *fits,
                               char why[OX_VARIANT_WHY_MAX], struct ox_err *err)
{
    struct variants variants = {NULL, 0, 0};
    struct ox_device_row device;
    enum ox_code code = load(tx, model_id, version, &variants, err);

    *fits = false;
    if (code == OX_OK) {
        code = ox_registry_device_get(tx, device_id, &device, err);
    }
    for (size_t i = 0; code == OX_OK && !*fits && i < variants.count; i++) {
        code = suits(control, tx, &variants, i, &device, fits, err);
        if (code == OX_OK && *fits) {
            *out = variants.rows[i];
        }
    }
    if (code == OX_OK && !*fits) {
        tell_why(&variants, why);
    }
    return code;
}

/* --- many devices --- */

enum ox_code ox_variants_target(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign, struct ox_err *err)
{
    struct variants variants = {NULL, 0, 0};
    char why[OX_VARIANT_WHY_MAX];
    enum ox_code code = load(tx, campaign->model_id, campaign->version, &variants, err);

    for (size_t i = 0; code == OX_OK && i < variants.count; i++) {
        struct ox_filter *filter = NULL;
        struct ox_selection selection;

        code = selection_of(control, &variants, i, &selection, &filter, err);
        if (code == OX_OK) {
            code = ox_registry_members_target(tx, variants.rows[i].id, &selection,
                                              i == variants.standing, err);
        }
        ox_filter_free(filter);
    }
    if (code == OX_OK) {
        tell_why(&variants, why);
        code = ox_registry_members_without(tx, why, err);
    }
    return code;
}

enum ox_code ox_variants_enter(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_campaign_row *campaign,
                               const struct ox_selection *fleet, struct ox_err *err)
{
    struct variants variants = {NULL, 0, 0};
    char why[OX_VARIANT_WHY_MAX];
    enum ox_code code = load(tx, campaign->model_id, campaign->version, &variants, err);

    for (size_t i = 0; code == OX_OK && i < variants.count; i++) {
        struct ox_campaign_row to = *campaign;
        struct ox_filter *filter = NULL;
        struct ox_selection selection;

        code = selection_of(control, &variants, i, &selection, &filter, err);
        if (code == OX_OK) {
            to.artifact_id = variants.rows[i].id;
            to.digest = variants.rows[i].digest;
            to.size_bytes = variants.rows[i].size_bytes;
            selection.fleet_id = fleet->fleet_id;
            code = ox_registry_late_enter(tx, &to, &selection, i == variants.standing,
                                          ox_control_now(control), err);
        }
        ox_filter_free(filter);
    }
    if (code == OX_OK) {
        tell_why(&variants, why);
        code = ox_registry_late_skip(tx, campaign, fleet, why, ox_control_now(control), err);
    }
    return code;
}
