/* Making fleets, changing what is said of them, and removing them. */
#include "inner.h"

#include <stdlib.h>
#include <string.h>

/* A change of fleets may leave a filter that cannot be asked any more: one that asks for a fleet
 * which is gone, or that leads back to itself. */
static enum ox_code check_all(struct ox_tx *tx, const char *doing, const char *id,
                              struct ox_err *err)
{
    enum ox_code code = ox_registry_fleets_check(tx, err);

    if (code == OX_EINVAL) {
        (void)ox_err_context(err, "fleet %s cannot be %s", id, doing);
    }
    return code;
}

static enum ox_code fleet_event(struct ox_control *control, struct ox_tx *tx, const char *kind,
                                const struct ox_fleet_row *row, struct ox_err *err)
{
    return ox_event(control, tx, kind,
                    json_pack("{s:s, s:s, s:o*}", "fleet_id", row->id, "name", row->name, "filter",
                              ox_json_of_opt(row->filter)),
                    err);
}

/* The words of a body about a fleet; what it does not say stays as it is. The filter is checked. */
static enum ox_code read_words(const json_t *body, struct ox_fleet_row *row, struct ox_err *err)
{
    struct ox_filter *filter = NULL;
    enum ox_strategy strategy;
    const char *word = NULL;
    enum ox_code code;

    if (ox_json_has(body, "description")) {
        row->description = NULL;
    }
    if (ox_json_has(body, "filter")) {
        row->filter = NULL;
    }
    if ((code = ox_body_text(body, "name", false, &row->name, err)) != OX_OK ||
        (code = ox_body_text(body, "description", false, &row->description, err)) != OX_OK ||
        (code = ox_json_opt_str(body, "default_strategy", &word, err)) != OX_OK ||
        (word != NULL && (code = ox_strategy_parse(word, &strategy, err)) != OX_OK) ||
        (code = ox_json_opt_str(body, "filter", &row->filter, err)) != OX_OK) {
        return code;
    }
    if (word != NULL) {
        row->default_strategy = ox_strategy_word(strategy);
    }
    if (row->filter != NULL && ox_json_has(body, "filter")) {
        code = ox_filter_parse(&filter, row->filter, err);
        ox_filter_free(filter);
    }
    return code;
}

enum ox_code ox_control_fleet_create(struct ox_control *control, const json_t *body, json_t **out,
                                     struct ox_err *err)
{
    struct ox_fleet_row row = {.created_ms = ox_control_now(control),
                               .default_strategy = ox_strategy_word(OX_STRATEGY_ALL_AT_ONCE)};
    struct ox_selection members = ox_select_now(control, NULL, NULL);
    char *tags = NULL;
    struct ox_tx tx = OX_TX_INIT;
    uint64_t devices = 0;
    enum ox_code code;

    if ((code = ox_body_id(body, "id", &row.id, err)) != OX_OK ||
        (code = read_words(body, &row, err)) != OX_OK ||
        (code = ox_body_tags(body, &tags, err)) != OX_OK) {
        goto out;
    }
    row.name = row.name == NULL ? row.id : row.name;
    row.tags = tags;
    members.fleet_id = row.id;
    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_fleet_add(&tx, &row, err)) == OX_OK &&
        (code = check_all(&tx, "created", row.id, err)) == OX_OK &&
        (code = ox_registry_selected_count(&tx, &members, &devices, err)) == OX_OK &&
        (code = fleet_event(control, &tx, "fleet.created", &row, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s, s:o*}", "status", "created", "id", row.id, "device_count",
                         row.filter == NULL ? NULL : json_integer((json_int_t)devices));
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
out:
    free(tags);
    return code;
}

/* --- changing --- */

/* From a list to a filter, which lets the list go; or from a filter to the list of who passes now.
 */
static enum ox_code change_kind(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_fleet_row *before, const struct ox_fleet_row *after,
                                bool replace_list, struct ox_err *err)
{
    const struct ox_selection members = ox_select_now(control, before->id, NULL);
    uint64_t listed = 0;
    enum ox_code code = OX_OK;

    if (before->filter == NULL && after->filter != NULL) {
        code = ox_registry_selected_count(tx, &members, &listed, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (listed > 0) {
        return replace_list
                   ? ox_registry_fleet_empty(tx, before->id, err)
                   : ox_err_set(
                         err, OX_ECONFLICT,
                         "devices were put into fleet %s (%llu), and a filter would take their "
                         "place: say \"replace_list\": true (--force) to let them go",
                         before->id, (unsigned long long)listed);
    }
    if (before->filter != NULL && after->filter == NULL) {
        return ox_registry_fleet_fill(tx, before->id, &members, err);
    }
    return OX_OK;
}

static enum ox_code edit(struct ox_control *control, struct ox_tx *tx, const char *id,
                         const json_t *body, char **tags, uint64_t *devices, struct ox_err *err)
{
    struct ox_fleet_row before;
    struct ox_fleet_row after;
    struct ox_selection members = ox_select_now(control, id, NULL);
    bool replace_list = false;
    enum ox_code code;

    if ((code = ox_registry_fleet_get(tx, id, &before, err)) != OX_OK) {
        return code;
    }
    after = before;
    if ((code = read_words(body, &after, err)) != OX_OK ||
        (code = ox_json_opt_bool(body, "replace_list", &replace_list, err)) != OX_OK ||
        (code = ox_body_tags_onto(body, before.tags, tags, err)) != OX_OK ||
        (code = change_kind(control, tx, &before, &after, replace_list, err)) != OX_OK) {
        return code;
    }
    after.tags = *tags;
    if ((code = ox_registry_fleet_update(tx, &after, err)) != OX_OK ||
        (code = check_all(tx, "changed", id, err)) != OX_OK ||
        (code = fleet_event(control, tx, "fleet.changed", &after, err)) != OX_OK) {
        return code;
    }
    return ox_registry_selected_count(tx, &members, devices, err);
}

enum ox_code ox_control_fleet_edit(struct ox_control *control, const char *id, const json_t *body,
                                   json_t **out, struct ox_err *err)
{
    const struct ox_selection members = ox_select_now(control, id, NULL);
    struct ox_tx tx = OX_TX_INIT;
    uint64_t devices = 0;
    char *tags = NULL;
    enum ox_code code;

    if ((code = ox_select_refresh(control, &members, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = edit(control, &tx, id, body, &tags, &devices, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s, s:I}", "status", "changed", "id", id, "device_count",
                         (json_int_t)devices);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    free(tags);
    return code;
}

/* --- removing --- */

static enum ox_code delete_one(struct ox_control *control, struct ox_tx *tx, const char *id,
                               struct ox_err *err)
{
    const char *campaign = NULL;
    enum ox_code code;

    if ((code = ox_registry_fleet_campaign(tx, id, &campaign, err)) != OX_OK) {
        return code;
    }
    if (campaign != NULL) {
        return ox_err_set(err, OX_ECONFLICT,
                          "campaign %s to fleet %s is under way: wait for its end, or abort it",
                          campaign, id);
    }
    if ((code = ox_registry_fleet_remove(tx, id, err)) == OX_OK &&
        (code = check_all(tx, "removed", id, err)) == OX_EINVAL) {
        code = OX_ECONFLICT; /* it is not the request that is at fault */
        if (err != NULL) {
            err->code = code;
        }
    }
    return code == OX_OK
               ? ox_event(control, tx, "fleet.removed", json_pack("{s:s}", "fleet_id", id), err)
               : code;
}

enum ox_code ox_control_fleet_delete(struct ox_control *control, const char *id, json_t **out,
                                     struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = delete_one(control, &tx, id, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s}", "status", "removed");
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}
