/**
 * Which devices a transaction touches, so that what was remembered of them is forgotten once it is
 * durable (ox_registry_watch). Triggers of the writer's own, on every table, call a function of
 * ours: no statement can be forgotten. rules[] in touch.c says of each table whose answers depend
 * on it.
 */
#ifndef OX_REGISTRY_TOUCH_H
#define OX_REGISTRY_TOUCH_H

#include "db.h"

/** Past so many devices, all are taken to be touched. */
#define OX_TOUCHED_MAX 256

struct ox_touched {
    char *ids[OX_TOUCHED_MAX]; /* owned */
    size_t count;
    bool all;
};

/** Make the triggers, on a writer whose schema is up to date. */
OX_MUST_USE enum ox_code ox_touch_install(struct ox_connection *writer, struct ox_err *err);
/** Move what was touched since the last call into *out, which the caller clears. */
void ox_touch_take(struct ox_connection *writer, struct ox_touched *out);
void ox_touched_clear(struct ox_touched *touched);

/** Has the table a rule? One that has none touches every device. */
bool ox_touch_knows(const char *table);

#endif
