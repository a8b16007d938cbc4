/**
 * The model of operation "edit": how the tokens of a frame become bits. docs/oxdl.md specifies the
 * bytes. One function codes a token in either direction, so encoder and decoder cannot differ; a
 * third mode only adds up what it would cost.
 *
 * The history is the frame's gathered ranges, and then its target bytes. A token is one more byte,
 * or a copy of earlier history. Distances are told as an encoder of edits sees them: the same as
 * before (bytes were overwritten), larger by the bytes put in since (an insertion), near the one
 * before (a deletion), or any.
 *
 * Source: the structure is that of LZMA (Pavlov, "LZMA specification", 2015); counting bits and
 * mixing predictions follow lpaq (Mahoney, "Data Compression Explained", 2013, section 4.3).
 */
#ifndef OXIDE_DELTA_EDIT_MODEL_H
#define OXIDE_DELTA_EDIT_MODEL_H

#include "edit_state.h"
#include "oxide/base/buf.h"

#define EDIT_LEN_CLASSES 4 /* kinds of copies, as their lengths go */
#define EDIT_COST_BIT 256  /* costs are told in 1/256 of a bit */

unsigned edit_len_class(enum edit_kind kind);

struct edit_model;
enum ox_code edit_model_new(struct edit_model **out, struct ox_err *err);
void edit_model_free(struct edit_model *model);

/** Begin a frame, whose bits go to the end of `out`, or come from all of `body`. */
void edit_encode_begin(struct edit_model *model, struct ox_buf *out);
void edit_decode_begin(struct edit_model *model, const uint8_t *body, size_t len_bytes);
/** Write what is left. Errors: OX_ENOMEM, now or before. */
enum ox_code edit_encode_end(struct edit_model *model, struct ox_err *err);
/** Is the body, to its last byte, what an encoder would have written? */
bool edit_decode_end(const struct edit_model *model);

/** The bytes that copies come from: the gathered ranges, and the target as far as it goes. */
struct edit_history {
    const uint8_t *gathered;
    uint32_t gathered_bytes;
    uint8_t *target;
};

/** Code one token at history->target[at]; a literal byte stands, or is put, there. A decoded
 *  distance or length may be anything: who calls checks them. */
void edit_code(struct edit_model *model, const struct edit_state *state, struct edit_token *token,
               const struct edit_history *history, uint32_t at);

/** Costs as the model stands, in 1/256 of a bit. */
uint32_t edit_price_kind(struct edit_model *model, unsigned context, enum edit_kind kind);
uint32_t edit_price_len(struct edit_model *model, unsigned class, uint32_t len);
uint32_t edit_price_dist(struct edit_model *model, const struct edit_state *state,
                         const struct edit_token *token);
/** What literals like this one, at history->target[at], cost of late. */
uint32_t edit_price_literal(const struct edit_model *model, const struct edit_state *state,
                            const struct edit_history *history, uint32_t at);

#endif
