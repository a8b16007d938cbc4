/* uses: control store registry */
/* What clients send as JSON bodies and as cursors, into each function of control that reads it, on
 * a registry with a device, a fleet and a model: whatever comes, it is done or refused, the
 * registry stays whole, and the answer can be written as JSON.
 *
 * The first byte of an input chooses the row, the rest is the body. To add a body: a row. */
#include "fuzz.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/base/json.h"
#include "oxide/control/campaign.h"
#include "oxide/control/device.h"
#include "oxide/control/fleet.h"
#include "oxide/control/list.h"
#include "oxide/control/model.h"
#include "oxide/registry/registry.h"
#include "oxide/store/store.h"

#include <stdio.h>
#include <sys/stat.h>

/* A control plane is set up anew after so many inputs that changed it. */
#define CHANGES_MAX 200

static struct {
    char dir[64];
    struct ox_store *store;
    struct ox_registry *registry;
    struct ox_control *control;
    unsigned changes;
} plane;

/* --- a control plane, without threads --- */

static int64_t fixed_ms(void *ctx)
{
    (void)ctx;
    return 1700000000000;
}

static void put(const char *text,
                enum ox_code (*run)(const json_t *body, json_t **out, struct ox_err *err))
{
    json_t *body = json_loads(text, 0, NULL);
    json_t *out = NULL;

    must(body != NULL && run(body, &out, NULL) == OX_OK);
    json_decref(out);
    json_decref(body);
}

static enum ox_code device(const json_t *body, json_t **out, struct ox_err *err)
{
    bool created = false;

    return ox_control_device_register(plane.control, body, &created, out, err);
}

static enum ox_code fleet(const json_t *body, json_t **out, struct ox_err *err)
{
    return ox_control_fleet_create(plane.control, body, out, err);
}

static void publish(const char *version, char fill)
{
    struct ox_publish *upload = NULL;
    json_t *out = NULL;
    bool created = false;
    char bytes[1000];

    memset(bytes, fill, sizeof(bytes));
    must(ox_control_publish_begin(plane.control, "m", version, sizeof(bytes), &upload, NULL) ==
         OX_OK);
    must(ox_control_publish_write(upload, bytes, sizeof(bytes), NULL) == OX_OK);
    must(ox_control_publish_finish(upload, &created, &out, NULL) == OX_OK);
    json_decref(out);
}

static void tear_down(void)
{
    if (plane.control != NULL) {
        ox_control_stop(plane.control);
        ox_control_free(plane.control);
        ox_registry_close(plane.registry);
        ox_store_close(plane.store);
        must(ox_remove_tree(plane.dir, NULL) == OX_OK);
        plane.control = NULL;
    }
}

static void set_up(void)
{
    static const struct ox_clock clock = {NULL, fixed_ms, fixed_ms};
    struct stat st;
    struct ox_control_options options = {.clock = &clock, .poll_interval_s = 30};
    char path[96];
    json_t *out = NULL;

    /* in memory where the system has such a folder: a sync of each commit would take all the time
     */
    (void)snprintf(plane.dir, sizeof(plane.dir), "%s/oxide-fuzz.XXXXXX",
                   stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(plane.dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/registry.db", plane.dir);
    must(ox_store_open_memory(&plane.store, NULL) == OX_OK);
    must(ox_registry_open(&plane.registry, path, NULL) == OX_OK);
    options.store = plane.store;
    options.registry = plane.registry;
    must(ox_control_new(&plane.control, &options, NULL) == OX_OK);
    plane.changes = 0;
    put("{\"id\":\"d1\",\"name\":\"One\",\"tags\":{\"site\":\"graz\"}}", device);
    put("{\"id\":\"d2\"}", device);
    put("{\"id\":\"f\"}", fleet);
    must(ox_control_fleet_add(plane.control, "f", "d1", &out, NULL) == OX_OK);
    json_decref(out);
    publish("v1", 'a');
    publish("v2", 'b');
}

/* --- bodies --- */

static enum ox_code deploy(const json_t *body, json_t **out, struct ox_err *err)
{
    return ox_control_fleet_deploy(plane.control, "f", body, out, err);
}

static enum ox_code campaign(const json_t *body, json_t **out, struct ox_err *err)
{
    return ox_control_campaign_create(plane.control, body, out, err);
}

static enum ox_code manifest(const json_t *body, json_t **out, struct ox_err *err)
{
    bool created = false;

    return ox_control_publish_manifest(plane.control, "m", "v3", body, &created, out, err);
}

static enum ox_code revert(const json_t *body, json_t **out, struct ox_err *err)
{
    return ox_control_model_revert(plane.control, "m", body, out, err);
}

static const struct {
    char letter;
    enum ox_code (*run)(const json_t *body, json_t **out, struct ox_err *err);
} bodies[] = {
    {'d', device}, {'f', fleet}, {'y', deploy}, {'c', campaign}, {'m', manifest}, {'r', revert},
};

/* A refusal is the client's fault, and says what it is. */
static void must_be_refusal(const struct ox_err *err)
{
    must(err->code == OX_EINVAL || err->code == OX_ENOTFOUND || err->code == OX_ECONFLICT ||
         err->code == OX_ETOOBIG || err->code == OX_EUNSUPPORTED);
    must(err->msg[0] != '\0');
}

static void must_be_answer(json_t *out)
{
    char *text = NULL;

    must(json_is_object(out));
    must(ox_json_text(out, &text, NULL) == OX_OK);
    free(text);
    json_decref(out);
}

static void send_body(size_t row, const uint8_t *data, size_t size)
{
    struct ox_err err = OX_ERR_INIT;
    json_t *body = NULL;
    json_t *out = NULL;

    if (ox_json_parse_object(data, size, &body, &err) != OX_OK) {
        must(err.code == OX_EINVAL);
        return;
    }
    if (bodies[row].run(body, &out, &err) == OX_OK) {
        must_be_answer(out);
        plane.changes++;
    } else {
        must_be_refusal(&err);
        must(out == NULL);
    }
    json_decref(body);
}

static void send_heartbeat(const uint8_t *data, size_t size)
{
    struct ox_err err = OX_ERR_INIT;
    char *text = NULL;

    if (ox_control_heartbeat(plane.control, "d1", NULL, data, size, &text, &err) == OX_OK) {
        json_t *answer = json_loads(text, 0, NULL);

        must_be_answer(answer);
        plane.changes++;
    } else {
        must_be_refusal(&err);
    }
    free(text);
}

/* --- lists --- */

static const struct {
    enum ox_code (*list)(struct ox_control *control, const struct ox_list_query *query,
                         json_t **rows, char **next, struct ox_err *err);
    const char *filter;
    const char *value;
} lists[] = {
    {ox_control_devices, "fleet", "f"},   {ox_control_fleets, NULL, NULL},
    {ox_control_models, NULL, NULL},      {ox_control_versions, "model", "m"},
    {ox_control_campaigns, "model", "m"}, {ox_control_jobs, NULL, NULL},
};

static void ask(size_t i, const struct ox_list_query *query)
{
    struct ox_err err = OX_ERR_INIT;
    json_t *rows = NULL;
    char *next = NULL;

    if (lists[i].list(plane.control, query, &rows, &next, &err) == OX_OK) {
        must(json_is_array(rows) && json_array_size(rows) <= query->limit);
    } else {
        must_be_refusal(&err);
    }
    json_decref(rows);
    free(next);
}

/* The text as a sort, as a cursor as it came, and as what a cursor is made of. */
static void send_query(char *text)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct ox_list_query query = {.limit = 3};

        if (lists[i].filter != NULL) {
            query.filters[0].name = lists[i].filter;
            query.filters[0].value = lists[i].value;
            query.filter_count = 1;
        }
        query.cursor = text;
        ask(i, &query);
        query.cursor = NULL;
        query.sort = text;
        ask(i, &query);
        if (query.filter_count == 1) {
            query.sort = NULL;
            query.filters[0].value = text;
            ask(i, &query);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0) {
        return 0;
    }
    if (plane.control == NULL || plane.changes >= CHANGES_MAX) {
        if (plane.control == NULL) {
            must(atexit(tear_down) == 0);
        }
        tear_down();
        set_up();
    }
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (bodies[i].letter == (char)data[0]) {
            send_body(i, data + 1, size - 1);
            return 0;
        }
    }
    if (data[0] == 'h') {
        send_heartbeat(data + 1, size - 1);
        return 0;
    }
    text = malloc(size);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    send_query(text);
    free(text);
    return 0;
}
