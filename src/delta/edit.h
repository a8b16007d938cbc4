/** Operation "edit": target bytes as copies from the gathered bytes and from themselves, and bytes
 *  between them. docs/oxdl.md specifies it; edit_model.h has its model. */
#ifndef OXIDE_DELTA_EDIT_H
#define OXIDE_DELTA_EDIT_H

#include "edit_model.h"

/** From target place `at` on, the target likely goes on `dist` bytes behind in the history. */
struct edit_hint {
    uint32_t at;
    uint32_t dist;
};

/** How hard to look: see effort.h. */
struct edit_effort {
    unsigned table_log2; /* places of each table of the match finder */
    unsigned ways;       /* places looked at for one sum, a power of two */
    uint32_t nice;       /* a copy of so many bytes is taken without a look at others */
    bool everywhere;     /* look in all of the gathered bytes, not only near hints */
};

struct edit_encoder;
enum ox_code edit_encoder_new(struct edit_encoder **out, struct ox_err *err);
void edit_encoder_free(struct edit_encoder *encoder);

/**
 * Append the body for target bytes history[gathered, gathered + n). hints are sorted by place.
 * *fits is false, and out of no use, where it would take `limit` bytes or more.
 * Errors: OX_ENOMEM.
 */
enum ox_code edit_encode(struct edit_encoder *encoder, uint8_t *history, uint32_t gathered,
                         uint32_t n, const struct edit_hint *hints, size_t hint_count,
                         const struct edit_effort *effort, size_t limit, struct ox_buf *out,
                         bool *fits, struct ox_err *err);

/**
 * Bytes of the target that are noise, so that a body has about so many at the least: edit_noise.h
 * says how it is told. It takes a hundredth of the time of edit_encode.
 * Errors: OX_ENOMEM.
 */
enum ox_code edit_noise(struct edit_encoder *encoder, const uint8_t *history, uint32_t gathered,
                        uint32_t n, const struct edit_hint *hints, size_t hint_count,
                        const struct edit_effort *effort, uint32_t *out, struct ox_err *err);

/** Rebuild n bytes of target. Errors: OX_ECORRUPT, OX_ENOMEM. */
enum ox_code edit_decode(struct edit_model *model, const uint8_t *gathered, uint32_t gathered_bytes,
                         uint8_t *target, uint32_t n, const uint8_t *body, size_t body_bytes,
                         struct ox_err *err);

#endif
