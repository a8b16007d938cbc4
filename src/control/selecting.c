#include "inner.h"

struct ox_selection ox_select_now(const struct ox_control *control, const char *fleet_id,
                                  const struct ox_filter *filter)
{
    return (struct ox_selection){
        .fleet_id = fleet_id,
        .filter = filter,
        .now_ms = ox_control_now(control),
    };
}

enum ox_code ox_select_refresh(struct ox_control *control, const struct ox_selection *selection,
                               struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    bool live = false;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_selection_is_live(&tx, selection, &live, err);
    }
    ox_registry_end(&tx);
    return code == OX_OK && live ? ox_live_flush(control, err) : code;
}
