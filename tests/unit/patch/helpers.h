/** What the tests of patch share: reading patches and writing again what was read. */
#ifndef TESTS_PATCH_HELPERS_H
#define TESTS_PATCH_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/patch/oxdl.h"

#include <string.h>

/** What a reader handed over, written again: equals the patch, since each value has one spelling.
 */
struct record {
    struct ox_buf again;
    struct ox_oxdl_header header; /* its tables are not kept */
    uint64_t frames;
    uint64_t target_bytes;
    enum ox_code answer_header; /* what the handlers say */
    enum ox_code answer_frame;
};
void record_clear(struct record *record);
struct ox_oxdl_handler record_handler(struct record *record);

/** Read a patch in pieces of `piece` bytes (0: at once), each from a copy with exact bounds; then
 *  finish. Puts the end frame into record->again where that was read. */
enum ox_code read_patch(const void *bytes, size_t len, size_t piece, struct record *record,
                        struct ox_err *err);

/** Header of version 2 without tables. */
struct ox_oxdl_header plain_header(uint64_t base_bytes, uint64_t target_bytes);

/** Put a frame whose sum is that of `rebuilt`. */
void put_frame(struct ox_buf *out, enum ox_oxdl_op op, uint64_t at, const void *rebuilt, uint32_t n,
               const struct ox_oxdl_range *ranges, size_t count, const void *body, uint32_t len);

/** Call test(path, name) for each file below OX_TESTS_DIR/golden/FOLDER; returns how many. */
size_t each_golden(const char *folder, const char *suffix,
                   void (*test)(const char *path, const char *name));

/** Whole file; the caller clears. */
struct ox_buf golden_bytes(const char *path);

/** The code whose word begins the name, up to '-'. */
enum ox_code code_of_name(const char *name);

#endif
