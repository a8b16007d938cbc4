/* A control plane on a memory store, a database in a folder of its own, and a clock that tests
 * set; no threads: tests call the clockwork and the delta worker themselves. */
#ifndef TESTS_CONTROL_FIXTURE_H
#define TESTS_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/control/blob.h"
#include "oxide/control/campaign.h"
#include "oxide/control/device.h"
#include "oxide/control/fleet.h"
#include "oxide/control/list.h"
#include "oxide/control/model.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/device.h"
#include "oxide/registry/fleet.h"
#include "oxide/registry/job.h"
#include "oxide/registry/registry.h"
#include "oxide/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_BYTES ((size_t)300 * 1024)
#define READS "\"reads\":\"oxdl/2; ops=ffffffff, oxdl/1\""
#define AGENT "\"agent\":\"oxide/0.1.0\",\"protocol\":1," READS

struct fixture {
    char dir[64];
    char path[96];
    struct ox_store *store;
    struct ox_registry *registry;
    struct ox_clock clock;
    int64_t now_ms;
    uint64_t delta_wait_s;
    uint64_t events_keep; /* 0: the default */
    unsigned delta_effort; /* 0: the default */
    uint64_t jobs_max;
    uint64_t delta_cache_bytes;
    int64_t reimage_after_ms;
    int64_t history_kept_ms;
    bool accept_unknown;
    const char *const *blob_urls;
    size_t blob_urls_count;
    struct ox_control *control;
    char campaign[64]; /* the last one that was created */
};

int set_up(void **state);
int tear_down(void **state);
/* Start the control plane on the fixture's store and registry. */
void open_control(struct fixture *fixture);
/* End the control plane and start it anew on the same data. */
void restart(struct fixture *fixture);

/* A body as printf would write it, parsed. */
json_t *body(const char *fmt, ...) OX_PRINTF(1, 2);

/* Publish a file; `seed` makes the bytes, of which `changed` differ from those of changed 0. */
enum ox_code publish(struct fixture *fixture, const char *version, unsigned seed, size_t changed,
                     bool *created);
/* v1 and v2 of model m, which differ a little. */
void publish_two(struct fixture *fixture);
/* Digest of a version of model m, as 64 hex digits; static. */
const char *digest_hex(struct fixture *fixture, const char *version);

void device(struct fixture *fixture, const char *id);
void fleet(struct fixture *fixture, const char *id, size_t devices); /* devices d0, d1, ... */
/* Make a campaign of m@version to fleet f. */
void campaign(struct fixture *fixture, const char *version, const char *strategy);
/* The same with settings, the members of a JSON object. */
void campaign_with(struct fixture *fixture, const char *version, const char *settings);
void act(struct fixture *fixture, enum ox_campaign_action action, const char *state);

/* Send a heartbeat; the caller releases the answer. */
json_t *beat(struct fixture *fixture, const char *id, const char *fmt, ...) OX_PRINTF(3, 4);
/* Of the new generation, running m@version. */
json_t *beat_running(struct fixture *fixture, const char *id, const char *version);
/* A report of the new generation about m@v2 in the last campaign. */
json_t *beat_report(struct fixture *fixture, const char *id, unsigned seq, const char *report_state,
                    uint64_t bytes_received);

void make_deltas(struct fixture *fixture);
void tick(struct fixture *fixture, int64_t seconds);

/* A value in a document by a path of keys and indices, "a.b.0.c"; lent. */
const json_t *at(const json_t *json, const char *path);
const char *text_at(const json_t *json, const char *path);
int64_t number_at(const json_t *json, const char *path);

/* The last campaign as the API shows it, and the state of a device in it. */
json_t *show(struct fixture *fixture);
json_t *show_of(struct fixture *fixture, const char *campaign_id);
void assert_campaign(struct fixture *fixture, const char *path, const char *text);
int64_t campaign_number(struct fixture *fixture, const char *path);
void assert_device_state(struct fixture *fixture, const char *id, const char *text);

/* --- campaigns under way --- */

/* A fleet of devices that run v1, with the deltas to v2 made. */
void ready(struct fixture *fixture, size_t devices);
/* A device joins the fleet, and runs v1. */
void join(struct fixture *fixture, const char *id);
/* Is it told of an assignment when it says that it runs this? */
bool is_told(struct fixture *fixture, const char *id, const char *version);
/* Of devices d0, d1, ... that say that they run v1. */
size_t told_count(struct fixture *fixture, size_t devices);
/* It reports this of v2 in the last campaign, with an error of this code; or that it runs it. */
void report(struct fixture *fixture, const char *id, unsigned seq, const char *state,
            const char *code);
void complete(struct fixture *fixture, const char *id, unsigned seq);
/* Take the campaign that was made last of all as the fixture's. */
void take_newest(struct fixture *fixture);

#endif
