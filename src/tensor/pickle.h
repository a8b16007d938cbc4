/**
 * Which tensors a pickle of PyTorch speaks of. The pickle is scanned, never run: its opcodes move
 * values about, a few known functions make tensors, and everything else that is called makes an
 * object that nothing is known of but what it holds.
 *
 * Source: Lib/pickletools.py of CPython for the opcodes; torch/_utils.py, torch/storage.py and
 * torch/serialization.py of PyTorch for what it calls, and for its persistent ids.
 */
#ifndef TENSOR_PICKLE_H
#define TENSOR_PICKLE_H

#include "oxide/base/buf.h"
#include "oxide/tensor/layout.h"
#include "stream.h"

/** How the numbers of a storage or a tensor lie. */
struct ox_pickle_type {
    enum ox_dtype dtype;
    uint32_t bytes; /* of a number; 0 if unknown */
};

struct ox_pickle_storage {
    uint32_t key; /* text */
    struct ox_pickle_type type;
    uint64_t count; /* numbers */
};

enum ox_pickle_kind {
    OX_PICKLE_OTHER,   /* nothing that matters */
    OX_PICKLE_MARK,    /* on the stack alone */
    OX_PICKLE_INT,     /* at is the number */
    OX_PICKLE_BIG,     /* a number that does not fit: at is its place among `bigs` */
    OX_PICKLE_TEXT,    /* at is its place in `texts` */
    OX_PICKLE_GLOBAL,  /* at is its row in the table of what we know */
    OX_PICKLE_NODE,    /* a tuple or a bag */
    OX_PICKLE_STORAGE, /* these: at is the place in the pool of that name */
    OX_PICKLE_TENSOR,
};

struct ox_pickle_value {
    uint32_t kind;
    uint32_t at;
};

/** A tuple holds `count` items from `first`; a bag (dict, list, object) the chain of links from
 *  `first` to `last`. */
struct ox_pickle_node {
    uint32_t first;
    uint32_t last;
    uint32_t count;
    bool is_tuple;
    bool visited;
};

struct ox_pickle_link {
    struct ox_pickle_value key; /* OX_PICKLE_OTHER adds nothing to the name */
    struct ox_pickle_value value;
    uint32_t next;
};

struct ox_pickle_tensor {
    uint32_t storage;
    struct ox_pickle_type type;
    uint64_t offset;             /* in numbers */
    struct ox_pickle_value size; /* tuples */
    struct ox_pickle_value stride;
    bool visited;
};

/** Zero-initialise it; release it with ox_pickle_clear. The pools hold arrays of the structures
 *  above. */
struct ox_pickle {
    struct ox_buf stack;
    struct ox_buf memo;
    struct ox_buf nodes;
    struct ox_buf links;
    struct ox_buf items;
    struct ox_buf bigs;
    struct ox_buf texts; /* strings, each with its NUL */
    struct ox_buf storages;
    struct ox_buf tensors;
    struct ox_pickle_value root;
    size_t held_bytes; /* of all pools */
};

/**
 * Scan from stream->pos to stream->end.
 * Errors: OX_ECORRUPT, OX_EUNSUPPORTED and OX_ETOOBIG (over OX_PICKLE_OPCODES_MAX or
 * OX_PICKLE_MEMORY_MAX) where we cannot follow: then `storages` holds those met before, and the
 * root nothing; OX_ENOMEM; the source's own.
 */
OX_MUST_USE enum ox_code ox_pickle_scan(struct ox_pickle *pickle, struct ox_stream *stream,
                                        struct ox_err *err);
void ox_pickle_clear(struct ox_pickle *pickle);

size_t ox_pickle_storage_count(const struct ox_pickle *pickle);
const struct ox_pickle_storage *ox_pickle_storage(const struct ox_pickle *pickle, size_t row);

/** A string of the pickle. */
const char *ox_pickle_text(const struct ox_pickle *pickle, uint32_t at);

/** A tensor as it is reached from the root. Everything is lent for the call. */
struct ox_pickle_view {
    const char *name; /* the keys on the way to it, joined with '.' */
    size_t name_len;
    const struct ox_pickle_storage *storage;
    struct ox_pickle_type type;
    uint64_t offset; /* these in numbers, as PyTorch counts */
    uint32_t rank;
    const uint64_t *shape;
    const uint64_t *stride;
};
typedef enum ox_code ox_pickle_view_fn(void *ctx, const struct ox_pickle_view *view,
                                       struct ox_err *err);

/**
 * Tell of each tensor once, in the order of the pickle, named `path` and what leads to it. What
 * lies deeper than OX_PICKLE_DEPTH_MAX, or has a longer name than OX_TENSOR_NAME_MAX, is left out.
 * Errors: OX_ENOMEM, those of `view`.
 */
OX_MUST_USE enum ox_code ox_pickle_walk(struct ox_pickle *pickle, const char *path,
                                        ox_pickle_view_fn *view, void *ctx, struct ox_err *err);

/* --- for pickle_*.c ---------------------------------------------------------------------------*/

/** What a name of Python means to us. */
enum ox_pickle_role {
    OX_PICKLE_UNKNOWN,
    OX_PICKLE_TYPE,      /* a class of storages, or a dtype */
    OX_PICKLE_TENSOR_V2, /* (storage, offset, size, stride, ...) */
    OX_PICKLE_TENSOR_V3, /* the same, the seventh its dtype */
    OX_PICKLE_FIRST,     /* gives back its first argument */
    OX_PICKLE_FROM_TYPE, /* (function, type, arguments, ...) */
};
struct ox_pickle_global {
    const char *module; /* how it begins */
    const char *name;
    enum ox_pickle_role role;
    struct ox_pickle_type type;
};
/** Row 0 if it is none that we know. */
uint32_t ox_pickle_find_global(const char *module, const char *name);
const struct ox_pickle_global *ox_pickle_global(uint32_t row);

/** Append to a pool; *out_at (or NULL) is the row, for `texts` the offset. Errors: OX_ETOOBIG over
 *  OX_PICKLE_MEMORY_MAX; OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_pickle_put(struct ox_pickle *pickle, struct ox_buf *pool,
                                       const void *item, size_t bytes, uint32_t *out_at,
                                       struct ox_err *err);

/** What calling func with args gives. */
OX_MUST_USE enum ox_code ox_pickle_call(struct ox_pickle *pickle, struct ox_pickle_value func,
                                        struct ox_pickle_value args, struct ox_pickle_value *out,
                                        struct ox_err *err);
/** The storage that a persistent id names; OX_PICKLE_OTHER if it is none. */
OX_MUST_USE enum ox_code ox_pickle_load(struct ox_pickle *pickle, struct ox_pickle_value id,
                                        struct ox_pickle_value *out, struct ox_err *err);
/** A new bag. */
OX_MUST_USE enum ox_code ox_pickle_bag(struct ox_pickle *pickle, struct ox_pickle_value *out,
                                       struct ox_err *err);
/** Add to a bag; what is no bag takes nothing. */
OX_MUST_USE enum ox_code ox_pickle_add(struct ox_pickle *pickle, struct ox_pickle_value bag,
                                       struct ox_pickle_value key, struct ox_pickle_value value,
                                       struct ox_err *err);
/** The items of a tuple; NULL and 0 if it is none. Lent until the next tuple is made. */
const struct ox_pickle_value *ox_pickle_items(const struct ox_pickle *pickle,
                                              struct ox_pickle_value tuple, uint32_t *out_count);
/** A whole number from 0 on? */
bool ox_pickle_number(const struct ox_pickle *pickle, struct ox_pickle_value value, uint64_t *out);

#endif
