/* The tree of BLAKE3: chunks, the values of whole subtrees on a stack, the root. */
#include "blake3_kernel.h"
#include "oxide/base/reader.h"

#include <stdlib.h>
#include <string.h>

/* Chunks that are hashed as one subtree: enough to fill the widest lanes with parents, too. */
#define SUBTREE_CHUNKS 64

/* Several of SUBTREE_CHUNKS; larger blocks gain nothing and leave the second-level cache. */
#define READ_BYTES ((size_t)256 * 1024)

static const uint32_t iv[8] = B3_IV;

#if defined(B3_X86)
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") != 0;
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

static bool has_sse41(void)
{
    return __builtin_cpu_supports("sse4.1") != 0;
}
#endif

const struct b3_kernel b3_kernels[] = {
#if defined(B3_X86)
    {"avx512", 16, has_avx512, b3_run_avx512},
    {"avx2", 8, has_avx2, b3_run_avx2},
    {"sse4.1", 4, has_sse41, b3_run_sse41},
#endif
#if defined(B3_VECTORS)
    {"vec4", 4, NULL, b3_run_vec4},
#endif
    {"portable", 1, NULL, b3_run_portable},
};
const size_t b3_kernel_count = sizeof(b3_kernels) / sizeof(b3_kernels[0]);

static const struct b3_kernel *best_kernel(void)
{
    const struct b3_kernel *kernel = b3_kernels;

    while (kernel->can_run != NULL && !kernel->can_run()) {
        kernel++;
    }
    return kernel;
}

/* --- beginning --- */

static void init(struct ox_blake3 *hash, const struct b3_kernel *kernel, const uint32_t key[8],
                 uint32_t flags)
{
    memset(hash, 0, sizeof(*hash));
    hash->kernel = kernel;
    memcpy(hash->key, key, sizeof(hash->key));
    memcpy(hash->chunk_value, key, sizeof(hash->chunk_value));
    hash->flags = flags;
}

void b3_init_with(struct ox_blake3 *hash, const struct b3_kernel *kernel)
{
    init(hash, kernel, iv, 0);
}

void ox_blake3_init(struct ox_blake3 *hash)
{
    b3_init_with(hash, best_kernel());
}

static void init_with_key(struct ox_blake3 *hash, const uint8_t key[OX_BLAKE3_KEY_BYTES],
                          uint32_t flags)
{
    uint32_t words[8];

    for (size_t i = 0; i < 8; i++) {
        words[i] = ox_load_u32le(key + 4 * i);
    }
    init(hash, best_kernel(), words, flags);
}

void ox_blake3_init_keyed(struct ox_blake3 *hash, const uint8_t key[OX_BLAKE3_KEY_BYTES])
{
    init_with_key(hash, key, B3_KEYED_HASH);
}

void ox_blake3_init_derive_key(struct ox_blake3 *hash, const char *context)
{
    uint8_t key[OX_BLAKE3_KEY_BYTES];

    init(hash, best_kernel(), iv, B3_DERIVE_KEY_CONTEXT);
    ox_blake3_update(hash, context, strlen(context));
    ox_blake3_final(hash, key, sizeof(key));
    init_with_key(hash, key, B3_DERIVE_KEY_MATERIAL);
}

/* --- nodes --- */

/* The last compression of a node, not yet done: it differs if the node turns out to be the root. */
struct node {
    uint32_t value[8];
    uint8_t block[OX_BLAKE3_BLOCK_BYTES];
    uint32_t block_bytes;
    uint64_t counter;
    uint32_t flags;
};

static void node_value(const struct node *node, uint8_t out[B3_VALUE_BYTES])
{
    uint32_t words[16];

    b3_compress(node->value, node->block, node->block_bytes, node->counter, node->flags, words);
    for (size_t i = 0; i < 8; i++) {
        ox_store_u32le(out + 4 * i, words[i]);
    }
}

static struct node chunk_node(const struct ox_blake3 *hash)
{
    struct node node = {.block_bytes = hash->block_bytes, .counter = hash->chunk_counter};

    memcpy(node.value, hash->chunk_value, sizeof(node.value));
    memcpy(node.block, hash->block, hash->block_bytes); /* the rest is zero */
    node.flags = hash->flags | B3_CHUNK_END | (hash->chunk_blocks == 0 ? B3_CHUNK_START : 0);
    return node;
}

static struct node parent_node(const struct ox_blake3 *hash, const uint8_t left[B3_VALUE_BYTES],
                               const uint8_t right[B3_VALUE_BYTES])
{
    struct node node = {.block_bytes = OX_BLAKE3_BLOCK_BYTES, .counter = 0};

    memcpy(node.value, hash->key, sizeof(node.value));
    memcpy(node.block, left, B3_VALUE_BYTES);
    memcpy(node.block + B3_VALUE_BYTES, right, B3_VALUE_BYTES);
    node.flags = hash->flags | B3_PARENT;
    return node;
}

static unsigned count_ones(uint64_t bits)
{
    unsigned count = 0;

    for (; bits != 0; bits &= bits - 1) {
        count++;
    }
    return count;
}

/*
 * Chunk number `chunk` begins: merge what lies to the left of it, so that each bit of the number is
 * one whole subtree on the stack. No sooner: the last merge might have been the root.
 */
static void merge(struct ox_blake3 *hash, uint64_t chunk)
{
    while (hash->depth > count_ones(chunk)) {
        uint8_t *left = hash->stack[hash->depth - 2];
        struct node parent = parent_node(hash, left, hash->stack[hash->depth - 1]);

        node_value(&parent, left);
        hash->depth--;
    }
}

/* Put the value of a whole subtree, `chunk` its first chunk, on the stack. */
static void push(struct ox_blake3 *hash, const uint8_t value[B3_VALUE_BYTES], uint64_t chunk)
{
    merge(hash, chunk);
    memcpy(hash->stack[hash->depth++], value, B3_VALUE_BYTES);
}

/* --- taking bytes --- */

static uint32_t chunk_bytes(const struct ox_blake3 *hash)
{
    return hash->chunk_blocks * OX_BLAKE3_BLOCK_BYTES + hash->block_bytes;
}

/* Add to the chunk at the end, which has room. Its last block waits: it may be the root's. */
static void update_chunk(struct ox_blake3 *hash, const uint8_t *bytes, size_t len_bytes)
{
    while (len_bytes > 0) {
        size_t room = OX_BLAKE3_BLOCK_BYTES - hash->block_bytes;
        size_t take = len_bytes < room ? len_bytes : room;

        if (room == 0) {
            uint32_t words[16];

            b3_compress(hash->chunk_value, hash->block, OX_BLAKE3_BLOCK_BYTES, hash->chunk_counter,
                        hash->flags | (hash->chunk_blocks == 0 ? B3_CHUNK_START : 0), words);
            memcpy(hash->chunk_value, words, sizeof(hash->chunk_value));
            hash->chunk_blocks++;
            hash->block_bytes = 0;
            continue;
        }
        memcpy(hash->block + hash->block_bytes, bytes, take);
        hash->block_bytes += (uint32_t)take;
        bytes += take;
        len_bytes -= take;
    }
}

/* The chunk at the end is full and more follows. */
static void end_chunk(struct ox_blake3 *hash)
{
    struct node node = chunk_node(hash);
    uint8_t value[B3_VALUE_BYTES];

    node_value(&node, value);
    push(hash, value, hash->chunk_counter);
    memcpy(hash->chunk_value, hash->key, sizeof(hash->chunk_value));
    hash->chunk_counter++;
    hash->chunk_blocks = 0;
    hash->block_bytes = 0;
}

/* Values of `count` inputs, the widest kernel first. */
static void run_batch(const struct b3_kernel *kernel, const struct b3_batch *batch,
                      const uint8_t *in, size_t count, uint64_t counter, uint8_t *out)
{
    while (count > 0) {
        if (kernel->lanes > count) {
            kernel++;
            continue;
        }
        kernel->run(batch, in, counter, out);
        in += kernel->lanes * batch->blocks * OX_BLAKE3_BLOCK_BYTES;
        out += kernel->lanes * B3_VALUE_BYTES;
        counter += kernel->lanes * batch->step;
        count -= kernel->lanes;
    }
}

/* Hash `chunks` whole chunks, a power of two and at least two, down to the two halves' values:
 * their parent may be the root. */
static void push_subtree(struct ox_blake3 *hash, const uint8_t *bytes, size_t chunks)
{
    const struct b3_batch of_chunks = {hash->key,    OX_BLAKE3_CHUNK_BYTES / OX_BLAKE3_BLOCK_BYTES,
                                       hash->flags,  B3_CHUNK_START,
                                       B3_CHUNK_END, 1};
    const struct b3_batch of_parents = {hash->key, 1, hash->flags | B3_PARENT, 0, 0, 0};
    uint8_t values[SUBTREE_CHUNKS * B3_VALUE_BYTES];

    run_batch(hash->kernel, &of_chunks, bytes, chunks, hash->chunk_counter, values);
    for (size_t count = chunks / 2; count >= 2; count /= 2) {
        run_batch(hash->kernel, &of_parents, values, count, 0, values);
    }
    push(hash, values, hash->chunk_counter);
    push(hash, values + B3_VALUE_BYTES, hash->chunk_counter + chunks / 2);
    hash->chunk_counter += chunks;
}

/* The largest whole subtree that may begin here, of what is there. */
static size_t subtree_chunks(const struct ox_blake3 *hash, size_t len_bytes)
{
    size_t chunks = SUBTREE_CHUNKS;

    while (chunks * OX_BLAKE3_CHUNK_BYTES > len_bytes || hash->chunk_counter % chunks != 0) {
        chunks /= 2;
    }
    return chunks;
}

void ox_blake3_update(struct ox_blake3 *hash, const void *bytes, size_t len_bytes)
{
    const uint8_t *from = bytes;

    while (len_bytes > 0) {
        size_t room;
        size_t take;

        if (chunk_bytes(hash) == OX_BLAKE3_CHUNK_BYTES) {
            end_chunk(hash);
        }
        if (chunk_bytes(hash) == 0 && len_bytes > OX_BLAKE3_CHUNK_BYTES) {
            size_t chunks = subtree_chunks(hash, len_bytes);

            if (chunks > 1) {
                push_subtree(hash, from, chunks);
                from += chunks * OX_BLAKE3_CHUNK_BYTES;
                len_bytes -= chunks * OX_BLAKE3_CHUNK_BYTES;
                continue;
            }
        }
        merge(hash, hash->chunk_counter);
        room = OX_BLAKE3_CHUNK_BYTES - chunk_bytes(hash);
        take = len_bytes < room ? len_bytes : room;
        update_chunk(hash, from, take);
        from += take;
        len_bytes -= take;
    }
}

/* --- the end --- */

static struct node root_node(const struct ox_blake3 *hash)
{
    uint32_t depth = hash->depth;
    struct node node;

    if (chunk_bytes(hash) > 0 || depth == 0) {
        node = chunk_node(hash);
    } else { /* subtrees came last: the stack has both halves of the last one */
        node = parent_node(hash, hash->stack[depth - 2], hash->stack[depth - 1]);
        depth -= 2;
    }
    while (depth > 0) {
        uint8_t right[B3_VALUE_BYTES];

        node_value(&node, right);
        node = parent_node(hash, hash->stack[--depth], right);
    }
    return node;
}

void ox_blake3_final(const struct ox_blake3 *hash, void *out, size_t len_bytes)
{
    struct node root = root_node(hash);
    uint8_t *to = out;

    for (uint64_t counter = 0; len_bytes > 0; counter++) {
        uint8_t block[OX_BLAKE3_BLOCK_BYTES];
        uint32_t words[16];
        size_t take = len_bytes < sizeof(block) ? len_bytes : sizeof(block);

        b3_compress(root.value, root.block, root.block_bytes, counter, root.flags | B3_ROOT, words);
        for (size_t i = 0; i < 16; i++) {
            ox_store_u32le(block + 4 * i, words[i]);
        }
        memcpy(to, block, take);
        to += take;
        len_bytes -= take;
    }
}

void ox_blake3_digest(const struct ox_blake3 *hash, struct ox_digest *out)
{
    ox_blake3_final(hash, out->bytes, sizeof(out->bytes));
}

void ox_blake3_bytes(const void *bytes, size_t len_bytes, struct ox_digest *out)
{
    struct ox_blake3 hash;

    ox_blake3_init(&hash);
    ox_blake3_update(&hash, bytes, len_bytes);
    ox_blake3_digest(&hash, out);
}

enum ox_code ox_blake3_source(const struct ox_source *source, struct ox_stop *stop,
                              const struct ox_progress *progress, struct ox_digest *out,
                              struct ox_err *err)
{
    struct ox_blake3 hash;
    uint8_t *block = malloc(READ_BYTES);
    enum ox_code code = block == NULL ? ox_err_nomem(err, "hashing") : OX_OK;

    ox_blake3_init(&hash);
    for (uint64_t at = 0; code == OX_OK && at < source->size_bytes;) {
        uint64_t left = source->size_bytes - at;
        size_t take = left < READ_BYTES ? (size_t)left : READ_BYTES;

        if (ox_stop_requested(stop)) {
            code = ox_err_set(err, OX_ECANCELED, "stopped while hashing");
            break;
        }
        code = ox_source_read(source, at, block, take, err);
        if (code == OX_OK) {
            ox_blake3_update(&hash, block, take);
            at += take;
            ox_progress_update(progress, at, source->size_bytes);
        }
    }
    if (code == OX_OK) {
        ox_blake3_digest(&hash, out);
    }
    free(block);
    return code;
}
