/* One device as a page. */
#include "args.h"
#include "client.h"
#include "human.h"
#include "table.h"

#include "oxide/base/clock.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "12.0 s ago (2026-11-20T13:05:07.123Z)"; the time alone where our clock is behind the server's.
 */
static const char *ago_text(const char *time, char out[2 * OX_HUMAN_MAX])
{
    char duration[OX_HUMAN_MAX];
    int64_t then_ms = 0;
    int64_t now_ms = ox_clock_system()->wall_ms(NULL);

    if (time == NULL) {
        return NULL;
    }
    if (ox_time_parse(time, &then_ms, NULL) != OX_OK || then_ms > now_ms) {
        (void)snprintf(out, 2 * OX_HUMAN_MAX, "%.60s", time);
    } else {
        (void)snprintf(out, 2 * OX_HUMAN_MAX, "%s ago (%.60s)",
                       ox_human_duration((uint64_t)(now_ms - then_ms), duration), time);
    }
    return out;
}

static void row(struct ox_table *table, const char *what, const char *text)
{
    ox_table_cell(table, what);
    ox_table_cell(table, text);
}

/* Names of an array, or key=value of an object of strings: "a, b", "site=graz, floor=2". */
static void list_row(struct ox_table *table, const char *what, const json_t *list)
{
    struct ox_buf text = OX_BUF_INIT;
    enum ox_code code = OX_OK;
    json_t *value;
    const char *key;
    size_t i;

    json_array_foreach(list, i, value)
    {
        code = code == OX_OK ? ox_buf_printf(&text, NULL, "%s%s", i == 0 ? "" : ", ",
                                             json_string_value(value))
                             : code;
    }
    json_object_foreach((json_t *)list, key, value)
    {
        code = code == OX_OK
                   ? ox_buf_printf(&text, NULL, "%s%s=%s", text.len_bytes == 0 ? "" : ", ", key,
                                   json_string_value(value))
                   : code;
    }
    table->out_of_memory = table->out_of_memory || code != OX_OK;
    row(table, what, text.len_bytes == 0 ? NULL : (const char *)text.data);
    ox_buf_clear(&text);
}

static void seen_row(struct ox_table *table, const json_t *device)
{
    char ago[2 * OX_HUMAN_MAX];
    char interval[OX_HUMAN_MAX];
    const char *seen = ago_text(ox_cli_text(device, "last_heartbeat"), ago);
    const char *address = ox_cli_text(device, "address");
    uint64_t poll_s = ox_cli_number(device, "poll_interval_s");

    ox_table_cell(table, "last seen");
    if (seen == NULL) {
        ox_table_cell(table, "never");
        return;
    }
    ox_table_cellf(table, "%s%s%s%s%s", seen, address == NULL ? "" : " from ",
                   address == NULL ? "" : address, poll_s == 0 ? "" : ", polls every ",
                   poll_s == 0 ? "" : ox_human_duration(poll_s * 1000, interval));
}

static void platform_row(struct ox_table *table, const json_t *device)
{
    const json_t *platform = json_object_get(device, "platform");
    const char *os = ox_cli_text(platform, "os");
    const char *arch = ox_cli_text(platform, "arch");
    char memory[OX_HUMAN_MAX];

    ox_table_cell(table, "platform");
    ox_table_cellf(table, "%s %s, %llu processors, %s of memory", os != NULL ? os : "?",
                   arch != NULL ? arch : "?",
                   (unsigned long long)ox_cli_number(platform, "cpu_count"),
                   ox_human_size(ox_cli_number(platform, "total_memory_bytes"), memory));
}

static void disk_row(struct ox_table *table, const json_t *device)
{
    const json_t *disk = json_object_get(device, "disk");
    char left[OX_HUMAN_MAX];
    char all[OX_HUMAN_MAX];

    ox_table_cell(table, "disk");
    if (!json_is_object(disk)) {
        ox_table_cell(table, NULL);
        return;
    }
    ox_table_cellf(table, "%s of %s free", ox_human_size(ox_cli_number(disk, "free_bytes"), left),
                   ox_human_size(ox_cli_number(disk, "total_bytes"), all));
}

static void zone_row(struct ox_table *table, const json_t *device)
{
    const json_t *offset = json_object_get(device, "utc_offset_s");
    long long minutes = json_is_integer(offset) ? (long long)json_integer_value(offset) / 60 : 0;

    ox_table_cell(table, "time zone");
    if (!json_is_integer(offset)) {
        ox_table_cell(table, NULL);
        return;
    }
    ox_table_cellf(table, "UTC%c%02lld:%02lld", minutes < 0 ? '-' : '+', llabs(minutes) / 60,
                   llabs(minutes) % 60);
}

static void result_row(struct ox_table *table, const json_t *device)
{
    const json_t *result = json_object_get(device, "last_update_result");
    const char *error = ox_cli_text(json_object_get(result, "failed"), "error");

    ox_table_cell(table, "last update");
    if (json_is_string(result)) {
        ox_table_cell(table, json_string_value(result));
    } else if (json_is_object(result)) {
        ox_table_cellf(table, "failed: %s", error != NULL ? error : "no reason given");
    } else {
        ox_table_cell(table, NULL);
    }
}

static void pin_rows(struct ox_table *table, const json_t *device)
{
    char ago[2 * OX_HUMAN_MAX];
    json_t *pin;
    size_t i;

    json_array_foreach(json_object_get(device, "pins"), i, pin)
    {
        const char *model = ox_cli_text(pin, "model_id");
        const char *reason = ox_cli_text(pin, "reason");

        ox_table_cell(table, "pinned");
        ox_table_cellf(table, "%s%s%s, since %s", model == NULL ? "all models" : model,
                       reason == NULL ? "" : ": ", reason == NULL ? "" : reason,
                       ago_text(ox_cli_text(pin, "since"), ago));
    }
}

static enum ox_code show_facts(struct ox_cli *cli, const json_t *device, struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    const char *model = ox_cli_text(device, "assigned_model");
    const char *version = ox_cli_text(device, "assigned_model_version");
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, columns, 2);
    row(&table, "device", ox_cli_text(device, "id"));
    row(&table, "name", ox_cli_text(device, "name"));
    row(&table, "status", ox_cli_text(device, "status"));
    seen_row(&table, device);
    platform_row(&table, device);
    disk_row(&table, device);
    zone_row(&table, device);
    row(&table, "agent", ox_cli_text(device, "agent"));
    row(&table, "instance", ox_cli_text(device, "instance"));
    list_row(&table, "fleets", json_object_get(device, "fleets"));
    list_row(&table, "tags", json_object_get(device, "tags"));
    pin_rows(&table, device);
    ox_table_cell(&table, "assigned");
    if (model != NULL && version != NULL) {
        ox_table_cellf(&table, "%s@%s", model, version);
    } else {
        ox_table_cell(&table, NULL);
    }
    result_row(&table, device);
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code show_models(struct ox_cli *cli, const json_t *device, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"MODEL", OX_LEFT}, {"VERSION", OX_LEFT}, {"RUNS SINCE", OX_LEFT}, {"DIGEST", OX_LEFT}};
    const json_t *models = json_object_get(device, "models");
    struct ox_table table;
    json_t *model;
    size_t i;
    enum ox_code code;

    if (json_array_size(models) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(models, i, model)
    {
        ox_table_cell(&table, ox_cli_text(model, "id"));
        ox_table_cell(&table, ox_cli_text(model, "version"));
        ox_table_cell(&table, ox_cli_text(model, "since"));
        ox_table_cell(&table, ox_cli_text(model, "digest"));
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

/* Only where more than one has spoken: the device's own stands above. */
static enum ox_code show_installations(struct ox_cli *cli, const json_t *device, struct ox_err *err)
{
    static const struct ox_column columns[] = {{"INSTANCE", OX_LEFT},   {"IS", OX_LEFT},
                                               {"FIRST SEEN", OX_LEFT}, {"LAST SEEN", OX_LEFT},
                                               {"ADDRESS", OX_LEFT},    {"AGENT", OX_LEFT}};
    static const char *const words[][2] = {
        {"device", "the device"}, {"rival", "to be decided"}, {"replaced", "replaced"}};
    const json_t *installations = json_object_get(device, "installations");
    struct ox_table table;
    json_t *one;
    size_t i;
    enum ox_code code;

    if (json_array_size(installations) < 2) {
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(installations, i, one)
    {
        const char *state = ox_cli_text(one, "state");
        const char *new_id = ox_cli_text(one, "new_id");
        const char *word = state;

        for (size_t w = 0; state != NULL && w < sizeof(words) / sizeof(words[0]); w++) {
            word = strcmp(state, words[w][0]) == 0 ? words[w][1] : word;
        }
        ox_table_cell(&table, ox_cli_text(one, "instance"));
        if (new_id != NULL) {
            ox_table_cellf(&table, "device %s", new_id);
        } else {
            ox_table_cell(&table, word);
        }
        ox_table_cell(&table, ox_cli_text(one, "first_seen"));
        ox_table_cell(&table, ox_cli_text(one, "last_seen"));
        ox_table_cell(&table, ox_cli_text(one, "address"));
        ox_table_cell(&table, ox_cli_text(one, "agent"));
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static void say_conflict(struct ox_cli *cli, const json_t *device)
{
    const char *id = ox_cli_text(device, "id");

    if (ox_cli_text(device, "conflict_since") != NULL) {
        (void)fprintf(cli->notes,
                      "two installations speak under this id since %s; it is given nothing until:\n"
                      "  oxide device split %s     the second one becomes a device of its own\n"
                      "  oxide device replace %s   the newer one is the device from now on\n",
                      ox_cli_text(device, "conflict_since"), id, id);
    }
}

enum ox_code ox_run_device_show(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *device = NULL;
    enum ox_code code = ox_id_check("device", id, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "GET", NULL, &device, err, "/api/v1/devices/%s", id);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, device, err);
    } else if (code == OX_OK && (code = show_facts(cli, device, err)) == OX_OK &&
               (code = show_models(cli, device, err)) == OX_OK &&
               (code = show_installations(cli, device, err)) == OX_OK) {
        say_conflict(cli, device);
    }
    json_decref(device);
    return code;
}
