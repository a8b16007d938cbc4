/** A control plane in memory, a MODEL_DIR in a temporary folder, and an agent between them. */
#ifndef TESTS_AGENT_HELPERS_H
#define TESTS_AGENT_HELPERS_H

#include "../../../src/agent/recover.h"
#include "../../../src/agent/update.h"
#include "../net/fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MODEL_BYTES 300000
#define BLOBS_MAX 16
#define HEX_LEN 64

struct blob {
    char hex[OX_DIGEST_HEX_MAX];
    uint8_t *bytes;
    size_t len;
};

/* One version of the model "defect": a single file unless a test makes it otherwise. */
struct artifact {
    const char *version;
    struct ox_digest digest;
    struct ox_manifest files;
};

struct world {
    char dir[64];       /* temporary */
    char model_dir[96]; /* dir/models */
    struct fake_server server;
    struct fake_server mirror;
    struct ox_agent_options options;
    struct ox_stop stop;
    struct ox_agent agent; /* between open_agent and close_agent */
    bool is_open;

    struct blob blobs[BLOBS_MAX];
    size_t blob_count;
    struct artifact v1, v2, v3;
    struct ox_digest patch; /* from v1 to v2 */
    uint64_t patch_bytes;

    /* How the server behaves. */
    pthread_mutex_t lock;
    size_t cut_after; /* send so many bytes of a blob, then hang up; 0: all */
    int cuts;         /* how often */
    bool ignores_ranges;
    bool lies_about_range;
    int refuse_status;                  /* for blobs: this status; 0: serve them */
    char refuse_hex[OX_DIGEST_HEX_MAX]; /* only this blob; empty: all */
    const char *retry_after;            /* said with it; or NULL */
    bool mirror_is_wrong;               /* other bytes of the same length */
    size_t mirror_cut_after;            /* of which so many are sent; 0: all */
    char answer[16384];                 /* of a heartbeat */
    char more[256];                     /* fields of a heartbeat's answer: ",\"a\":1" */
    int beat_status;                    /* 0: 200 */
    bool beat_hangs;
    bool first_gen;

    /* What it saw. */
    int blob_requests;
    int refused;
    int ranged_requests;
    uint64_t blob_bytes;
    int mirror_requests;
    bool mirror_saw_device;
    int beats;
    char beat_body[16384]; /* the last one that had anything new to say */
    char brief_beat[256];  /* the last one that had not */
    char beat_path[1024];
    char first_beat[16384];
    char states[1024]; /* states reported, one after the other, each once per seq */
    char ends[256]; /* of updates that ended: how much progress is told depends on the time it took
                     */
    uint64_t last_seq;
    uint8_t scratch[MODEL_BYTES * 2];
};

int world_setup(void **state);
int world_teardown(void **state);
int world_setup_flat(void **state);
int world_setup_triton(void **state);
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

/** The same in each layout. */
#define WITH_LAYOUTS(test)                                                                         \
    {#test, test, world_setup, world_teardown, NULL},                                              \
        {#test " (flat)", test, world_setup_flat, world_teardown, NULL},                           \
    {                                                                                              \
#test " (triton)", test, world_setup_triton, world_teardown, NULL                          \
    }

/** Put bytes on the server; the digest is returned. */
struct ox_digest put_blob(struct world *world, const void *bytes, size_t len);

/** Open the agent and recover; *pending as ox_agent_recover has it. */
void open_agent(struct world *world, struct ox_journal *journal, bool *pending);
void close_agent(struct world *world);

/** The assignment of an artifact, with the patch from v1 if asked for. The journal is the caller's.
 */
struct ox_journal assign(struct world *world, const struct artifact *artifact, bool with_patch);

/** The assignment that takes an artifact away. The journal is the caller's. */
struct ox_journal unassign(struct world *world, const struct artifact *artifact);

/** Open an agent, run one update, close it. */
enum ox_code update_to(struct world *world, const struct artifact *artifact, bool with_patch,
                       struct ox_err *err);

/** Open an agent, run one removal, close it. */
enum ox_code remove_it(struct world *world, const struct artifact *artifact, struct ox_err *err);

/** Update to v1, which must do; what the server saw of it is forgotten. */
void install_v1(struct world *world);

/** Path below MODEL_DIR in fresh memory. */
char *at(const struct world *world, const char *relative);
bool exists(const struct world *world, const char *relative);
void write_file(const struct world *world, const char *relative, const char *text);
/** The file's text in fresh memory. */
char *read_text(const struct world *world, const char *relative);

/** Where consumers look for the active version of the model, below MODEL_DIR; NULL: they see
 *  nothing. In fresh memory. */
char *seen(const struct world *world);
/** The highest number in MODEL_DIR/defect; 0: there is none. */
unsigned highest_number(const struct world *world);
/** Is this version active, all its bytes right, and do consumers see it, and nothing else? */
bool is_active(const struct world *world, const struct artifact *artifact);
/** Is this folder there among the versions? */
bool has_version(const struct world *world, const char *folder);
void assert_no_litter(const struct world *world);
/** Is there a link NAME in the home of the model to versions/FOLDER? NULL: none at all. */
void assert_link(const struct world *world, const char *name, const char *folder);
/** The last report in the state on disk: "failed health", "complete", "complete patch". */
void assert_last_report(const struct world *world, const char *expected);
/** ... and by which way the files came, and how many bytes of them. */
void assert_last_way(const struct world *world, const char *strategy, uint64_t bytes_received);
/** ... and how many bytes of this origin. */
uint64_t last_bytes_from(const struct world *world, enum ox_origin origin);
uint64_t failures_of(const struct world *world, const struct artifact *artifact);

#endif
