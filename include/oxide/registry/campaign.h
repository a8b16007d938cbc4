/** Campaigns, and the devices in them. */
#ifndef OXIDE_REGISTRY_CAMPAIGN_H
#define OXIDE_REGISTRY_CAMPAIGN_H

#include "oxide/base/digest.h"
#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"
#include "oxide/registry/select.h"

struct ox_campaign_row {
    const char *id;
    const char *kind;     /* rollout, or revert: each device goes back to what it ran before */
    int64_t artifact_id;  /* what it rolls out, or sends devices back from */
    const char *model_id; /* this and the next three come from the artifact */
    const char *version;
    struct ox_digest digest;
    uint64_t size_bytes;
    const char *of_campaign; /* of a revert: the campaign that it undoes; NULL: none */
    const char *fleet_id;    /* NULL: devices by name */
    const char *strategy;
    const char *policy; /* JSON text */
    const char *state;
    const char *reason; /* why it paused or ended; NULL: none */
    int64_t created_ms;
    int64_t prepared_ms; /* 0: deltas are being made */
    int64_t ended_ms;    /* 0: not yet */
    uint64_t total;      /* devices */
    uint64_t staged;     /* of them: to be updated by it; stages are shares of these */
    uint64_t stage;
    int64_t stage_opened_ms;
    uint64_t approved_stage;
    int64_t last_success_ms; /* 0: none */
    uint64_t unnamed_bytes;  /* served to devices that did not say who they are */
    uint64_t bytes_served;   /* to all others */
};
struct ox_campaign_device_row {
    const char *campaign_id;
    const char *device_id;
    uint64_t place;           /* 0 is released first */
    int64_t artifact_id;      /* what this device is to run; 0: none of this model */
    const char *from_version; /* what it ran when it entered; NULL: none */
    bool has_from;
    struct ox_digest from_digest;
    const char *state;
    const char *class; /* of failure; "" : none */
    bool released;
    bool deferred; /* released, and asleep */
    bool accepted; /* failed, and an operator went on */
    bool late;     /* entered after the campaign had ended */
    bool fallback; /* may fetch the full file where its patch failed */
    int64_t released_ms;
    int64_t offered_ms;     /* it was told; 0: not yet */
    uint64_t offered_bytes; /* that it may fetch then */
    const char *error;      /* NULL: none */
    const char *strategy;   /* NULL: not known */
    uint64_t bytes_full;    /* what the whole artifact would have cost; 0: it ran it already */
    uint64_t bytes_received;
    uint64_t bytes_served;
    const char *failed_at; /* the agent's stage; NULL: it did not fail, or did not say */
    uint64_t duration_ms;  /* that the update took; 0: not known */
    const char *stages_ms; /* a JSON object, by stage; NULL: not known */
    const char *sources;   /* a JSON object, bytes by origin; NULL: not known */
    int64_t updated_ms;
    bool removes; /* the artifact goes: the device runs nothing of the model then */
};

/* --- campaigns --- */

/** Columns from the artifact are taken from artifact_id. */
OX_MUST_USE enum ox_code
ox_registry_campaign_add(struct ox_tx *tx, const struct ox_campaign_row *row, struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_campaign_get(struct ox_tx *tx, const char *id,
                                                  struct ox_campaign_row *out, struct ox_err *err);
/** Oldest first; `active`: only pending, rolling_out and paused ones, and those in which a device
 *  has begun and not ended. */
OX_MUST_USE enum ox_code ox_registry_campaigns(struct ox_tx *tx, bool active,
                                               struct ox_campaign_row **rows, size_t *count,
                                               struct ox_err *err);
/** The newest revert of a campaign. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_campaign_revert_of(struct ox_tx *tx, const char *id,
                                                        struct ox_campaign_row *out,
                                                        struct ox_err *err);
/** Write state, reason, prepared, ended, total, stage, stage_opened, approved_stage, last_success.
 */
OX_MUST_USE enum ox_code ox_registry_campaign_update(struct ox_tx *tx,
                                                     const struct ox_campaign_row *row,
                                                     struct ox_err *err);

/** Devices of a campaign that are alike, counted. */
struct ox_tally_row {
    const char *state;
    const char *class;
    bool released;
    bool deferred;
    bool accepted;
    bool offered;
    uint64_t devices;
};
OX_MUST_USE enum ox_code ox_registry_campaign_tally(struct ox_tx *tx, const char *campaign_id,
                                                    struct ox_tally_row **rows, size_t *count,
                                                    struct ox_err *err);

/* --- filling one --- */

/** Forget the members that were gathered before. */
OX_MUST_USE enum ox_code ox_registry_members_begin(struct ox_tx *tx, struct ox_err *err);
/** Gather a device that exists, once however often it is named. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_member_add(struct ox_tx *tx, const char *device_id,
                                                struct ox_err *err);
/** Gather the selected devices. */
OX_MUST_USE enum ox_code ox_registry_members_select(struct ox_tx *tx,
                                                    const struct ox_selection *selection,
                                                    struct ox_err *err);
/** The artifact (of the standing variant) that the newest campaign of a model has brought to one of
 *  the gathered members, reverts left out; 0: none has. */
OX_MUST_USE enum ox_code ox_registry_members_last_update(struct ox_tx *tx, const char *model_id,
                                                         int64_t *out, struct ox_err *err);
/** Gather the devices of a campaign that it may have changed: complete, under way, silent, or told
 *  and perhaps begun since. */
OX_MUST_USE enum ox_code ox_registry_members_of_campaign(struct ox_tx *tx, const char *campaign_id,
                                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_members_count(struct ox_tx *tx, uint64_t *out,
                                                   struct ox_err *err);

/** Which open campaigns of a model hold gathered members that have not ended there. */
struct ox_rival_row {
    const char *campaign_id;
    uint64_t devices;
};
OX_MUST_USE enum ox_code ox_registry_members_rivals(struct ox_tx *tx, const char *campaign_id,
                                                    const char *model_id,
                                                    struct ox_rival_row **rows, size_t *count,
                                                    struct ox_err *err);

/** The rank of a device in a campaign; lower ranks go first. */
typedef uint64_t ox_rank_fn(const char *campaign_id, const char *device_id);
/** What the members are to run, where it is not the campaign's artifact for all of them. */
enum ox_member_target {
    OX_TARGET_ARTIFACT, /* the campaign's */
    OX_TARGET_PREVIOUS, /* what each ran when it entered of_campaign, or else before */
    OX_TARGET_GIVEN,    /* what ox_registry_members_target gave them */
};
/** Give an artifact to the selected members that have none yet; unless `for_first`, not to devices
 *  of the first generation. */
OX_MUST_USE enum ox_code ox_registry_members_target(struct ox_tx *tx, int64_t artifact_id,
                                                    const struct ox_selection *selection,
                                                    bool for_first, struct ox_err *err);
/** Say why members have no artifact: they are skipped. */
OX_MUST_USE enum ox_code ox_registry_members_without(struct ox_tx *tx, const char *why,
                                                     struct ox_err *err);
/**
 * Put the gathered members into a campaign, by rank, none of them released: those that run their
 * target already (and have nothing else under way, nor were told of it) complete, those for which
 * it is quarantined skipped, both behind all others. Then skip them in the model's other campaigns.
 * Sets campaign->total and staged.
 */
OX_MUST_USE enum ox_code ox_registry_members_enter(struct ox_tx *tx,
                                                   struct ox_campaign_row *campaign,
                                                   enum ox_member_target target, ox_rank_fn *rank,
                                                   struct ox_err *err);

/** Pending devices of a campaign that are alike: what they run, are to run, and read. */
struct ox_plan_row {
    const char *from_version; /* NULL: nothing */
    bool has_base;
    struct ox_digest base;
    bool held; /* the base is an artifact here */
    const char *to_version;
    const char *to_variant; /* "": the one without a name */
    struct ox_digest target;
    uint64_t target_bytes;
    uint64_t protocol;
    const char *reads;
    uint64_t devices;
    uint64_t in_conflict; /* of them, those under whose id several installations speak */
};
OX_MUST_USE enum ox_code ox_registry_campaign_plan(struct ox_tx *tx, const char *campaign_id,
                                                   struct ox_plan_row **rows, size_t *count,
                                                   struct ox_err *err);
/** Skipped devices of a campaign, for the same reason. */
struct ox_skip_row {
    const char *why;
    uint64_t devices;
    const char *device_id; /* of the first */
};
/** At most `limit` reasons, most devices first. */
OX_MUST_USE enum ox_code ox_registry_campaign_skips(struct ox_tx *tx, const char *campaign_id,
                                                    uint64_t limit, struct ox_skip_row **rows,
                                                    size_t *count, struct ox_err *err);
/** Pending devices of a campaign whose local time is the same, in whole quarters of an hour. */
struct ox_zone_row {
    bool known; /* false: they do not tell */
    int64_t utc_offset_s;
    uint64_t devices;
};
/** Most devices first. */
OX_MUST_USE enum ox_code ox_registry_campaign_zones(struct ox_tx *tx, const char *campaign_id,
                                                    struct ox_zone_row **rows, size_t *count,
                                                    struct ox_err *err);
/**
 * Who of a fleet is to enter a campaign after its beginning: devices of the selection that are not
 * in it, nor in one of the model that is newer, or under way for them. *count of them.
 */
OX_MUST_USE enum ox_code ox_registry_late_count(struct ox_tx *tx,
                                                const struct ox_campaign_row *campaign,
                                                const struct ox_selection *selection,
                                                uint64_t *count, struct ox_err *err);
/** How many devices are late in a campaign: they entered it, or began anew, after its end. */
OX_MUST_USE enum ox_code ox_registry_late_entered(struct ox_tx *tx, const char *campaign_id,
                                                  uint64_t *count, struct ox_err *err);
/** Let them enter, behind those that are in it: as ox_registry_members_enter, not released; but
 *  released, and late, if the campaign has ended. What they are to run are the campaign's
 *  artifact_id, digest and size_bytes; unless `for_first`, it is not for devices of the first
 *  generation. The campaign's total is the caller's to bring up. */
OX_MUST_USE enum ox_code ox_registry_late_enter(struct ox_tx *tx,
                                                const struct ox_campaign_row *campaign,
                                                const struct ox_selection *selection,
                                                bool for_first, int64_t now_ms, struct ox_err *err);
/** Those that are left have nothing to run in it. */
OX_MUST_USE enum ox_code ox_registry_late_skip(struct ox_tx *tx,
                                               const struct ox_campaign_row *campaign,
                                               const struct ox_selection *selection,
                                               const char *why, int64_t now_ms, struct ox_err *err);

/** Release the devices below a place that are not yet; *count of them. */
OX_MUST_USE enum ox_code ox_registry_campaign_release(struct ox_tx *tx, const char *campaign_id,
                                                      uint64_t places, int64_t now_ms,
                                                      uint64_t *count, struct ox_err *err);
/** Skip the devices that have not begun. */
OX_MUST_USE enum ox_code ox_registry_campaign_withdraw(struct ox_tx *tx, const char *campaign_id,
                                                       const char *why, int64_t now_ms,
                                                       struct ox_err *err);
/** Failures so far count no more. */
OX_MUST_USE enum ox_code ox_registry_campaign_accept(struct ox_tx *tx, const char *campaign_id,
                                                     struct ox_err *err);
/** Send failed devices back to pending, but where the version is quarantined: one, or all with
 * NULL; *count of them. */
OX_MUST_USE enum ox_code ox_registry_campaign_retry(struct ox_tx *tx, const char *campaign_id,
                                                    const char *device_id, int64_t now_ms,
                                                    uint64_t *count, struct ox_err *err);
/** Devices that were let to fetch the full file where their patch failed. */
OX_MUST_USE enum ox_code ox_registry_campaign_fallbacks(struct ox_tx *tx, const char *campaign_id,
                                                        uint64_t *out, struct ox_err *err);
/** Bytes that devices which were told and have not ended may fetch. */
OX_MUST_USE enum ox_code ox_registry_campaign_promised(struct ox_tx *tx, const char *campaign_id,
                                                       uint64_t *out, struct ox_err *err);
/** Devices with an assignment told at or after a time. */
OX_MUST_USE enum ox_code ox_registry_campaign_offers_since(struct ox_tx *tx,
                                                           const char *campaign_id,
                                                           int64_t since_ms, uint64_t *out,
                                                           struct ox_err *err);

/* --- devices in them --- */

OX_MUST_USE enum ox_code ox_registry_campaign_device_add(struct ox_tx *tx,
                                                         const struct ox_campaign_device_row *row,
                                                         struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_campaign_device_get(struct ox_tx *tx, const char *campaign_id,
                                                         const char *device_id,
                                                         struct ox_campaign_device_row *out,
                                                         struct ox_err *err);
/** Write all but names, place, from, bytes_full and bytes_served, which only ever grows, by
 *  ox_registry_served. */
OX_MUST_USE enum ox_code
ox_registry_campaign_device_update(struct ox_tx *tx, const struct ox_campaign_device_row *row,
                                   struct ox_err *err);
/** All devices of a campaign by place. */
OX_MUST_USE enum ox_code ox_registry_campaign_devices(struct ox_tx *tx, const char *campaign_id,
                                                      struct ox_campaign_device_row **rows,
                                                      size_t *count, struct ox_err *err);
/** Up to `limit` devices in a state that have not moved since a time. Released ones that are not
 *  deferred yet, if they are pending. */
OX_MUST_USE enum ox_code ox_registry_campaign_stale(struct ox_tx *tx, const char *campaign_id,
                                                    const char *state, int64_t before_ms,
                                                    uint64_t limit,
                                                    struct ox_campaign_device_row **rows,
                                                    size_t *count, struct ox_err *err);
/** The campaign rows in which a device has not ended, oldest campaign first. */
OX_MUST_USE enum ox_code ox_registry_device_open(struct ox_tx *tx, const char *device_id,
                                                 struct ox_campaign_device_row **rows,
                                                 size_t *count, struct ox_err *err);
/** Has it not ended in any? */
OX_MUST_USE enum ox_code ox_registry_device_is_open(struct ox_tx *tx, const char *device_id,
                                                    bool *out, struct ox_err *err);
/** The device's newest row in a campaign of a model. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_device_newest(struct ox_tx *tx, const char *device_id,
                                                   const char *model_id,
                                                   struct ox_campaign_device_row *out,
                                                   struct ox_err *err);
/** The newest campaign that a device has completed; the artifact's columns are of the device's own
 *  target. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_device_completed(struct ox_tx *tx, const char *device_id,
                                                      struct ox_campaign_row *out,
                                                      struct ox_err *err);

/** The campaign for which a blob (of its target, or a patch of its model) goes to a device: the
 *  newest, those that are not ended for it first. *out is NULL if there is none. */
OX_MUST_USE enum ox_code ox_registry_campaign_of_blob(struct ox_tx *tx, const char *device_id,
                                                      const struct ox_digest *blob,
                                                      const char **out, struct ox_err *err);
/** The newest campaign under way for the version of an artifact; *out is NULL if there is none. */
OX_MUST_USE enum ox_code ox_registry_campaign_of_version(struct ox_tx *tx, int64_t artifact_id,
                                                         const char **out, struct ox_err *err);
/** Add bytes served for a campaign to a device; to no named one if device_id is "". */
OX_MUST_USE enum ox_code ox_registry_served(struct ox_tx *tx, const char *campaign_id,
                                            const char *device_id, uint64_t bytes,
                                            struct ox_err *err);

/* --- what fleets are to run --- */

struct ox_desired_row {
    const char *fleet_id;
    const char *model_id;
    const char *campaign_id;
    int64_t set_ms;
    const char *halted; /* why nobody is sent there any more; NULL: they are */
    bool by_filter;     /* the fleet has a filter */
};
OX_MUST_USE enum ox_code ox_registry_desired_put(struct ox_tx *tx, const char *fleet_id,
                                                 const char *model_id, const char *campaign_id,
                                                 int64_t now_ms, struct ox_err *err);
/** Halt, or go on with NULL, what a campaign stands for. */
OX_MUST_USE enum ox_code ox_registry_desired_halt(struct ox_tx *tx, const char *campaign_id,
                                                  const char *why, struct ox_err *err);
/** A revert of its fleet has ended: the fleet is to run what it was to run before the version that
 *  was undone, by a campaign that was completed then, or nothing; or the version that it went to.
 */
OX_MUST_USE enum ox_code ox_registry_desired_revert(struct ox_tx *tx,
                                                    const struct ox_campaign_row *revert,
                                                    int64_t now_ms, struct ox_err *err);
/** What the fleets that a device was put into are to run, and all fleets that have filters, be it
 * in them or not: see ox_registry_selected_has. The oldest first. */
OX_MUST_USE enum ox_code ox_registry_desired_of_device(struct ox_tx *tx, const char *device_id,
                                                       struct ox_desired_row **rows, size_t *count,
                                                       struct ox_err *err);
/** What a fleet is to run. */
OX_MUST_USE enum ox_code ox_registry_desired_of_fleet(struct ox_tx *tx, const char *fleet_id,
                                                      struct ox_desired_row **rows, size_t *count,
                                                      struct ox_err *err);
/** What fleets that have filters are to run, unless it is halted; the newest first. */
OX_MUST_USE enum ox_code ox_registry_desired_by_filter(struct ox_tx *tx,
                                                       struct ox_desired_row **rows, size_t *count,
                                                       struct ox_err *err);
/** Why what a fleet is to run by this campaign is halted, a text of the transaction; NULL if it is
 *  not, or is not what a fleet is to run. */
OX_MUST_USE enum ox_code ox_registry_desired_halted(struct ox_tx *tx, const char *campaign_id,
                                                    const char **out, struct ox_err *err);
/** Is the campaign what a fleet is to run, and not halted? */
OX_MUST_USE enum ox_code ox_registry_desired_is(struct ox_tx *tx, const char *campaign_id,
                                                bool *out, struct ox_err *err);

/* --- quarantine --- */

/** Failures of a version on a device after which it is not given there any more. */
#define OX_QUARANTINE_FAILURES 3

struct ox_quarantine_row {
    const char *device_id;
    struct ox_digest digest;
    const char *model_id;
    const char *version;
    uint64_t failures;
    const char *class;
    int64_t updated_ms;
};
/** Count a failure that speaks against a version; *failures is how many there are now. */
OX_MUST_USE enum ox_code ox_registry_quarantine_count(struct ox_tx *tx,
                                                      const struct ox_quarantine_row *row,
                                                      uint64_t *failures, struct ox_err *err);
/** Is the version quarantined on the device? */
OX_MUST_USE enum ox_code ox_registry_quarantined(struct ox_tx *tx, const char *device_id,
                                                 const struct ox_digest *digest, bool *out,
                                                 struct ox_err *err);
/** Those of a device, or of all with NULL, that are not given any more. */
OX_MUST_USE enum ox_code ox_registry_quarantines(struct ox_tx *tx, const char *device_id,
                                                 struct ox_quarantine_row **rows, size_t *count,
                                                 struct ox_err *err);
/** Free a device's versions of a model, or all with NULL; *count of them. */
OX_MUST_USE enum ox_code ox_registry_quarantine_free(struct ox_tx *tx, const char *device_id,
                                                     const char *model_id, uint64_t *count,
                                                     struct ox_err *err);

/** Bytes that a campaign's devices have cost, and what the completed ones of them saved against the
 *  whole artifact. Of each device that is what we served it or, where others did, what it says. */
OX_MUST_USE enum ox_code ox_registry_campaign_sums(struct ox_tx *tx, const char *campaign_id,
                                                   uint64_t *cost, uint64_t *saved,
                                                   struct ox_err *err);

/** A page of campaigns. Sorts: created, id, model, state. Filters: state, model, fleet, device. */
OX_MUST_USE enum ox_code ox_registry_campaign_page(struct ox_tx *tx, const struct ox_page *page,
                                                   struct ox_campaign_row **rows, size_t *count,
                                                   const char **next, struct ox_err *err);

/** A page of devices in a campaign. Sorts: place, id, state, updated. Filters: campaign, state,
 *  class. */
OX_MUST_USE enum ox_code ox_registry_campaign_device_page(struct ox_tx *tx,
                                                          const struct ox_page *page,
                                                          struct ox_campaign_device_row **rows,
                                                          size_t *count, const char **next,
                                                          struct ox_err *err);

#endif
