/**
 * What the parsers have in common: collect the tensors that were found, then name, sort and check
 * them. Names, shapes and paths go into an arena that the finished layout takes over.
 */
#ifndef TENSOR_LAYOUT_BUILD_H
#define TENSOR_LAYOUT_BUILD_H

#include "dtype.h"

/** A tensor as a parser found it. Everything is lent and copied. */
struct ox_found {
    const char *path; /* of the graph that holds it: goes before the name if that is not unique */
    size_t path_len;
    const char *name;
    size_t name_len;
    enum ox_dtype dtype;
    uint32_t rank;
    const uint64_t *shape; /* outermost first */
    uint64_t offset_bytes;
    uint64_t length_bytes;
    bool open_ended;      /* length unknown: up to the next tensor or the end of the file */
    const char *external; /* or NULL */
};

struct ox_build_row {
    struct ox_tensor tensor; /* its name stands behind path_len bytes of path */
    size_t path_len;
    bool open_ended;
};

/** Zero-initialise it; release it with ox_build_clear, also after ox_build_finish. */
struct ox_build {
    struct ox_arena *arena;
    struct ox_build_row *rows;
    size_t count;
    size_t cap;
};

/** Errors: OX_ETOOBIG over OX_TENSOR_COUNT_MAX, OX_TENSOR_RANK_MAX, OX_TENSOR_NAME_MAX or
 *  OX_LAYOUT_TEXT_MAX; OX_ECORRUPT if a name holds NUL; OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_build_add(struct ox_build *build, const struct ox_found *found,
                                      struct ox_err *err);

enum ox_names {
    OX_NAMES_REFUSE, /* two tensors of one name: the file is damaged */
    OX_NAMES_RENAME, /* put the path in front, and where that does not help "#2", "#3" behind */
};

/**
 * Make the layout. size_bytes is the file's.
 * Errors: OX_ECORRUPT for tensors that overlap or leave the file, and names by the rule; OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_build_finish(struct ox_build *build, enum ox_format format,
                                         enum ox_names names, uint64_t size_bytes,
                                         struct ox_layout *out, struct ox_err *err);

void ox_build_clear(struct ox_build *build);

#endif
