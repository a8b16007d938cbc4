/* Devices that ask and are not known. Anybody may ask, so what is kept of it is bounded, and so is
 * how much of it is written. */
#include "inner.h"

#include "oxide/registry/pending.h"

#include <stdlib.h>
#include <string.h>

/* New ones, a second and at once: a site that is switched on, not a flood. */
#define NEW_PER_S 20
#define NEW_AT_ONCE 200
/* How often the last word of one that waits is written. */
#define NOTE_MS 60000
/* Those that were heard within this time make no room for others. */
#define KEPT_MS (24 * 3600 * (int64_t)1000)

/* May one more be written? */
static bool admit(struct ox_control *control)
{
    struct ox_door *door = &control->door;
    int64_t now_ms = control->clock->mono_ms(control->clock->ctx);
    int64_t grown;
    bool may;

    (void)pthread_mutex_lock(&door->lock);
    grown = (now_ms - door->filled_mono_ms) * NEW_PER_S / 1000;
    if (door->filled_mono_ms == 0 || grown > NEW_AT_ONCE) {
        grown = NEW_AT_ONCE;
    }
    if (grown > 0) {
        door->tokens = door->tokens + grown > NEW_AT_ONCE ? NEW_AT_ONCE : door->tokens + grown;
        door->filled_mono_ms = now_ms;
    }
    may = door->tokens > 0;
    door->tokens -= may;
    (void)pthread_mutex_unlock(&door->lock);
    return may;
}

/* --- at the door --- */

struct knock {
    struct ox_control *control;
    struct ox_pending_row row; /* what it says */
    int64_t now_ms;
    bool registered;
    bool waits;
    bool changed;
};

static enum ox_code is_registered(struct ox_tx *tx, const char *id, bool *out, struct ox_err *err)
{
    struct ox_device_row device;
    enum ox_code code = ox_registry_device_get(tx, id, &device, err);

    *out = code == OX_OK;
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    return code;
}

static enum ox_code register_at_once(struct knock *knock, struct ox_tx *tx, struct ox_err *err)
{
    const char *id = knock->row.id;
    bool created = false;
    enum ox_code code;

    if ((code = ox_device_put(knock->control, tx, id, id, "{}", &created, err)) == OX_OK) {
        code = ox_registry_pending_remove(tx, id, err);
    }
    knock->registered = code == OX_OK;
    ox_log(knock->control->log, OX_LOG_INFO, "device %s is registered: it asked, from %s", id,
           knock->row.address == NULL ? "an unknown address" : knock->row.address);
    return code;
}

static bool is_news(const struct knock *knock, const struct ox_pending_row *before)
{
    const struct ox_pending_row *row = &knock->row;

    return knock->now_ms - before->last_seen_ms >= NOTE_MS ||
           knock->now_ms < before->last_seen_ms ||
           (row->agent != NULL &&
            (before->agent == NULL || strcmp(row->agent, before->agent) != 0));
}

static enum ox_code knock_in(struct knock *knock, struct ox_tx *tx, bool dry, struct ox_err *err)
{
    struct ox_pending_row before = {0};
    bool found = false;
    bool room = true;
    bool at_once;
    enum ox_code code;

    if ((code = is_registered(tx, knock->row.id, &knock->registered, err)) != OX_OK ||
        knock->registered ||
        (code = ox_registry_pending_get(tx, knock->row.id, &before, &found, err)) != OX_OK) {
        return code;
    }
    knock->row.state = found ? before.state : "pending";
    knock->row.first_seen_ms = knock->row.last_seen_ms = knock->now_ms;
    knock->waits = strcmp(knock->row.state, "pending") == 0;
    at_once = knock->control->door.open && knock->waits;
    if (found && !at_once && !is_news(knock, &before)) {
        return OX_OK;
    }
    knock->changed = true;
    if (dry) {
        return OX_OK;
    }
    if (at_once) {
        return register_at_once(knock, tx, err);
    }
    if (!found) {
        code = ox_registry_pending_make_room(tx, knock->now_ms - KEPT_MS, &room, err);
    }
    knock->waits = knock->waits && room;
    if (code == OX_OK && room) {
        code = ox_registry_pending_put(tx, &knock->row, err);
    }
    return code == OX_OK && room && !found
               ? ox_event(knock->control, tx, "device.asked",
                          json_pack("{s:s, s:s*, s:s*}", "device_id", knock->row.id, "address",
                                    knock->row.address, "agent", knock->row.agent),
                          err)
               : code;
}

enum ox_code ox_control_knock(struct ox_control *control, const char *id, const char *address,
                              const void *body, size_t len_bytes, bool *registered,
                              struct ox_err *err)
{
    struct ox_heartbeat said = {0};
    struct knock knock = {.control = control, .row = {.id = id, .address = address}};
    struct ox_tx tx = OX_TX_INIT;
    char *platform = NULL;
    enum ox_code code = ox_heartbeat_parse(body, len_bytes, &said, err);

    if (code == OX_OK && said.platform != NULL) {
        code = ox_json_text(said.platform, &platform, err);
    }
    knock.row.agent = said.agent;
    knock.row.platform = platform;
    knock.now_ms = ox_control_now(control);
    if (code == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK) {
        code = knock_in(&knock, &tx, true, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK && knock.changed && admit(control)) {
        if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
            (code = knock_in(&knock, &tx, false, err)) == OX_OK) {
            code = ox_registry_commit(&tx, err);
        }
        ox_registry_end(&tx);
    }
    *registered = code == OX_OK && knock.registered;
    if (code == OX_OK && !knock.registered) {
        code =
            knock.waits
                ? ox_err_set(err, OX_ENOTFOUND,
                             "device %s is not registered: it waits to be accepted, by 'oxide "
                             "device accept %s' (or 'oxide device register %s')",
                             id, id, id)
                : ox_err_set(err, OX_ENOTFOUND,
                             "device %s is not registered: run 'oxide device register %s'", id, id);
    }
    free(platform);
    ox_heartbeat_clear(&said);
    return code;
}

/* --- what an operator decides --- */

json_t *ox_pending_json(const struct ox_pending_row *row)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id", row->id, "state", row->state,
                     "address", ox_json_of_str(row->address), "agent", ox_json_of_str(row->agent),
                     "platform", ox_json_of_text(row->platform), "first_seen",
                     ox_json_of_time(row->first_seen_ms), "last_seen",
                     ox_json_of_time(row->last_seen_ms));
}

static enum ox_code find(struct ox_tx *tx, const char *id, struct ox_pending_row *out,
                         struct ox_err *err)
{
    bool found = false;
    bool registered = false;
    enum ox_code code = ox_registry_pending_get(tx, id, out, &found, err);

    if (code != OX_OK || found || (code = is_registered(tx, id, &registered, err)) != OX_OK) {
        return code;
    }
    return registered
               ? ox_err_set(err, OX_ECONFLICT, "device %s is registered already", id)
               : ox_err_set(err, OX_ENOTFOUND,
                            "no device %s waits to be accepted: 'oxide device pending' lists those "
                            "that do, 'oxide device register %s' makes one known before it asks",
                            id, id);
}

static enum ox_code join(struct ox_control *control, struct ox_tx *tx, const char *id,
                         const char *fleet_id, struct ox_err *err)
{
    enum ox_code code;

    if (fleet_id == NULL) {
        return OX_OK;
    }
    if ((code = ox_fleet_check_is_list(tx, fleet_id, err)) == OX_OK &&
        (code = ox_registry_fleet_join(tx, fleet_id, id, ox_control_now(control), err)) == OX_OK &&
        (code = ox_event(control, tx, "fleet.device_added",
                         json_pack("{s:s, s:s}", "fleet_id", fleet_id, "device_id", id), err)) ==
            OX_OK) {
        code = ox_converge_joined(control, tx, fleet_id, id, err);
    }
    return code;
}

enum ox_code ox_control_pending_accept(struct ox_control *control, const char *id,
                                       const json_t *body, json_t **out, struct ox_err *err)
{
    struct ox_pending_row pending;
    struct ox_tx tx = OX_TX_INIT;
    const char *name = NULL;
    const char *fleet_id = NULL;
    char *tags = NULL;
    bool created = false;
    enum ox_code code;

    if ((code = ox_body_text(body, "name", false, &name, err)) == OX_OK &&
        (code = ox_json_opt_str(body, "fleet_id", &fleet_id, err)) == OX_OK &&
        (code = ox_body_tags(body, &tags, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = find(&tx, id, &pending, err)) == OX_OK &&
        (code = ox_device_put(control, &tx, id, name == NULL ? id : name, tags, &created, err)) ==
            OX_OK &&
        (code = ox_registry_pending_remove(&tx, id, err)) == OX_OK &&
        (code = join(control, &tx, id, fleet_id, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s, s:o}", "status", "accepted", "id", id, "fleet_id",
                         ox_json_of_str(fleet_id));
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    free(tags);
    return code;
}

enum ox_code ox_control_pending_reject(struct ox_control *control, const char *id, json_t **out,
                                       struct ox_err *err)
{
    struct ox_pending_row pending;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = find(&tx, id, &pending, err)) == OX_OK) {
        pending.state = "rejected";
        if ((code = ox_registry_pending_put(&tx, &pending, err)) == OX_OK &&
            (code = ox_event(control, &tx, "device.rejected", json_pack("{s:s}", "device_id", id),
                             err)) == OX_OK &&
            (code = ox_registry_commit(&tx, err)) == OX_OK) {
            *out = json_pack("{s:s, s:s}", "status", "rejected", "id", id);
            code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
        }
    }
    ox_registry_end(&tx);
    return code;
}
