/**
 * The cheapest way from a base to a target by patches that are made already, applied one after the
 * other: v1 to v2, v2 to v3. It is taken where that is fewer bytes than what there is else.
 */
#ifndef OX_CONTROL_CHAIN_H
#define OX_CONTROL_CHAIN_H

#include "map.h"

#include "oxide/registry/device.h"
#include "oxide/registry/patch.h"
#include "oxide/wire/heartbeat.h"

#include <pthread.h>

struct ox_control;
struct ox_offer;

/** Patches of a model that are looked at; the largest are left out over it. */
#define OX_CHAIN_PATCHES_MAX 4096

struct ox_chain {
    struct ox_patch_row links[OX_CHAIN_MAX];
    size_t count; /* 0: there is no chain that is worth it */
    uint64_t bytes;
};

/** What was found before, for as long as no patch comes or goes. */
struct ox_chains {
    pthread_mutex_t lock;
    struct ox_map found;
    uint64_t generation; /* under lock */
};
void ox_chains_init(struct ox_chains *chains);
void ox_chains_clear(struct ox_chains *chains);
/** A patch was made, or is gone: to be called once that is durable. */
void ox_chains_changed(struct ox_control *control);

/**
 * The cheapest path of 2 to max_links patches over `patches`, of fewer than below_bytes in all,
 * that need no operation beyond `ops`; of equal ones the one of fewer links. links[] are indices
 * into patches. *count is 0 if there is none. Errors: OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_chain_cheapest(const struct ox_patch_row *patches, size_t patch_count,
                                           const struct ox_digest *base,
                                           const struct ox_digest *target, uint64_t ops,
                                           size_t max_links, uint64_t below_bytes,
                                           size_t links[OX_CHAIN_MAX], size_t *count,
                                           struct ox_err *err);

/** The chain for who reads `reads` (NULL: nothing), of fewer than below_bytes. */
OX_MUST_USE enum ox_code ox_chain_find(struct ox_control *control, struct ox_tx *tx,
                                       const char *model_id, const struct ox_digest *base,
                                       const struct ox_digest *target, const char *reads,
                                       uint64_t below_bytes, struct ox_chain *out,
                                       struct ox_err *err);

/** Give an offer a chain in place of its patch, or of the full files, if that saves bytes. */
OX_MUST_USE enum ox_code ox_chain_offer(struct ox_control *control, struct ox_tx *tx,
                                        const struct ox_device_row *device, struct ox_offer *offer,
                                        struct ox_err *err);
/** Tell it. */
OX_MUST_USE enum ox_code ox_chain_fill(struct ox_control *control, struct ox_tx *tx,
                                       const struct ox_offer *offer, struct ox_assignment *out,
                                       struct ox_err *err);

#endif
