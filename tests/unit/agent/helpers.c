#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"
#include "oxide/crypto/sha256.h"
#include "oxide/delta/delta.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the control plane --- */

static const struct blob *find_blob(const struct world *world, const char *path)
{
    const char *hex = strrchr(path, '/');

    for (size_t i = 0; hex != NULL && i < world->blob_count; i++) {
        if (strcmp(world->blobs[i].hex, hex + 1) == 0) {
            return &world->blobs[i];
        }
    }
    return NULL;
}

static void say_later(const struct world *world, struct fake_answer *answer)
{
    if (world->retry_after != NULL) {
        (void)snprintf(answer->headers, sizeof(answer->headers), "Retry-After: %s\r\n",
                       world->retry_after);
    }
}

static void serve_blob(struct world *world, const struct blob *blob, bool ranges,
                       const struct fake_request *request, struct fake_answer *answer)
{
    char *range = ranges ? fake_header(request, "Range") : NULL;
    size_t from = range == NULL ? 0 : (size_t)strtoull(range + strlen("bytes="), NULL, 10);

    answer->body = blob->bytes + from;
    answer->body_len = blob->len - from;
    if (range != NULL) {
        world->ranged_requests++;
        answer->status = 206;
        (void)snprintf(answer->headers, sizeof(answer->headers),
                       "Content-Range: bytes %zu-%zu/%zu\r\n",
                       from + (world->lies_about_range ? 1 : 0), blob->len - 1, blob->len);
    }
    if (world->cut_after > 0 && world->cuts > 0) {
        world->cuts--;
        answer->send_len = world->cut_after;
    }
    world->blob_bytes += answer->send_len < answer->body_len ? answer->send_len : answer->body_len;
    free(range);
}

static void add_word(char *text, size_t cap, const char *word)
{
    size_t used = strlen(text);

    (void)snprintf(text + used, cap - used, "%s%s", used == 0 ? "" : " ", word);
}

/* Remember what a heartbeat reports. */
static void note_reports(struct world *world, const struct fake_request *request)
{
    struct ox_heartbeat heartbeat = {0};

    assert_int_equal(ox_heartbeat_parse(request->body, request->body_len, &heartbeat, NULL), OX_OK);
    for (size_t i = 0; i < heartbeat.reports_count; i++) {
        const struct ox_device_report *report = &heartbeat.reports[i];

        if (report->seq > world->last_seq) {
            world->last_seq = report->seq;
            add_word(world->states, sizeof(world->states), ox_rollout_state_word(report->state));
            if (report->state >= OX_ROLLOUT_COMPLETE) {
                add_word(world->ends, sizeof(world->ends), ox_rollout_state_word(report->state));
            }
        }
    }
    ox_heartbeat_clear(&heartbeat);
}

static void serve_beat(struct world *world, const struct fake_request *request,
                       struct fake_answer *answer)
{
    world->beats++;
    if (world->beats == 1) {
        (void)snprintf(world->first_beat, sizeof(world->first_beat), "%s",
                       (const char *)request->body);
    }
    if (strstr((const char *)request->body, "\"status\"") != NULL) {
        (void)snprintf(world->beat_body, sizeof(world->beat_body), "%s",
                       (const char *)request->body);
    } else {
        (void)snprintf(world->brief_beat, sizeof(world->brief_beat), "%s",
                       (const char *)request->body);
    }
    (void)snprintf(world->beat_path, sizeof(world->beat_path), "%s", request->path);
    answer->status = world->beat_status == 0 ? 200 : world->beat_status;
    answer->hang = world->beat_hangs;
    say_later(world, answer);
    note_reports(world, request);
    if (world->first_gen) {
        (void)snprintf((char *)world->scratch, sizeof(world->scratch), "{\"status\":\"ok\"%s}",
                       world->answer);
    } else {
        (void)snprintf((char *)world->scratch, sizeof(world->scratch),
                       "{\"status\":\"ok\",\"assignments\":[%s],\"reports_ack\":%" PRIu64 "%s}",
                       world->answer, world->last_seq, world->more);
    }
    answer->body = world->scratch;
    answer->body_len = strlen((const char *)world->scratch);
}

/* GET /api/v1/models/defect/versions/v2/meta and /download of the first generation. */
static void serve_first_gen(struct world *world, const struct fake_request *request,
                            struct fake_answer *answer)
{
    char hex[OX_DIGEST_HEX_MAX];
    char *base = fake_header(request, "X-Oxide-Base-Version");
    struct artifact *artifact =
        strstr(request->path, "/versions/v1/") != NULL ? &world->v1 : &world->v2;
    char name[80];

    ox_digest_hex(&artifact->digest, hex);
    if (strstr(request->path, "/meta") != NULL) {
        (void)snprintf((char *)world->scratch, sizeof(world->scratch),
                       "{\"model_id\":\"defect\",\"version\":\"%s\",\"sha256\":\"%s\","
                       "\"size_bytes\":%d}",
                       artifact->version, hex, MODEL_BYTES);
        answer->body = world->scratch;
        answer->body_len = strlen((const char *)world->scratch);
    } else {
        if (base != NULL && strcmp(base, "v1") == 0 && artifact == &world->v2) {
            ox_digest_hex(&world->patch, hex);
            (void)snprintf(answer->headers, sizeof(answer->headers),
                           "Content-Type: application/x-oxide-delta\r\n");
        }
        (void)snprintf(name, sizeof(name), "/%s", hex);
        serve_blob(world, find_blob(world, name), false, request, answer);
    }
    free(base);
}

static void handle(void *ctx, const struct fake_request *request, struct fake_answer *answer)
{
    struct world *world = ctx;
    const struct blob *blob;

    (void)pthread_mutex_lock(&world->lock);
    blob = find_blob(world, request->path);
    if (strstr(request->path, "/heartbeat") != NULL) {
        serve_beat(world, request, answer);
    } else if (strstr(request->path, "/models/") != NULL) {
        serve_first_gen(world, request, answer);
    } else if (blob == NULL) {
        answer->status = 404;
    } else if (world->refuse_status != 0 &&
               (world->refuse_hex[0] == '\0' || strcmp(world->refuse_hex, blob->hex) == 0)) {
        answer->status = world->refuse_status;
        world->refused++;
        say_later(world, answer);
    } else {
        world->blob_requests++;
        serve_blob(world, blob, !world->ignores_ranges, request, answer);
    }
    (void)pthread_mutex_unlock(&world->lock);
}

static void handle_mirror(void *ctx, const struct fake_request *request, struct fake_answer *answer)
{
    struct world *world = ctx;
    const struct blob *blob;
    char *device = fake_header(request, "X-Oxide-Device");

    (void)pthread_mutex_lock(&world->lock);
    blob = find_blob(world, request->path);
    world->mirror_requests++;
    world->mirror_saw_device = world->mirror_saw_device || device != NULL;
    if (blob == NULL) {
        answer->status = 404;
    } else if (world->mirror_is_wrong) {
        memset(world->scratch, 7, blob->len);
        answer->body = world->scratch;
        answer->body_len = blob->len;
        answer->send_len = world->mirror_cut_after == 0 ? blob->len : world->mirror_cut_after;
    } else {
        answer->body = blob->bytes;
        answer->body_len = blob->len;
    }
    (void)pthread_mutex_unlock(&world->lock);
    free(device);
}

struct ox_digest put_blob(struct world *world, const void *bytes, size_t len)
{
    struct blob *blob = &world->blobs[world->blob_count++];
    struct ox_digest digest;

    assert_true(world->blob_count <= BLOBS_MAX);
    blob->bytes = malloc(len == 0 ? 1 : len);
    assert_non_null(blob->bytes);
    memcpy(blob->bytes, bytes, len);
    blob->len = len;
    assert_int_equal(ox_sha256_bytes(bytes, len, &digest, NULL), OX_OK);
    ox_digest_hex(&digest, blob->hex);
    return digest;
}

static enum ox_code append(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_buf_append(ctx, bytes, len_bytes, err);
}

static void make_version(struct world *world, struct artifact *artifact, const char *version,
                         const uint8_t *bytes)
{
    artifact->version = version;
    artifact->digest = put_blob(world, bytes, MODEL_BYTES);
    assert_int_equal(
        ox_manifest_single(&artifact->files, "model.bin", MODEL_BYTES, &artifact->digest, NULL),
        OX_OK);
}

static void make_patch(struct world *world, const uint8_t *base, const uint8_t *target)
{
    struct ox_memory memories[2] = {{base, MODEL_BYTES}, {target, MODEL_BYTES}};
    struct ox_source sources[2] = {ox_memory_source(&memories[0]), ox_memory_source(&memories[1])};
    const struct ox_delta_side sides[2] = {{&world->v1.files, &sources[0], world->v1.digest},
                                           {&world->v2.files, &sources[1], world->v2.digest}};
    struct ox_buf buf = OX_BUF_INIT;
    const struct ox_output out = {&buf, append};

    assert_int_equal(ox_delta_create(&sides[0], &sides[1], &(struct ox_delta_options){.threads = 1},
                                     &out, NULL, NULL),
                     OX_OK);
    world->patch = put_blob(world, buf.data, buf.len_bytes);
    world->patch_bytes = buf.len_bytes;
    assert_true(world->patch_bytes < MODEL_BYTES / 2);
    ox_buf_clear(&buf);
}

int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    const char *tmp = getenv("TMPDIR");
    uint8_t *bytes = malloc(MODEL_BYTES);
    uint8_t *other = malloc(MODEL_BYTES);
    struct ox_rng rng;

    assert_non_null(world);
    assert_true(bytes != NULL && other != NULL);
    (void)snprintf(world->dir, sizeof(world->dir), "%.40s/oxide-agent-XXXXXX",
                   tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(world->dir));
    (void)snprintf(world->model_dir, sizeof(world->model_dir), "%s/models", world->dir);
    (void)pthread_mutex_init(&world->lock, NULL);
    assert_int_equal(ox_stop_init(&world->stop, NULL), OX_OK);
    ox_rng_init(&rng, 1);
    for (size_t i = 0; i < MODEL_BYTES; i++) {
        bytes[i] = (uint8_t)ox_rng_u64(&rng);
    }
    memcpy(other, bytes, MODEL_BYTES);
    memset(other + 1000, 0x55, 5000);
    make_version(world, &world->v1, "v1", bytes);
    make_version(world, &world->v2, "v2", other);
    make_patch(world, bytes, other);
    memset(other, 0x33, MODEL_BYTES);
    make_version(world, &world->v3, "v3", other);
    free(bytes);
    free(other);
    fake_server_start(&world->server, handle, world);
    fake_server_start(&world->mirror, handle_mirror, world);
    world->options = (struct ox_agent_options){
        .control_plane = world->server.url,
        .device_id = "cam-01",
        .agent = "oxide/test",
        .model_dir = world->model_dir,
        .tuning = {.poll_ms = 50, .all = {.health_timeout_ms = 5000, .keep = 1}}};
    *state = world;
    return 0;
}

int world_setup_flat(void **state)
{
    int failed = world_setup(state);

    ((struct world *)*state)->options.tuning.all.layout = OX_MODEL_FLAT;
    return failed;
}

int world_setup_triton(void **state)
{
    int failed = world_setup(state);

    ((struct world *)*state)->options.tuning.all.layout = OX_MODEL_TRITON;
    return failed;
}

int world_teardown(void **state)
{
    struct world *world = *state;

    if (world->is_open) {
        close_agent(world);
    }
    fake_server_stop(&world->server);
    fake_server_stop(&world->mirror);
    assert_int_equal(ox_remove_tree(world->dir, NULL), OX_OK);
    for (size_t i = 0; i < world->blob_count; i++) {
        free(world->blobs[i].bytes);
    }
    ox_manifest_clear(&world->v1.files);
    ox_manifest_clear(&world->v2.files);
    ox_manifest_clear(&world->v3.files);
    ox_stop_clear(&world->stop);
    (void)pthread_mutex_destroy(&world->lock);
    free(world);
    return 0;
}

/* --- the agent --- */

void open_agent(struct world *world, struct ox_journal *journal, bool *pending)
{
    struct ox_err err = OX_ERR_INIT;

    if (ox_agent_open(&world->agent, &world->options, &world->stop, NULL, &err) != OX_OK) {
        fail_msg("open: %s", err.msg);
    }
    world->is_open = true;
    if (ox_agent_recover(&world->agent, journal, pending, &err) != OX_OK) {
        fail_msg("recover: %s", err.msg);
    }
}

void close_agent(struct world *world)
{
    ox_agent_close(&world->agent);
    world->is_open = false;
}

struct ox_journal assign(struct world *world, const struct artifact *artifact, bool with_patch)
{
    struct ox_journal journal = {.attempt = world->agent.state.last_attempt + 1};
    struct ox_assignment *assignment = &journal.assignment;

    assignment->digest = artifact->digest;
    assert_int_equal(ox_strdup(&assignment->campaign_id, "c1", NULL), OX_OK);
    assert_int_equal(ox_strdup(&assignment->model_id, "defect", NULL), OX_OK);
    assert_int_equal(ox_strdup(&assignment->version, artifact->version, NULL), OX_OK);
    assert_int_equal(ox_manifest_copy(&assignment->files, &artifact->files, NULL), OX_OK);
    if (with_patch) {
        assignment->base_present = true;
        assignment->base_digest = world->v1.digest;
        assignment->patch.present = true;
        assignment->patch.sha256 = world->patch;
        assignment->patch.size_bytes = world->patch_bytes;
        assert_int_equal(ox_strdup(&assignment->base_version, "v1", NULL), OX_OK);
        assert_int_equal(ox_strdup(&assignment->patch.format, "oxdl/2", NULL), OX_OK);
    }
    return journal;
}

struct ox_journal unassign(struct world *world, const struct artifact *artifact)
{
    struct ox_journal journal = assign(world, artifact, false);

    journal.assignment.remove = true;
    ox_manifest_clear(&journal.assignment.files);
    return journal;
}

enum ox_code update_to(struct world *world, const struct artifact *artifact, bool with_patch,
                       struct ox_err *err)
{
    struct ox_journal found = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    bool pending = false;
    enum ox_code code;

    open_agent(world, &found, &pending);
    assert_false(pending);
    ox_journal_clear(&found);
    journal = assign(world, artifact, with_patch);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    code = ox_update_run(update, err);
    ox_update_free(update);
    close_agent(world);
    return code;
}

enum ox_code remove_it(struct world *world, const struct artifact *artifact, struct ox_err *err)
{
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    bool pending;
    enum ox_code code;

    open_agent(world, &none, &pending);
    journal = unassign(world, artifact);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    code = ox_update_run(update, err);
    ox_update_free(update);
    close_agent(world);
    return code;
}

void install_v1(struct world *world)
{
    struct ox_err err = OX_ERR_INIT;

    if (update_to(world, &world->v1, false, &err) != OX_OK) {
        fail_msg("installing v1: %s", err.msg);
    }
    assert_true(is_active(world, &world->v1));
    world->blob_requests = 0;
    world->blob_bytes = 0;
}

/* --- looking at the disk --- */

char *at(const struct world *world, const char *relative)
{
    char *path = NULL;

    assert_int_equal(ox_path_join(&path, world->model_dir, relative, NULL), OX_OK);
    return path;
}

bool exists(const struct world *world, const char *relative)
{
    char *path = at(world, relative);
    bool there = ox_path_exists(path);

    free(path);
    return there;
}

void write_file(const struct world *world, const char *relative, const char *text)
{
    char *path = at(world, relative);
    FILE *file;

    (void)chmod(path, 0644); /* files of models may not be written to */
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    free(path);
}

char *read_text(const struct world *world, const char *relative)
{
    char *path = at(world, relative);
    struct ox_buf buf = OX_BUF_INIT;

    assert_int_equal(ox_file_read_all(path, 1 << 20, &buf, NULL), OX_OK);
    free(path);
    return (char *)buf.data;
}

static const char *home(const struct world *world)
{
    return world->options.tuning.all.layout == OX_MODEL_VERSIONS ? "defect" : ".kept/defect";
}

unsigned highest_number(const struct world *world)
{
    char *path = at(world, "defect");
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned highest = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        unsigned number = (unsigned)strtoul(entry->d_name, NULL, 10);

        highest = number > highest ? number : highest;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    free(path);
    return highest;
}

char *seen(const struct world *world)
{
    char *relative = NULL;
    char *path;
    struct stat st;

    switch (world->options.tuning.all.layout) {
    case OX_MODEL_FLAT:
        assert_int_equal(ox_strf(&relative, NULL, "defect"), OX_OK);
        break;
    case OX_MODEL_TRITON:
        assert_int_equal(ox_strf(&relative, NULL, "defect/%u", highest_number(world)), OX_OK);
        break;
    default:
        assert_int_equal(ox_strf(&relative, NULL, "defect/current"), OX_OK);
    }
    path = at(world, relative);
    if (stat(path, &st) != 0) {
        free(relative);
        relative = NULL;
    }
    free(path);
    return relative;
}

bool has_version(const struct world *world, const char *folder)
{
    char *relative = NULL;
    bool has;

    assert_int_equal(ox_strf(&relative, NULL, "%s/versions/%s", home(world), folder), OX_OK);
    has = exists(world, relative);
    free(relative);
    return has;
}

static int count_files(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (dir == NULL) {
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        char *inner = NULL;

        if (entry->d_name[0] != '.') {
            assert_int_equal(ox_path_join(&inner, path, entry->d_name, NULL), OX_OK);
            count += count_files(inner);
            free(inner);
        }
    }
    (void)closedir(dir);
    return count;
}

bool is_active(const struct world *world, const struct artifact *artifact)
{
    char *folder = seen(world);
    char *folder_path = folder == NULL ? NULL : at(world, folder);
    bool right = folder != NULL && count_files(folder_path) == (int)artifact->files.count;

    free(folder_path);
    for (size_t i = 0; right && i < artifact->files.count; i++) {
        const struct ox_manifest_file *file = &artifact->files.files[i];
        struct ox_digest digest;
        char *relative = NULL;
        char *path;

        assert_int_equal(ox_strf(&relative, NULL, "%s/%s", folder, file->path), OX_OK);
        path = at(world, relative);
        right = right && ox_sha256_file(path, &digest, NULL, NULL) == OX_OK &&
                ox_digest_equal(&digest, &file->sha256);
        free(path);
        free(relative);
    }
    free(folder);
    return right;
}

void assert_no_litter(const struct world *world)
{
    char *download = at(world, ".oxide/download");

    assert_false(exists(world, ".oxide/staging"));
    assert_false(exists(world, ".oxide/fresh"));
    assert_false(exists(world, ".oxide/gone"));
    assert_false(exists(world, ".oxide/journal.json"));
    assert_int_equal(rmdir(download), 0); /* empty */
    assert_int_equal(mkdir(download, 0700), 0);
    free(download);
}

void assert_link(const struct world *world, const char *name, const char *folder)
{
    char *model = at(world, home(world));
    char *found = NULL;

    assert_int_equal(ox_folders_link(model, name, &found, NULL), OX_OK);
    if (folder == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, folder);
    }
    free(found);
    free(model);
}

static void load_state(const struct world *world, struct ox_agent_state *out)
{
    char *path = at(world, ".oxide/state.json");

    assert_int_equal(ox_state_load(out, path, NULL), OX_OK);
    free(path);
}

void assert_last_report(const struct world *world, const char *expected)
{
    struct ox_agent_state state;
    const struct ox_device_report *report;
    char text[128];

    load_state(world, &state);
    assert_true(state.reports_count > 0);
    report = &state.reports[state.reports_count - 1];
    (void)snprintf(text, sizeof(text), "%s%s%s", ox_rollout_state_word(report->state),
                   report->error_code == NULL ? "" : " ",
                   report->error_code == NULL ? "" : report->error_code);
    assert_string_equal(text, expected);
    ox_state_clear(&state);
}

void assert_last_way(const struct world *world, const char *strategy, uint64_t bytes_received)
{
    struct ox_agent_state state;
    const struct ox_device_report *report;

    load_state(world, &state);
    assert_true(state.reports_count > 0);
    report = &state.reports[state.reports_count - 1];
    assert_non_null(report->strategy);
    assert_string_equal(report->strategy, strategy);
    assert_int_equal(report->bytes_received, bytes_received);
    assert_non_null(json_object_get(report->stages_ms, "preflight"));
    ox_state_clear(&state);
}

uint64_t last_bytes_from(const struct world *world, enum ox_origin origin)
{
    struct ox_agent_state state;
    uint64_t bytes;

    load_state(world, &state);
    assert_true(state.reports_count > 0);
    bytes = state.reports[state.reports_count - 1].origins[origin];
    ox_state_clear(&state);
    return bytes;
}

uint64_t failures_of(const struct world *world, const struct artifact *artifact)
{
    struct ox_assignment assignment = {.model_id = (char *)"defect",
                                       .version = (char *)artifact->version,
                                       .digest = artifact->digest};
    struct ox_agent_state state;
    uint64_t failures;

    load_state(world, &state);
    failures = ox_state_failures(&state, &assignment);
    ox_state_clear(&state);
    return failures;
}
