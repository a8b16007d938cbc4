/**
 * Variants of a version: which one a device gets.
 *
 * A device gets the first variant whose requirements it meets, in the order of preference: by rank,
 * then by age, those that are for all last. An agent of the first generation knows versions alone,
 * so it gets the variant that stands for the version, or none.
 */
#ifndef OX_CONTROL_VARIANTS_H
#define OX_CONTROL_VARIANTS_H

#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/device.h"
#include "oxide/registry/select.h"

struct ox_control;

/** Is it a filter that we can ask devices by, of what they are rather than how they do?
 *  Errors: OX_EINVAL, with the place. */
OX_MUST_USE enum ox_code ox_requires_check(const char *requires, struct ox_err *err);

/** The named variant of a version, if it is held; NULL: the one that stands for the version.
 *  Errors: OX_ENOTFOUND, naming it. */
OX_MUST_USE enum ox_code ox_variant_find(struct ox_tx *tx, const char *model_id,
                                         const char *version, const char *variant,
                                         struct ox_artifact_row *out, struct ox_err *err);

#define OX_VARIANT_WHY_MAX 512
/** The variant of a version for one device. *fits is false if there is none, and `why` says so. */
OX_MUST_USE enum ox_code ox_variant_choose(struct ox_control *control, struct ox_tx *tx,
                                           const char *model_id, const char *version,
                                           const char *device_id, struct ox_artifact_row *out,
                                           bool *fits, char why[OX_VARIANT_WHY_MAX],
                                           struct ox_err *err);

/** Give each gathered member of a campaign its variant, or the reason why it has none. */
OX_MUST_USE enum ox_code ox_variants_target(struct ox_control *control, struct ox_tx *tx,
                                            const struct ox_campaign_row *campaign,
                                            struct ox_err *err);
/** Let devices of a fleet enter a campaign that is under way or over, each with its variant. */
OX_MUST_USE enum ox_code ox_variants_enter(struct ox_control *control, struct ox_tx *tx,
                                           const struct ox_campaign_row *campaign,
                                           const struct ox_selection *fleet, struct ox_err *err);

#endif
