/* While the registry is held, nothing is assigned and no campaign moves: what devices tell is
 * taken, and that is all. */
#include "inner.h"
#include "recall.h"

#include "oxide/control/backup.h"
#include "oxide/registry/hold.h"

/* How often the log says so. */
#define REMIND_MS ((int64_t)10 * 60 * 1000)

static enum ox_code get(struct ox_control *control, struct ox_tx *tx, struct ox_hold_row *out,
                        bool *found, struct ox_err *err)
{
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, tx, err);

    return code == OX_OK ? ox_registry_hold_get(tx, out, found, err) : code;
}

enum ox_code ox_hold_load(struct ox_control *control, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    struct ox_hold_row hold;
    bool found = false;
    enum ox_code code = get(control, &tx, &hold, &found, err);

    atomic_store(&control->holding, found);
    ox_registry_end(&tx);
    return code;
}

bool ox_holding(const struct ox_control *control)
{
    return atomic_load(&control->holding);
}

enum ox_code ox_control_hold(struct ox_control *control, json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    struct ox_hold_row hold;
    bool found = false;
    enum ox_code code = OX_OK;

    if (ox_holding(control)) {
        code = get(control, &tx, &hold, &found, err);
    }
    if (code == OX_OK) {
        *out = !found ? json_null()
                      : json_pack("{s:o, s:s}", "since", ox_json_of_time(hold.since_ms), "reason",
                                  hold.reason);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}

void ox_hold_remind(struct ox_control *control)
{
    int64_t now = ox_control_now(control);
    struct ox_tx tx = OX_TX_INIT;
    struct ox_hold_row hold;
    bool found = false;

    if (!ox_holding(control) || now < control->remind_ms) {
        return;
    }
    control->remind_ms = now + REMIND_MS;
    if (get(control, &tx, &hold, &found, NULL) == OX_OK && found) {
        ox_log(control->log, OX_LOG_WARN,
               "NOTHING IS ASSIGNED to any device: %s. Once the devices have been heard of and all "
               "is as it should be, 'oxide restore --confirm' lets it go on",
               hold.reason);
    }
    ox_registry_end(&tx);
}

static enum ox_code release(struct ox_control *control, struct ox_tx *tx, struct ox_err *err)
{
    struct ox_hold_row hold;
    bool found = false;
    enum ox_code code = ox_registry_hold_get(tx, &hold, &found, err);

    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ECONFLICT,
                          "there is nothing to confirm: devices are assigned "
                          "what campaigns say");
    }
    if (code == OX_OK &&
        (code = ox_registry_hold_release(tx, ox_control_now(control), err)) == OX_OK) {
        code =
            ox_event(control, tx, "hold.released", json_pack("{s:s}", "reason", hold.reason), err);
    }
    return code;
}

enum ox_code ox_control_hold_release(struct ox_control *control, json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = release(control, &tx, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        atomic_store(&control->holding, false);
        ox_recall_changed(control, NULL); /* what was answered meanwhile holds no more */
        ox_log(control->log, OX_LOG_INFO, "the hold is released: devices are assigned again");
        *out = json_pack("{s:s}", "status", "confirmed");
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}
