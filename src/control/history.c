#include "inner.h"

/* Rows that are looked at in a step: what a writer is held up by. */
#define STEP_ROWS 2000

enum ox_code ox_history_prune(struct ox_control *control, struct ox_err *err)
{
    int64_t before_ms = ox_control_now(control) - control->history_kept_ms;
    int64_t last_id = 0;
    struct ox_tx tx = OX_TX_INIT;
    bool any = false;
    enum ox_code code;

    if (control->history_kept_ms == 0) {
        return OX_OK;
    }
    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK) {
        code = ox_registry_history_stale(&tx, control->history_at, STEP_ROWS, before_ms, &last_id,
                                         &any, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK && any) {
        if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
            (code = ox_registry_history_prune(&tx, control->history_at, last_id, before_ms, err)) ==
                OX_OK) {
            code = ox_registry_commit(&tx, err);
        }
        ox_registry_end(&tx);
    }
    if (code == OX_OK) {
        control->history_at = last_id;
    }
    return code;
}
