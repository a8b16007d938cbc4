/** What the files about heartbeats share. */
#ifndef OX_CONTROL_HEARTBEAT_H
#define OX_CONTROL_HEARTBEAT_H

#include "identity.h"
#include "inner.h"

/** One heartbeat on its way: first a reading transaction decides whether it changes anything, and
 *  only then a writing one applies it. */
struct ox_beat {
    struct ox_control *control;
    const char *device_id;
    const char *address; /* NULL: not known */
    enum ox_speaker speaker;
    struct ox_heartbeat said;
    bool had_result;     /* the heartbeat before carried a result too */
    bool result_changed; /* this one's is another than the one that is stored */
    char *result;        /* JSON texts */
    char *platform;
    char *metrics;
    char reads[OX_READS_TEXT_MAX];
};

/** Equal texts, or both NULL. */
bool ox_beat_same(const char *a, const char *b);
/** What it says of a model; NULL: nothing. */
const struct ox_device_model *ox_beat_model(const struct ox_heartbeat *said, const char *id);

/* Each sets *changed where it changes anything, and with `dry` changes nothing. */

/** Write what it runs (heartbeat_models.c). */
OX_MUST_USE enum ox_code ox_beat_models(struct ox_beat *beat, struct ox_tx *tx,
                                        const struct ox_device_row *device, bool dry, bool *changed,
                                        struct ox_err *err);
/** Move its campaigns by what it reports; device->report_seq goes on (heartbeat_reports.c). */
OX_MUST_USE enum ox_code ox_beat_reports(struct ox_beat *beat, struct ox_tx *tx,
                                         struct ox_device_row *device, struct ox_err *err);
/** Move them by what it runs. */
OX_MUST_USE enum ox_code ox_beat_infer(struct ox_beat *beat, struct ox_tx *tx,
                                       const struct ox_device_row *device, bool dry, bool *changed,
                                       struct ox_err *err);

#endif
