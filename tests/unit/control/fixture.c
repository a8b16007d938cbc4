#include "fixture.h"

#include "oxide/base/file.h"
#include "oxide/base/random.h"

#include <unistd.h>

static int64_t clock_now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

void open_control(struct fixture *fixture)
{
    const struct ox_control_options options = {
        .store = fixture->store,
        .registry = fixture->registry,
        .clock = &fixture->clock,
        .delta_workers = 1,
        .delta_wait_s = fixture->delta_wait_s,
        .events_keep = fixture->events_keep,
        .delta_effort = fixture->delta_effort,
        .jobs_max = fixture->jobs_max,
        .delta_cache_bytes = fixture->delta_cache_bytes,
        .reimage_after_ms = fixture->reimage_after_ms,
        .history_kept_ms = fixture->history_kept_ms,
        .accept_unknown = fixture->accept_unknown,
        .poll_interval_s = 30,
        .blob_urls = fixture->blob_urls,
        .blob_urls_count = fixture->blob_urls_count,
    };

    assert_int_equal(ox_control_new(&fixture->control, &options, NULL), OX_OK);
}

int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-control.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->dir);
    fixture->clock = (struct ox_clock){fixture, clock_now, clock_now};
    fixture->now_ms = 1700000000000;
    fixture->delta_wait_s = 600;
    assert_int_equal(ox_store_open_memory(&fixture->store, NULL), OX_OK);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    open_control(fixture);
    *state = fixture;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_control_stop(fixture->control);
    ox_control_free(fixture->control);
    ox_registry_close(fixture->registry);
    ox_store_close(fixture->store);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture);
    return 0;
}

void restart(struct fixture *fixture)
{
    ox_control_stop(fixture->control);
    ox_control_free(fixture->control);
    ox_registry_close(fixture->registry);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    open_control(fixture);
}

static json_t *parse(const char *text)
{
    json_t *json = NULL;

    assert_int_equal(ox_json_parse(text, strlen(text), &json, NULL), OX_OK);
    return json;
}

json_t *body(const char *fmt, ...)
{
    char text[4096];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return parse(text);
}

enum ox_code publish(struct fixture *fixture, const char *version, unsigned seed, size_t changed,
                     bool *created)
{
    struct ox_publish *upload = NULL;
    json_t *out = NULL;
    uint8_t *bytes = malloc(MODEL_BYTES);
    struct ox_rng rng;
    enum ox_code code;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < MODEL_BYTES; i++) {
        bytes[i] = (uint8_t)ox_rng_u64(&rng);
    }
    for (size_t i = 0; i < changed; i++) {
        bytes[i * (MODEL_BYTES / changed)] ^= 0x55;
    }
    assert_int_equal(
        ox_control_publish_begin(fixture->control, "m", version, MODEL_BYTES, &upload, NULL),
        OX_OK);
    assert_int_equal(ox_control_publish_write(upload, bytes, MODEL_BYTES, NULL), OX_OK);
    code = ox_control_publish_finish(upload, created, &out, NULL);
    json_decref(out);
    free(bytes);
    return code;
}

void publish_two(struct fixture *fixture)
{
    bool created = false;

    assert_int_equal(publish(fixture, "v1", 1, 0, &created), OX_OK);
    assert_int_equal(publish(fixture, "v2", 1, 10, &created), OX_OK);
}

const char *digest_hex(struct fixture *fixture, const char *version)
{
    static char hex[OX_DIGEST_HEX_MAX];
    json_t *out = NULL;

    assert_int_equal(ox_control_version(fixture->control, "m", version, &out, NULL), OX_OK);
    (void)snprintf(hex, sizeof(hex), "%s", text_at(out, "sha256"));
    json_decref(out);
    return hex;
}

void device(struct fixture *fixture, const char *id)
{
    json_t *in = body("{\"id\":\"%s\",\"name\":\"Device\"}", id);
    json_t *out = NULL;
    bool created = false;

    assert_int_equal(ox_control_device_register(fixture->control, in, &created, &out, NULL), OX_OK);
    json_decref(in);
    json_decref(out);
}

void fleet(struct fixture *fixture, const char *id, size_t devices)
{
    json_t *in = body("{\"id\":\"%s\",\"name\":\"Fleet\"}", id);
    json_t *out = NULL;

    assert_int_equal(ox_control_fleet_create(fixture->control, in, &out, NULL), OX_OK);
    json_decref(out);
    for (size_t i = 0; i < devices; i++) {
        char device_id[32];

        (void)snprintf(device_id, sizeof(device_id), "d%zu", i);
        device(fixture, device_id);
        assert_int_equal(ox_control_fleet_add(fixture->control, id, device_id, &out, NULL), OX_OK);
        json_decref(out);
    }
    json_decref(in);
}

void campaign_with(struct fixture *fixture, const char *version, const char *settings)
{
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"%s\",\"fleet_id\":\"f\",%s}",
                      version, settings);
    json_t *out = NULL;
    struct ox_err err = OX_ERR_INIT;

    if (ox_control_campaign_create(fixture->control, in, &out, &err) != OX_OK) {
        fail_msg("%s: %s", settings, err.msg);
    }
    (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s", text_at(out, "campaign_id"));
    json_decref(in);
    json_decref(out);
}

void campaign(struct fixture *fixture, const char *version, const char *strategy)
{
    char settings[64];

    (void)snprintf(settings, sizeof(settings), "\"strategy\":\"%s\"", strategy);
    campaign_with(fixture, version, settings);
}

void act(struct fixture *fixture, enum ox_campaign_action action, const char *state)
{
    json_t *out = NULL;

    assert_int_equal(
        ox_control_campaign_act(fixture->control, fixture->campaign, action, &out, NULL), OX_OK);
    assert_string_equal(text_at(out, "state"), state);
    json_decref(out);
}

json_t *beat(struct fixture *fixture, const char *id, const char *fmt, ...)
{
    char text[4096];
    char *answer = NULL;
    json_t *json;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    assert_int_equal(
        ox_control_heartbeat(fixture->control, id, "10.0.0.7", text, strlen(text), &answer, NULL),
        OX_OK);
    json = parse(answer);
    free(answer);
    return json;
}

json_t *beat_running(struct fixture *fixture, const char *id, const char *version)
{
    return beat(fixture, id,
                "{" AGENT ",\"status\":\"online\",\"models\":[{\"id\":\"m\",\"version\":\"%s\","
                "\"digest\":\"%s\"}]}",
                version, digest_hex(fixture, version));
}

json_t *beat_report(struct fixture *fixture, const char *id, unsigned seq, const char *report_state,
                    uint64_t bytes_received)
{
    return beat(fixture, id,
                "{" AGENT ",\"reports\":[{\"seq\":%u,\"campaign_id\":\"%s\",\"model_id\":\"m\","
                "\"model_version\":\"v2\",\"state\":\"%s\",\"strategy\":\"delta\","
                "\"bytes_received\":%llu,\"bytes_full\":%zu,\"error\":{\"code\":\"health\","
                "\"message\":\"it said no\"}}]}",
                seq, fixture->campaign, report_state, (unsigned long long)bytes_received,
                MODEL_BYTES);
}

void make_deltas(struct fixture *fixture)
{
    bool made = true;

    while (made) {
        assert_int_equal(ox_control_make_delta(fixture->control, &made, NULL), OX_OK);
    }
}

void tick(struct fixture *fixture, int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i += 10) {
        fixture->now_ms += 10000;
        assert_int_equal(ox_control_tick(fixture->control, false, NULL), OX_OK);
    }
}

const json_t *at(const json_t *json, const char *path)
{
    while (json != NULL && *path != '\0') {
        char key[64];
        size_t len = strcspn(path, ".");

        (void)snprintf(key, sizeof(key), "%.*s", (int)len, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key))
                                   : json_object_get(json, key);
        path += len + (path[len] == '.');
    }
    return json;
}

const char *text_at(const json_t *json, const char *path)
{
    const char *text = json_string_value(at(json, path));

    if (text == NULL) {
        fail_msg("no text at %s", path);
    }
    return text;
}

int64_t number_at(const json_t *json, const char *path)
{
    if (!json_is_integer(at(json, path))) {
        fail_msg("no number at %s", path);
    }
    return json_integer_value(at(json, path));
}

json_t *show_of(struct fixture *fixture, const char *campaign_id)
{
    const struct ox_list_query query = {
        .limit = 1000, .filters = {{"campaign", campaign_id}}, .filter_count = 1};
    json_t *out = NULL;
    json_t *devices = NULL;
    char *next = NULL;

    assert_int_equal(ox_control_campaign(fixture->control, campaign_id, &out, NULL), OX_OK);
    assert_int_equal(ox_control_campaign_devices(fixture->control, &query, &devices, &next, NULL),
                     OX_OK);
    assert_null(next);
    assert_int_equal(json_object_set_new(out, "devices", devices), 0);
    return out;
}

json_t *show(struct fixture *fixture)
{
    return show_of(fixture, fixture->campaign);
}

void assert_campaign(struct fixture *fixture, const char *path, const char *text)
{
    json_t *json = show(fixture);

    assert_string_equal(text_at(json, path), text);
    json_decref(json);
}

int64_t campaign_number(struct fixture *fixture, const char *path)
{
    json_t *json = show(fixture);
    int64_t number = number_at(json, path);

    json_decref(json);
    return number;
}

void assert_device_state(struct fixture *fixture, const char *id, const char *text)
{
    json_t *json = show(fixture);
    const json_t *devices = at(json, "devices");
    bool found = false;

    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *row = json_array_get(devices, i);

        if (strcmp(text_at(row, "device_id"), id) == 0) {
            assert_string_equal(text_at(row, "state"), text);
            found = true;
        }
    }
    assert_true(found);
    json_decref(json);
}

/* --- campaigns under way --- */

/* A fleet of devices that run v1, with the deltas to v2 made. */
void ready(struct fixture *fixture, size_t devices)
{
    publish_two(fixture);
    fleet(fixture, "f", devices);
    for (size_t i = 0; i < devices; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        json_decref(beat_running(fixture, id, "v1"));
    }
    campaign(fixture, "v2", "all_at_once");
    make_deltas(fixture);
    act(fixture, OX_ACTION_ABORT, "aborted");
}

bool is_told(struct fixture *fixture, const char *id, const char *version)
{
    json_t *answer = beat_running(fixture, id, version);
    bool told = json_array_size(at(answer, "assignments")) > 0;

    json_decref(answer);
    return told;
}

size_t told_count(struct fixture *fixture, size_t devices)
{
    size_t count = 0;

    for (size_t i = 0; i < devices; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        count += is_told(fixture, id, "v1");
    }
    return count;
}

void report(struct fixture *fixture, const char *id, unsigned seq, const char *state,
            const char *code)
{
    json_decref(beat(fixture, id,
                     "{" AGENT ",\"reports\":[{\"seq\":%u,\"campaign_id\":\"%s\",\"model_id\":"
                     "\"m\",\"model_version\":\"v2\",\"state\":\"%s\",\"error\":{\"code\":\"%s\","
                     "\"message\":\"it said so\"}}]}",
                     seq, fixture->campaign, state, code));
}

void complete(struct fixture *fixture, const char *id, unsigned seq)
{
    json_decref(beat(fixture, id,
                     "{" AGENT
                     ",\"status\":\"online\",\"models\":[{\"id\":\"m\",\"version\":\"v2\","
                     "\"digest\":\"%s\"}],\"reports\":[{\"seq\":%u,\"campaign_id\":\"%s\","
                     "\"model_id\":\"m\",\"model_version\":\"v2\",\"state\":\"complete\","
                     "\"strategy\":\"delta\"}]}",
                     digest_hex(fixture, "v2"), seq, fixture->campaign));
}

/* The campaign that was made last of all. */
void take_newest(struct fixture *fixture)
{
    struct ox_campaign_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_campaigns(&tx, false, &rows, &count, NULL), OX_OK);
    (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s", rows[count - 1].id);
    ox_registry_end(&tx);
}

void join(struct fixture *fixture, const char *id)
{
    json_t *out = NULL;

    device(fixture, id);
    json_decref(beat_running(fixture, id, "v1"));
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", id, &out, NULL), OX_OK);
    json_decref(out);
    tick(fixture, 20);
}
