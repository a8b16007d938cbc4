/* What an operator decides of a device that two installations speak for. */
#include "identity.h"

#include "inner.h"

#include "oxide/registry/instance.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <string.h>

#define SHORT_HEX 6 /* of an instance, in a name */

/* What an act works on. */
struct scene {
    struct ox_device_row device;
    struct ox_instance_row *rows;
    size_t count;
    const struct ox_instance_row *chosen; /* NULL: the installation that is the device */
    size_t rivals;                        /* that are still to be decided, with the chosen one */
};

static enum ox_code nothing_to_decide(const struct ox_device_row *device, struct ox_err *err)
{
    return device->conflict_ms != 0
               ? ox_err_set(err, OX_ECONFLICT,
                            "the second installation of device %s is a copy of the first one, and "
                            "was not heard under an id of its own yet: try again after its next "
                            "heartbeats, or name the one that stays by its instance",
                            device->id)
               : ox_err_set(err, OX_ECONFLICT,
                            "only one installation speaks for device %s: there is nothing to "
                            "decide",
                            device->id);
}

static enum ox_code load(struct ox_tx *tx, const char *id, struct scene *out, struct ox_err *err)
{
    enum ox_code code = ox_registry_device_get(tx, id, &out->device, err);

    if (code == OX_OK) {
        code = ox_registry_instances(tx, id, &out->rows, &out->count, err);
    }
    for (size_t i = 0; code == OX_OK && i < out->count; i++) {
        out->rivals += strcmp(out->rows[i].state, "rival") == 0;
    }
    return code;
}

/* The installation that was named or, if none was, the first or last of those to be decided. */
static enum ox_code choose(struct scene *scene, const char *instance, bool last, struct ox_err *err)
{
    for (size_t i = 0; i < scene->count; i++) {
        const struct ox_instance_row *row = &scene->rows[i];

        if (instance == NULL ? strcmp(row->state, "rival") == 0 && (last || scene->chosen == NULL)
                             : strcmp(row->instance, instance) == 0) {
            scene->chosen = row;
        }
    }
    if (scene->chosen != NULL || (instance != NULL && scene->device.instance != NULL &&
                                  strcmp(instance, scene->device.instance) == 0)) {
        return OX_OK;
    }
    return instance == NULL
               ? nothing_to_decide(&scene->device, err)
               : ox_err_set(err, OX_ENOTFOUND, "no installation %.64s has spoken for device %s",
                            instance, scene->device.id);
}

static enum ox_code body_instance(const json_t *body, const char **out, struct ox_err *err)
{
    enum ox_code code = ox_json_opt_str(body, "instance", out, err);

    return code == OX_OK && *out != NULL ? ox_instance_check("instance", *out, err) : code;
}

/* --- split --- */

static enum ox_code name_new(const struct scene *scene, const char *as, char out[OX_ID_MAX + 1],
                             struct ox_err *err)
{
    int len = as != NULL ? snprintf(out, OX_ID_MAX + 1, "%s", as)
                         : snprintf(out, OX_ID_MAX + 1, "%s-%.*s", scene->device.id, SHORT_HEX,
                                    scene->chosen->instance);

    return len > OX_ID_MAX ? ox_err_set(err, OX_EINVAL,
                                        "the name \"%s-...\" would be too long: give another one",
                                        scene->device.id)
                           : ox_id_check("device", out, err);
}

static enum ox_code make_new(struct ox_control *control, struct ox_tx *tx,
                             const struct scene *scene, const char *new_id, struct ox_err *err)
{
    int64_t now_ms = ox_control_now(control);
    struct ox_device_row there;
    bool created = false;
    enum ox_code code = ox_registry_device_get(tx, new_id, &there, err);

    if (code == OX_OK) {
        return ox_err_set(err, OX_ECONFLICT, "device %s exists already: name another one", new_id);
    }
    if (code != OX_ENOTFOUND) {
        return code;
    }
    ox_err_clear(err);
    if ((code = ox_device_put(control, tx, new_id, new_id, scene->device.tags, &created, err)) !=
            OX_OK ||
        (code = ox_registry_device_set_instance(tx, new_id, scene->chosen->instance, now_ms,
                                                err)) != OX_OK ||
        (code = ox_registry_pending_remove(tx, new_id, err)) != OX_OK) {
        return code;
    }
    code = ox_registry_fleets_join_as(tx, new_id, scene->device.id, now_ms, err);
    return code == OX_OK ? ox_converge_device(control, tx, new_id, err) : code;
}

static enum ox_code split_in(struct ox_control *control, struct ox_tx *tx, const char *id,
                             const char *instance, const char *as, json_t **out, struct ox_err *err)
{
    struct scene scene = {.count = 0};
    struct ox_instance_row row;
    char new_id[OX_ID_MAX + 1];
    enum ox_code code;

    if ((code = load(tx, id, &scene, err)) != OX_OK ||
        (code = choose(&scene, instance, false, err)) != OX_OK) {
        return code;
    }
    if (scene.chosen == NULL || strcmp(scene.chosen->state, "rival") != 0) {
        return ox_err_set(err, OX_ECONFLICT,
                          "installation %s is not one to be decided of device %s: 'oxide device "
                          "show %s' lists them",
                          instance, id, id);
    }
    row = *scene.chosen;
    row.state = "split";
    row.new_id = new_id;
    if ((code = name_new(&scene, as, new_id, err)) != OX_OK ||
        (code = make_new(control, tx, &scene, new_id, err)) != OX_OK ||
        (code = ox_registry_instance_put(tx, &row, err)) != OX_OK ||
        (scene.rivals == 1 && (code = ox_registry_device_set_conflict(tx, id, 0, err)) != OX_OK) ||
        (code = ox_event(control, tx, "device.split",
                         json_pack("{s:s, s:s, s:s}", "device_id", id, "new_id", new_id, "instance",
                                   row.instance),
                         err)) != OX_OK) {
        return code;
    }
    *out = json_pack("{s:s, s:s, s:s, s:s, s:I}", "status", "split", "id", id, "new_id", new_id,
                     "instance", row.instance, "undecided", (json_int_t)scene.rivals - 1);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_device_split(struct ox_control *control, const char *id, const json_t *body,
                                     json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    const char *instance = NULL;
    const char *as = NULL;
    json_t *answer = NULL;
    enum ox_code code;

    if ((code = body_instance(body, &instance, err)) == OX_OK &&
        (code = ox_json_opt_str(body, "as", &as, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = split_in(control, &tx, id, instance, as, &answer, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(answer);
        return code;
    }
    *out = answer;
    return OX_OK;
}

/* --- replace --- */

/* Everyone but the chosen one has nothing to do any more. */
static enum ox_code retire_others(struct ox_tx *tx, const struct scene *scene, int64_t now_ms,
                                  json_t *retired, struct ox_err *err)
{
    struct ox_instance_row own = {.device_id = scene->device.id,
                                  .instance = scene->device.instance,
                                  .state = "replaced",
                                  .first_seen_ms = scene->device.instance_since_ms,
                                  .last_seen_ms = scene->device.last_heartbeat_ms,
                                  .address = scene->device.address,
                                  .agent = scene->device.agent,
                                  .platform = scene->device.platform};
    enum ox_code code = OX_OK;

    if (scene->chosen != NULL && own.instance != NULL) {
        own.first_seen_ms = own.first_seen_ms == 0 ? now_ms : own.first_seen_ms;
        if ((code = ox_registry_instance_put(tx, &own, err)) == OX_OK) {
            code = ox_json_append(retired, json_string(own.instance), err);
        }
    }
    for (size_t i = 0; code == OX_OK && i < scene->count; i++) {
        struct ox_instance_row row = scene->rows[i];

        if (strcmp(row.state, "rival") == 0 && &scene->rows[i] != scene->chosen) {
            row.state = "replaced";
            if ((code = ox_registry_instance_put(tx, &row, err)) == OX_OK) {
                code = ox_json_append(retired, json_string(row.instance), err);
            }
        }
    }
    return code;
}

static enum ox_code replace_in(struct ox_control *control, struct ox_tx *tx, const char *id,
                               const char *instance, json_t *retired, json_t **out,
                               struct ox_err *err)
{
    struct scene scene = {.count = 0};
    int64_t now_ms = ox_control_now(control);
    const char *kept;
    enum ox_code code;

    if ((code = load(tx, id, &scene, err)) != OX_OK ||
        (code = choose(&scene, instance, true, err)) != OX_OK) {
        return code;
    }
    if (scene.chosen != NULL && strcmp(scene.chosen->state, "split") == 0) {
        return ox_err_set(err, OX_ECONFLICT, "installation %s is device %s now", instance,
                          scene.chosen->new_id);
    }
    kept = scene.chosen != NULL ? scene.chosen->instance : scene.device.instance;
    if ((code = retire_others(tx, &scene, now_ms, retired, err)) != OX_OK ||
        (code = ox_registry_device_set_conflict(tx, id, 0, err)) != OX_OK ||
        (scene.chosen != NULL &&
         ((code = ox_registry_instance_remove(tx, id, kept, err)) != OX_OK ||
          (code = ox_registry_device_set_instance(tx, id, kept, now_ms, err)) != OX_OK)) ||
        (code = ox_event(
             control, tx, "device.replaced",
             json_pack("{s:s, s:s, s:O}", "device_id", id, "instance", kept, "replaced", retired),
             err)) != OX_OK) {
        return code;
    }
    *out = json_pack("{s:s, s:s, s:s, s:O}", "status", "replaced", "id", id, "instance", kept,
                     "replaced", retired);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_device_replace(struct ox_control *control, const char *id,
                                       const json_t *body, json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    const char *instance = NULL;
    json_t *retired = json_array();
    json_t *answer = NULL;
    enum ox_code code;

    if ((code = body_instance(body, &instance, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = replace_in(control, &tx, id, instance, retired, &answer, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    json_decref(retired);
    if (code != OX_OK) {
        json_decref(answer);
        return code;
    }
    *out = answer;
    return OX_OK;
}
