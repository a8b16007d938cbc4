/* What a campaign would do, without making it. */
#include "args.h"
#include "campaign_body.h"
#include "client.h"
#include "exit_status.h"
#include "human.h"
#include "policy_words.h"
#include "status_line.h"

#include "oxide/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 1000 /* a plan counts all devices anew */
#define WAIT_MAX_MS ((uint64_t)7 * 24 * 3600000)
#define LINK_BPS_MAX ((uint64_t)1000000000000)
#define STAGES_SHOWN 12
#define BASES_SHOWN 20
#define SKIPS_SHOWN 20

#define U(number) ((unsigned long long)(number))

/* --- the page --- */

static void bytes_facts(struct ox_table *table, const json_t *plan)
{
    const json_t *bytes = json_object_get(plan, "bytes");
    uint64_t full = ox_cli_number(bytes, "full");
    uint64_t total = ox_cli_number(bytes, "total");
    uint64_t not_known = ox_cli_number(bytes, "devices_not_known");
    char size[OX_HUMAN_MAX];
    char whole[OX_HUMAN_MAX];
    char saved[OX_HUMAN_MAX];

    ox_table_cell(table, "bytes");
    if (not_known > 0) {
        ox_table_cellf(table, "%s for %llu devices; not known yet for %llu",
                       ox_human_size(total, size), U(ox_cli_number(bytes, "devices_known")),
                       U(not_known));
    } else {
        ox_table_cellf(table, "%s in all; as full files %s: %s saved", ox_human_size(total, size),
                       ox_human_size(full, whole), ox_human_saved(total, full, saved));
    }
    ox_table_cell(table, "per device");
    ox_table_cellf(table, "%s at most",
                   ox_human_size(ox_cli_number(bytes, "per_device_max"), size));
    ox_table_cell(table, "by delta");
    ox_table_cellf(table, "%.4g %% of the devices",
                   100 * json_number_value(json_object_get(plan, "delta_coverage")));
    ox_table_cell(table, "disk needed");
    ox_table_cellf(table, "%s free on each device",
                   ox_human_size(ox_cli_number(plan, "disk_bytes_per_device"), size));
}

/* For whom they are open, by what devices tell of their local time. */
static void windows_fact(struct ox_table *table, const json_t *windows)
{
    const char *next = ox_cli_text(windows, "next_opens_at");
    const char *last = ox_cli_text(windows, "last_opens_at");
    uint64_t open = ox_cli_number(windows, "open");
    uint64_t closed = ox_cli_number(windows, "closed");

    if (!json_is_object(windows)) {
        return;
    }
    ox_table_cell(table, "windows");
    if (next == NULL || last == NULL) {
        ox_table_cellf(table, "open now for %llu devices", U(open));
    } else if (strcmp(next, last) == 0) {
        ox_table_cellf(table, "open now for %llu devices; for %llu they open %s", U(open),
                       U(closed), next);
    } else {
        ox_table_cellf(table, "open now for %llu devices; for %llu they open from %s to %s",
                       U(open), U(closed), next, last);
    }
}

static enum ox_code facts(struct ox_cli *cli, const json_t *plan, struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    const json_t *devices = json_object_get(plan, "devices");
    const char *fleet = ox_cli_text(plan, "fleet_id");
    const char *model = ox_cli_text(plan, "model_id");
    const char *version = ox_cli_text(plan, "target_version");
    struct ox_table table;
    char time[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, 2);
    ox_table_cell(&table, "plan");
    ox_table_cellf(
        &table, "%s@%s to %s%s", model != NULL ? model : "?", version != NULL ? version : "?",
        fleet != NULL ? "fleet " : "devices by name or filter", fleet != NULL ? fleet : "");
    ox_table_cell(&table, "devices");
    ox_table_cellf(&table, "%llu: %llu to update, %llu have it already, %llu skipped",
                   U(ox_cli_number(devices, "total")), U(ox_cli_number(devices, "to_update")),
                   U(ox_cli_number(devices, "already")), U(ox_cli_number(devices, "skipped")));
    bytes_facts(&table, plan);
    ox_table_cell(&table, "takes about");
    ox_table_cell(&table, ox_human_duration(ox_cli_number(plan, "duration_s") * 1000, time));
    windows_fact(&table, json_object_get(plan, "windows"));
    ox_policy_words(&table, json_object_get(plan, "policy"));
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

static void and_more(const struct ox_cli *cli, size_t all, size_t shown)
{
    if (all > shown) {
        (void)fprintf(cli->out, "... and %llu more: --json tells all\n", U(all - shown));
    }
}

static enum ox_code stages(struct ox_cli *cli, const json_t *list, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"STAGE", OX_RIGHT}, {"DEVICES", OX_RIGHT}, {"SO FAR", OX_RIGHT}};
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < json_array_size(list) && i < STAGES_SHOWN; i++) {
        const json_t *stage = json_array_get(list, i);

        ox_table_cellf(&table, "%llu", U(ox_cli_number(stage, "stage")));
        ox_table_cellf(&table, "%llu", U(ox_cli_number(stage, "devices")));
        ox_table_cellf(&table, "%llu", U(ox_cli_number(stage, "released")));
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    and_more(cli, json_array_size(list), STAGES_SHOWN);
    return code;
}

/* What a device of a group fetches, in words. */
static const char *way_text(const json_t *base)
{
    static const struct {
        const char *delta;
        const char *text;
    } whys[] = {
        {"missing", "a delta, not made yet"},
        {"queued", "a delta, being made"},
        {"useless", "the full file: a delta is no smaller"},
        {"failed", "the full file: its delta cannot be made"},
        {"canceled", "the full file: its delta was canceled"},
        {"none", "the full file: no delta from there"},
    };
    const char *by = ox_cli_text(base, "by");
    const char *delta = ox_cli_text(base, "delta");

    for (size_t i = 0; delta != NULL && i < sizeof(whys) / sizeof(whys[0]); i++) {
        if (strcmp(whys[i].delta, delta) == 0) {
            return whys[i].text;
        }
    }
    return by != NULL && strcmp(by, "patch") == 0 ? "a delta" : "the full file";
}

static void size_cell(struct ox_table *table, const json_t *base, const char *key)
{
    char size[OX_HUMAN_MAX];

    ox_table_cell(table, json_is_integer(json_object_get(base, key))
                             ? ox_human_size(ox_cli_number(base, key), size)
                             : NULL);
}

static const char *variant_text(const json_t *row)
{
    const char *variant = ox_cli_text(row, "variant");

    return variant != NULL ? variant : "without a name";
}

/* Who gets which; nothing where the version has but the one without a name. */
static enum ox_code variants(struct ox_cli *cli, const json_t *list, struct ox_err *err)
{
    static const struct ox_column columns[] = {{"VARIANT", OX_LEFT},
                                               {"DEVICES", OX_RIGHT},
                                               {"SIZE", OX_RIGHT},
                                               {"ALL", OX_RIGHT},
                                               {"NOT KNOWN YET", OX_RIGHT}};
    struct ox_table table;
    json_t *variant;
    size_t i;
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(list, i, variant)
    {
        ox_table_cell(&table, variant_text(variant));
        ox_table_cellf(&table, "%llu", U(ox_cli_number(variant, "devices")));
        size_cell(&table, variant, "size_bytes");
        size_cell(&table, variant, "bytes");
        ox_table_cellf(&table, "%llu", U(ox_cli_number(variant, "devices_not_known")));
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static bool has_variants(const json_t *list)
{
    return json_array_size(list) > 1 || ox_cli_text(json_array_get(list, 0), "variant") != NULL;
}

/* Why devices are passed by. */
static enum ox_code skips(struct ox_cli *cli, const json_t *list, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"SKIPPED", OX_RIGHT}, {"SUCH AS", OX_LEFT}, {"BECAUSE", OX_LEFT}};
    struct ox_table table;
    enum ox_code code;

    if (json_array_size(list) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < json_array_size(list) && i < SKIPS_SHOWN; i++) {
        const json_t *skip = json_array_get(list, i);

        ox_table_cellf(&table, "%llu", U(ox_cli_number(skip, "devices")));
        ox_table_cell(&table, ox_cli_text(skip, "device_id"));
        ox_table_cell(&table, ox_cli_text(skip, "why"));
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    and_more(cli, json_array_size(list), SKIPS_SHOWN);
    return code;
}

/* With a column for the variant that each group gets, if there are several. */
static enum ox_code bases(struct ox_cli *cli, const json_t *list, bool with_variants,
                          struct ox_err *err)
{
    static const struct ox_column columns[] = {{"THEY RUN", OX_LEFT}, {"DEVICES", OX_RIGHT},
                                               {"EACH", OX_RIGHT},    {"ALL", OX_RIGHT},
                                               {"FETCH", OX_LEFT},    {"VARIANT", OX_LEFT}};
    struct ox_table table;
    enum ox_code code;

    if (json_array_size(list) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]) - !with_variants);
    for (size_t i = 0; i < json_array_size(list) && i < BASES_SHOWN; i++) {
        const json_t *base = json_array_get(list, i);
        const char *version = ox_cli_text(base, "from_version");

        ox_table_cell(&table, version != NULL                            ? version
                              : ox_cli_text(base, "from_digest") != NULL ? "unknown bytes"
                                                                         : "nothing");
        ox_table_cellf(&table, "%llu", U(ox_cli_number(base, "devices")));
        size_cell(&table, base, "bytes_per_device");
        size_cell(&table, base, "bytes");
        ox_table_cell(&table, way_text(base));
        if (with_variants) {
            ox_table_cell(&table, variant_text(base));
        }
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    and_more(cli, json_array_size(list), BASES_SHOWN);
    return code;
}

/* Sentences of the server under a heading; they may hold names from outside, which are ids. */
static enum ox_code sentences(struct ox_cli *cli, const char *heading, const json_t *list,
                              struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}};
    struct ox_table table;
    json_t *text;
    size_t i;
    enum ox_code code;

    if (json_array_size(list) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, 1);
    json_array_foreach(list, i, text)
    {
        ox_table_cellf(&table, "  %s", json_is_string(text) ? json_string_value(text) : "?");
    }
    (void)fprintf(cli->out, "\n%s\n", heading);
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code show(struct ox_cli *cli, const json_t *plan, struct ox_err *err)
{
    const json_t *list = json_object_get(plan, "variants");
    bool with_variants = has_variants(list);
    enum ox_code code;

    if ((code = facts(cli, plan, err)) != OX_OK ||
        (code = skips(cli, json_object_get(plan, "skips"), err)) != OX_OK ||
        (code = stages(cli, json_object_get(plan, "stages"), err)) != OX_OK ||
        (with_variants && (code = variants(cli, list, err)) != OX_OK) ||
        (code = bases(cli, json_object_get(plan, "bases"), with_variants, err)) != OX_OK ||
        (code = sentences(cli, "What holds it:", json_object_get(plan, "halts"), err)) != OX_OK) {
        return code;
    }
    if (json_array_size(json_object_get(plan, "superseded")) > 0) {
        (void)fputc('\n', cli->out);
        ox_campaign_superseded(cli, plan);
    }
    return sentences(cli, "Warnings:", json_object_get(plan, "warnings"), err);
}

/* --- asking --- */

/* "--link 10M": bits per second, in powers of 1000 as links are sold. */
static enum ox_code read_link(const struct ox_args *args, json_t *body, struct ox_err *err)
{
    static const struct {
        const char *unit;
        uint64_t bps;
    } units[] = {{"", 1}, {"k", 1000}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000}};
    const char *text = ox_args_value(args, "link", NULL);
    size_t digits = text == NULL ? 0 : strspn(text, "0123456789");

    if (text == NULL) {
        return OX_OK;
    }
    for (size_t i = 0; digits > 0 && digits <= 12 && i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t number = strtoull(text, NULL, 10);

        if (strcmp(text + digits, units[i].unit) == 0 && number > 0 &&
            number <= LINK_BPS_MAX / units[i].bps) {
            return ox_json_set_u64(body, "link_bps", number * units[i].bps, err);
        }
    }
    return ox_err_set(err, OX_EINVAL,
                      "--link cannot be '%s': it is bits per second such as 250k, 10M or 1G", text);
}

static uint64_t to_make(const json_t *plan)
{
    uint64_t count = 0;
    json_t *base;
    size_t i;

    json_array_foreach(json_object_get(plan, "bases"), i, base)
    {
        const char *delta = ox_cli_text(base, "delta");

        count += delta != NULL && (strcmp(delta, "missing") == 0 || strcmp(delta, "queued") == 0);
    }
    return count;
}

static enum ox_code ask(struct ox_client *client, const json_t *body, json_t **plan,
                        struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code =
        ox_client_call(client, "POST", "/api/v1/campaigns/plan", body, NULL, &answer, err);

    if (code == OX_OK) {
        json_decref(*plan);
        *plan = answer;
    }
    return code;
}

/* Until no delta is to be made any more. */
static enum ox_code prepare(struct ox_cli *cli, const struct ox_args *args,
                            struct ox_client *client, const json_t *body, json_t **plan,
                            struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    int64_t start_mono_ms = clock->mono_ms(clock->ctx);
    struct ox_status_line line;
    uint64_t limit_ms = WAIT_MAX_MS;
    uint64_t left = to_make(*plan);
    uint64_t all = left;
    enum ox_code code = ox_args_seconds(args, "timeout", WAIT_MAX_MS, &limit_ms, err);

    ox_status_line_start(&line, cli);
    while (code == OX_OK && left > 0) {
        ox_status_line_show(&line, "making deltas: %llu of %llu to go", U(left), U(all));
        if (clock->mono_ms(clock->ctx) - start_mono_ms >= (int64_t)limit_ms) {
            cli->outcome = OX_EXIT_TIMED_OUT;
            code = ox_err_set(err, OX_ETIMEOUT,
                              "%llu of %llu deltas are not made in time: they go on being made, "
                              "see 'oxide job list'",
                              U(left), U(all));
        } else if (ox_stop_wait(cli->stop, POLL_MS)) {
            code = ox_err_set(err, OX_ECANCELED,
                              "no longer waiting for deltas: they go on being made");
        } else {
            code = ask(client, body, plan, err);
            left = to_make(*plan);
            all = left > all ? left : all;
        }
    }
    ox_status_line_end(&line);
    return code;
}

static enum ox_code plan_it(struct ox_cli *cli, const struct ox_args *args, json_t *body,
                            json_t **plan, struct ox_err *err)
{
    struct ox_client client = {NULL, NULL, NULL};
    bool wants = ox_args_has(args, "prepare");
    enum ox_code code;

    if ((code = read_link(args, body, err)) != OX_OK ||
        (code = ox_json_set(body, "prepare", json_boolean(wants), err)) != OX_OK) {
        return code;
    }
    code = ox_client_open(&client, cli, err);
    if (code == OX_OK) {
        code = ask(&client, body, plan, err);
    }
    if (code == OX_OK && wants) {
        code = prepare(cli, args, &client, body, plan, err);
    }
    ox_client_close(&client);
    return code;
}

enum ox_code ox_run_campaign_plan(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    json_t *body = NULL;
    json_t *plan = NULL;
    enum ox_code code = ox_campaign_body(cli, args, &body, err);

    if (code == OX_OK) {
        code = plan_it(cli, args, body, &plan, err);
    }
    if (code == OX_OK) {
        code = cli->json ? ox_cli_print_json(cli, plan, err) : show(cli, plan, err);
    }
    if (code == OX_OK && !cli->json) {
        (void)fputs("\nnothing was changed; next: 'oxide deploy' with the same words\n", cli->out);
    }
    json_decref(plan);
    json_decref(body);
    return code;
}
