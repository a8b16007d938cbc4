/** Pins: devices, or models on them, that shall stay as they are. */
#ifndef OXIDE_REGISTRY_PIN_H
#define OXIDE_REGISTRY_PIN_H

#include "oxide/registry/registry.h"

struct ox_pin_row {
    const char *device_id;
    const char *model_id; /* "": all models */
    const char *reason;   /* NULL: none */
    int64_t since_ms;
};

/** Insert it, or replace its reason. */
OX_MUST_USE enum ox_code ox_registry_pin_put(struct ox_tx *tx, const struct ox_pin_row *row,
                                             struct ox_err *err);
/** *found is false if there was none. */
OX_MUST_USE enum ox_code ox_registry_pin_remove(struct ox_tx *tx, const char *device_id,
                                                const char *model_id, bool *found,
                                                struct ox_err *err);
/** All of a device, by model. */
OX_MUST_USE enum ox_code ox_registry_pins(struct ox_tx *tx, const char *device_id,
                                          struct ox_pin_row **rows, size_t *count,
                                          struct ox_err *err);
/** Does a pin, of this model or of all, hold the device? *out is that pin. */
OX_MUST_USE enum ox_code ox_registry_device_pinned(struct ox_tx *tx, const char *device_id,
                                                   const char *model_id, bool *pinned,
                                                   struct ox_pin_row *out, struct ox_err *err);

#endif
