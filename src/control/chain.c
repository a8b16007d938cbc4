#include "chain.h"

#include "inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_MAX 4096 /* answers that are remembered: what devices run times what they read */

/* --- the cheapest path --- */

/* Digests as numbers: their place in a sorted list. */
struct nodes {
    struct ox_digest *digests;
    size_t count;
};

static int by_digest(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ox_digest));
}

static enum ox_code number_nodes(const struct ox_patch_row *patches, size_t count,
                                 struct nodes *out, struct ox_err *err)
{
    size_t kept = 0;

    out->digests = calloc(2 * count + 1, sizeof(*out->digests));
    if (out->digests == NULL) {
        return ox_err_nomem(err, "a chain of patches");
    }
    for (size_t i = 0; i < count; i++) {
        out->digests[2 * i] = patches[i].base;
        out->digests[2 * i + 1] = patches[i].target;
    }
    qsort(out->digests, 2 * count, sizeof(*out->digests), by_digest);
    for (size_t i = 0; i < 2 * count; i++) {
        if (kept == 0 || !ox_digest_equal(&out->digests[kept - 1], &out->digests[i])) {
            out->digests[kept++] = out->digests[i];
        }
    }
    out->count = kept;
    return OX_OK;
}

/* SIZE_MAX if no patch begins or ends there. */
static size_t node_of(const struct nodes *nodes, const struct ox_digest *digest)
{
    const struct ox_digest *found =
        bsearch(digest, nodes->digests, nodes->count, sizeof(*digest), by_digest);

    return found == NULL ? SIZE_MAX : (size_t)(found - nodes->digests);
}

/* How a version is reached by at most so many patches. */
struct reached {
    uint64_t bytes; /* UINT64_MAX: not at all */
    size_t by;      /* the last patch, or SIZE_MAX: as with one patch less */
};

/* One more patch: Bellman-Ford in rounds, which bounds the number of links, as Dijkstra's search
 * over bytes alone would not. Source: Cormen et al., Introduction to Algorithms, 24.1. */
static void relax(const struct ox_patch_row *patches, size_t patch_count, const size_t *from,
                  const size_t *to, uint64_t ops, size_t node_count, const struct reached *before,
                  struct reached *after)
{
    for (size_t i = 0; i < node_count; i++) {
        after[i] = (struct reached){before[i].bytes, SIZE_MAX};
    }
    for (size_t i = 0; i < patch_count; i++) {
        uint64_t bytes = before[from[i]].bytes;

        if ((patches[i].ops & ~ops) == 0 && bytes < UINT64_MAX - patches[i].patch_bytes &&
            bytes + patches[i].patch_bytes < after[to[i]].bytes) {
            after[to[i]] = (struct reached){bytes + patches[i].patch_bytes, i};
        }
    }
}

/* Walk back from the target. */
static void trace(const struct reached *rounds, size_t node_count, size_t max_links, size_t at,
                  const size_t *from, size_t links[OX_CHAIN_MAX], size_t *count)
{
    size_t used = 0;

    for (size_t round = max_links; round > 0; round--) {
        const struct reached *reached = &rounds[round * node_count + at];

        if (reached->by != SIZE_MAX) {
            links[used++] = reached->by;
            at = from[reached->by];
        }
    }
    for (size_t i = 0; i < used / 2; i++) {
        size_t swapped = links[i];

        links[i] = links[used - 1 - i];
        links[used - 1 - i] = swapped;
    }
    *count = used;
}

static void search(const struct ox_patch_row *patches, size_t patch_count,
                   const struct nodes *nodes, size_t *from, size_t *to, struct reached *rounds,
                   const struct ox_digest *base, const struct ox_digest *target, uint64_t ops,
                   size_t max_links, uint64_t below_bytes, size_t links[OX_CHAIN_MAX],
                   size_t *count)
{
    size_t start = node_of(nodes, base);
    size_t end = node_of(nodes, target);

    if (start == SIZE_MAX || end == SIZE_MAX || start == end) {
        return;
    }
    for (size_t i = 0; i < patch_count; i++) {
        from[i] = node_of(nodes, &patches[i].base);
        to[i] = node_of(nodes, &patches[i].target);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        rounds[i] = (struct reached){i == start ? 0 : UINT64_MAX, SIZE_MAX};
    }
    for (size_t round = 1; round <= max_links; round++) {
        relax(patches, patch_count, from, to, ops, nodes->count,
              &rounds[(round - 1) * nodes->count], &rounds[round * nodes->count]);
    }
    if (rounds[max_links * nodes->count + end].bytes < below_bytes) {
        trace(rounds, nodes->count, max_links, end, from, links, count);
    }
}

enum ox_code ox_chain_cheapest(const struct ox_patch_row *patches, size_t patch_count,
                               const struct ox_digest *base, const struct ox_digest *target,
                               uint64_t ops, size_t max_links, uint64_t below_bytes,
                               size_t links[OX_CHAIN_MAX], size_t *count, struct ox_err *err)
{
    struct nodes nodes = {NULL, 0};
    size_t *from = calloc(patch_count + 1, sizeof(*from));
    size_t *to = calloc(patch_count + 1, sizeof(*to));
    struct reached *rounds = NULL;
    enum ox_code code = number_nodes(patches, patch_count, &nodes, err);

    *count = 0;
    max_links = max_links < OX_CHAIN_MAX ? max_links : OX_CHAIN_MAX;
    if (code == OX_OK) {
        rounds = calloc((max_links + 1) * (nodes.count + 1), sizeof(*rounds));
    }
    if (code == OX_OK && (from == NULL || to == NULL || rounds == NULL)) {
        code = ox_err_nomem(err, "a chain of patches");
    }
    if (code == OX_OK) {
        search(patches, patch_count, &nodes, from, to, rounds, base, target, ops, max_links,
               below_bytes, links, count);
    }
    if (*count == 1) { /* the direct patch is no chain: there is nothing cheaper */
        *count = 0;
    }
    free(rounds);
    free(to);
    free(from);
    free(nodes.digests);
    return code;
}

/* --- what was found before --- */

struct found {
    uint64_t generation;
    uint64_t bytes;
    size_t count;
    int64_t job_ids[OX_CHAIN_MAX];
};

void ox_chains_init(struct ox_chains *chains)
{
    *chains = (struct ox_chains){.generation = 1};
    (void)pthread_mutex_init(&chains->lock, NULL);
}

void ox_chains_clear(struct ox_chains *chains)
{
    ox_map_clear(&chains->found);
    (void)pthread_mutex_destroy(&chains->lock);
}

void ox_chains_changed(struct ox_control *control)
{
    (void)pthread_mutex_lock(&control->chains.lock);
    control->chains.generation++;
    (void)pthread_mutex_unlock(&control->chains.lock);
}

static bool recall(struct ox_chains *chains, const char *key, struct found *out,
                   uint64_t *generation)
{
    const struct found *found;
    bool known;

    (void)pthread_mutex_lock(&chains->lock);
    *generation = chains->generation;
    found = ox_map_get(&chains->found, key);
    known = found != NULL && found->generation == chains->generation;
    if (known) {
        *out = *found;
    }
    (void)pthread_mutex_unlock(&chains->lock);
    return known;
}

/* The generation is from before the search, so what came meanwhile makes it old at once. */
static void remember(struct ox_chains *chains, const char *key, const struct found *found)
{
    void *value = NULL;

    (void)pthread_mutex_lock(&chains->lock);
    if (chains->found.count >= FOUND_MAX) {
        ox_map_clear(&chains->found);
    }
    if (ox_map_put(&chains->found, key, sizeof(*found), &value, NULL) == OX_OK) {
        *(struct found *)value = *found;
    }
    (void)pthread_mutex_unlock(&chains->lock);
}

/* --- finding one --- */

static enum ox_code search_registry(struct ox_tx *tx, const char *model_id,
                                    const struct ox_digest *base, const struct ox_digest *target,
                                    const struct ox_reads *reads, struct found *out,
                                    struct ox_err *err)
{
    struct ox_patch_row *patches = NULL;
    size_t links[OX_CHAIN_MAX];
    size_t patch_count = 0;
    enum ox_code code = ox_registry_patches_between(tx, model_id, OX_CHAIN_PATCHES_MAX, &patches,
                                                    &patch_count, err);

    if (code == OX_OK) {
        code = ox_chain_cheapest(patches, patch_count, base, target, reads->oxdl2_ops,
                                 (size_t)reads->chains, UINT64_MAX, links, &out->count, err);
    }
    for (size_t i = 0; code == OX_OK && i < out->count; i++) {
        out->job_ids[i] = patches[links[i]].job_id;
        out->bytes += patches[links[i]].patch_bytes;
    }
    return code;
}

/* One that lost a link a moment ago is none. */
static enum ox_code load(struct ox_tx *tx, const struct found *found, struct ox_chain *out,
                         struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < found->count; i++) {
        code = ox_registry_patch_get(tx, found->job_ids[i], &out->links[i], err);
    }
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        return OX_OK;
    }
    if (code == OX_OK) {
        out->count = found->count;
        out->bytes = found->bytes;
    }
    return code;
}

enum ox_code ox_chain_find(struct ox_control *control, struct ox_tx *tx, const char *model_id,
                           const struct ox_digest *base, const struct ox_digest *target,
                           const char *reads_text, uint64_t below_bytes, struct ox_chain *out,
                           struct ox_err *err)
{
    struct ox_reads reads = {.oxdl1 = false};
    struct found found = {.count = 0};
    char base_hex[OX_DIGEST_HEX_MAX];
    char target_hex[OX_DIGEST_HEX_MAX];
    char *key = NULL;
    enum ox_code code;

    out->count = 0;
    if (reads_text == NULL || ox_reads_parse(reads_text, &reads, NULL) != OX_OK || !reads.oxdl2 ||
        reads.chains < 2) {
        return OX_OK;
    }
    code =
        ox_strf(&key, err, "%s %s %s %" PRIx64 " %" PRIu64, model_id, ox_digest_hex(base, base_hex),
                ox_digest_hex(target, target_hex), reads.oxdl2_ops, reads.chains);
    if (code == OX_OK && !recall(&control->chains, key, &found, &found.generation)) {
        code = search_registry(tx, model_id, base, target, &reads, &found, err);
        if (code == OX_OK) {
            remember(&control->chains, key, &found);
        }
    }
    free(key);
    return code == OX_OK && found.count > 0 && found.bytes < below_bytes
               ? load(tx, &found, out, err)
               : code;
}

/* --- offering it --- */

/*
 * A direct patch that is there has to be beaten. While one is still being made, which will hardly
 * be larger than the chain, the chain is taken only if it saves half of the full files; else the
 * full files are what it has to beat.
 */
static uint64_t bytes_to_beat(const struct ox_offer *offer)
{
    return offer->has_patch ? offer->job.patch_bytes
           : offer->waits   ? offer->target.size_bytes / 2
                            : offer->target.size_bytes;
}

enum ox_code ox_chain_offer(struct ox_control *control, struct ox_tx *tx,
                            const struct ox_device_row *device, struct ox_offer *offer,
                            struct ox_err *err)
{
    const struct ox_device_model_row *base = offer->base;
    enum ox_code code;

    if (base == NULL || !base->has_digest || offer->row.fallback || device->protocol == 0 ||
        ox_digest_equal(&base->digest, &offer->target.digest)) {
        return OX_OK;
    }
    code =
        ox_chain_find(control, tx, offer->campaign.model_id, &base->digest, &offer->target.digest,
                      device->reads, bytes_to_beat(offer), &offer->chain, err);
    if (code == OX_OK && offer->chain.count > 0) {
        offer->has_patch = offer->waits = offer->needs_fallback = false;
    }
    return code;
}

static enum ox_code fill_patch(const struct ox_patch_row *row, struct ox_patch_ref *out,
                               struct ox_err *err)
{
    enum ox_code code;

    out->present = true;
    out->sha256 = row->patch;
    out->size_bytes = row->patch_bytes;
    code = ox_strdup(&out->format, row->format, err);
    return code == OX_OK ? ox_strdup(&out->strategy, row->strategy, err) : code;
}

/* The version in between that a patch rebuilds. */
static enum ox_code fill_between(struct ox_tx *tx, const struct ox_digest *digest,
                                 struct ox_chain_link *out, struct ox_err *err)
{
    struct ox_artifact_row artifact;
    enum ox_code code;

    out->digest = *digest;
    if ((code = ox_registry_artifact_by_digest(tx, digest, &artifact, err)) != OX_OK ||
        (code = ox_strdup(&out->version, artifact.version, err)) != OX_OK) {
        return code;
    }
    return ox_registry_artifact_files(tx, artifact.id, &out->files, err);
}

enum ox_code ox_chain_fill(struct ox_control *control, struct ox_tx *tx,
                           const struct ox_offer *offer, struct ox_assignment *out,
                           struct ox_err *err)
{
    const struct ox_chain *chain = &offer->chain;
    enum ox_code code = ox_strdup(&out->base_version, offer->base->version, err);

    out->base_present = true;
    out->base_digest = offer->base->digest;
    out->chain = calloc(chain->count, sizeof(*out->chain));
    if (out->chain == NULL) {
        return ox_err_nomem(err, "a chain of patches");
    }
    for (size_t i = 0; code == OX_OK && i < chain->count; i++) {
        out->chain_count = i + 1;
        ox_patch_cache_used(control, chain->links[i].job_id);
        code = fill_patch(&chain->links[i], &out->chain[i].patch, err);
        if (code == OX_OK && i + 1 < chain->count) {
            code = fill_between(tx, &chain->links[i].target, &out->chain[i], err);
        }
    }
    return code;
}
