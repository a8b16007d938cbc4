#include "campaign_wait.h"

#include "client.h"
#include "exit_status.h"
#include "status_line.h"

#include "oxide/base/clock.h"

#include <string.h>

/* A year: no campaign is waited for longer than its server lives. */
#define WAIT_MAX_MS ((uint64_t)366 * 24 * 3600000)

/* How long a server may be away: a restart, an upgrade. */
#define AWAY_MAX_MS (5 * 60 * 1000)

#define U(number) ((unsigned long long)(number))

static bool is(const json_t *object, const char *key, const char *word)
{
    const char *text = ox_cli_text(object, key);

    return text != NULL && strcmp(text, word) == 0;
}

static uint64_t count(const json_t *campaign, const char *key)
{
    return ox_cli_number(json_object_get(campaign, "summary"), key);
}

static const char *id_of(const json_t *campaign)
{
    const char *id = ox_cli_text(campaign, "id");

    return id != NULL ? id : "?";
}

/* --- while it goes on --- */

static void show(struct ox_status_line *line, const json_t *campaign)
{
    const char *waiting = ox_cli_text(campaign, "waiting_for");
    uint64_t to_go = count(campaign, "pending") + count(campaign, "in_progress");
    char failed[48] = "";

    if (count(campaign, "failed") > 0) {
        (void)snprintf(failed, sizeof(failed), ", %llu failed", U(count(campaign, "failed")));
    }
    if (is(campaign, "kind", "revert")) {
        ox_status_line_show(line, "going back: %llu to go, %llu of %llu are back%s", U(to_go),
                            U(count(campaign, "complete")), U(count(campaign, "total")), failed);
        return;
    }
    ox_status_line_show(line, "stage %llu of %llu: %llu to go, %llu of %llu complete%s%s%s",
                        U(ox_cli_number(campaign, "stage")), U(ox_cli_number(campaign, "stages")),
                        U(to_go), U(count(campaign, "complete")), U(count(campaign, "total")),
                        failed, waiting != NULL ? "; " : "", waiting != NULL ? waiting : "");
}

/* One that is complete goes on for devices that try again, unless it was halted after its end. */
static bool has_ended(const json_t *campaign)
{
    if (is(campaign, "state", "complete")) {
        return ox_cli_text(campaign, "halted") != NULL ||
               (count(campaign, "in_progress") == 0 &&
                count(campaign, "pending") <= count(campaign, "deferred"));
    }
    return is(campaign, "state", "paused") || is(campaign, "state", "aborted");
}

enum ox_code ox_campaign_wait(struct ox_cli *cli, const struct ox_args *args, const char *id,
                              json_t **out, struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    struct ox_client client = {NULL, NULL, NULL};
    struct ox_status_line line;
    int64_t start_mono_ms = clock->mono_ms(clock->ctx);
    int64_t heard_mono_ms = -1; /* not yet */
    uint64_t limit_ms = WAIT_MAX_MS;
    enum ox_code code = ox_args_seconds(args, "timeout", WAIT_MAX_MS, &limit_ms, err);

    ox_status_line_start(&line, cli);
    if (code == OX_OK) {
        code = ox_client_open(&client, cli, err);
    }
    while (code == OX_OK) {
        json_t *now = NULL;
        int64_t now_mono_ms;

        code = ox_client_get(&client, &now, err, "/api/v1/campaigns/%s?devices=false", id);
        now_mono_ms = clock->mono_ms(clock->ctx);
        if ((code == OX_ENET || code == OX_ETIMEOUT) && heard_mono_ms >= 0 &&
            now_mono_ms - heard_mono_ms < AWAY_MAX_MS) {
            ox_status_line_show(&line, "the server is away: asking again");
            code = OX_OK;
        } else if (code == OX_OK && has_ended(now)) {
            *out = now;
            break;
        } else if (code == OX_OK) {
            heard_mono_ms = now_mono_ms;
            show(&line, now);
        }
        json_decref(now);
        if (code == OX_OK && now_mono_ms - start_mono_ms >= (int64_t)limit_ms) {
            cli->outcome = OX_EXIT_TIMED_OUT;
            code = ox_err_set(err, OX_ETIMEOUT,
                              "campaign %s has not ended in time, and goes on: 'oxide campaign "
                              "wait %s' waits again",
                              id, id);
        } else if (code == OX_OK && ox_stop_wait(cli->stop, OX_WAIT_POLL_MS)) {
            code = ox_err_set(err, OX_ECANCELED,
                              "no longer waiting for campaign %s: it goes on, and 'oxide campaign "
                              "wait %s' waits again",
                              id, id);
        }
    }
    ox_status_line_end(&line);
    ox_client_close(&client);
    return code;
}

/* --- what became of it --- */

/* The first device that failed, and why: ": cam-02: the check failed"; "" if that is not known. */
static void first_failed(struct ox_cli *cli, const json_t *campaign, char *out, size_t out_bytes)
{
    json_t *answer = NULL;

    out[0] = '\0';
    if (count(campaign, "failed") > 0 &&
        ox_client_once(cli, "GET", NULL, &answer, NULL,
                       "/api/v1/campaigns/%s/devices?state=failed&limit=1",
                       id_of(campaign)) == OX_OK) {
        const json_t *device = json_array_get(json_object_get(answer, "devices"), 0);
        const char *id = ox_cli_text(device, "device_id");
        const char *error = ox_cli_text(device, "error");

        if (id != NULL) {
            (void)snprintf(out, out_bytes, ": %.64s%s%.200s", id, error != NULL ? ": " : "",
                           error != NULL ? error : "");
        }
    }
    json_decref(answer);
}

enum ox_code ox_campaign_verdict(struct ox_cli *cli, const json_t *campaign, struct ox_err *err)
{
    static const struct {
        const char *state;
        enum ox_exit status;
        const char *next;
    } ends[] = {
        {"paused", OX_EXIT_PAUSED, "'oxide campaign resume' or 'abort'"},
        {"aborted", OX_EXIT_ABORTED, "'oxide campaign show'"},
    };
    const char *reason = ox_cli_text(campaign, "reason");
    const char *id = id_of(campaign);
    uint64_t total = count(campaign, "total");
    uint64_t complete = count(campaign, "complete");
    uint64_t failed = count(campaign, "failed");
    char first[300];

    if (is(campaign, "state", "complete") && failed == 0 && (complete > 0 || total == 0)) {
        return OX_OK;
    }
    first_failed(cli, campaign, first, sizeof(first));
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (is(campaign, "state", ends[i].state)) {
            cli->outcome = (int)ends[i].status;
            return ox_err_set(err, OX_EFAILED,
                              "campaign %s is %s (%.300s): %llu of %llu devices have the version, "
                              "%llu failed%s: see %s %s",
                              id, ends[i].state, reason != NULL ? reason : "by an operator",
                              U(complete), U(total), U(failed), first, ends[i].next, id);
        }
    }
    cli->outcome = OX_EXIT_FAILED;
    return ox_err_set(err, OX_EFAILED,
                      "campaign %s: %llu of %llu devices have the version, %llu failed, %llu "
                      "skipped%s: see 'oxide campaign show %s'",
                      id, U(complete), U(total), U(failed), U(count(campaign, "skipped")), first,
                      id);
}

void ox_campaign_print_end(const struct ox_cli *cli, const json_t *campaign)
{
    const char *model = ox_cli_text(campaign, "model_id");
    const char *version = ox_cli_text(campaign, "target_version");
    static const struct {
        const char *key;
        const char *what;
    } rest[] = {{"skipped", "skipped"}, {"deferred", "asleep, to get it when they wake"}};

    if (is(campaign, "kind", "revert")) {
        (void)fprintf(cli->out, "campaign %s: %llu of %llu devices are back", id_of(campaign),
                      U(count(campaign, "complete")), U(count(campaign, "total")));
    } else {
        (void)fprintf(cli->out, "campaign %s: complete, %llu of %llu devices have %s@%s",
                      id_of(campaign), U(count(campaign, "complete")), U(count(campaign, "total")),
                      model != NULL ? model : "?", version != NULL ? version : "?");
    }
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        if (count(campaign, rest[i].key) > 0) {
            (void)fprintf(cli->out, ", %llu %s", U(count(campaign, rest[i].key)), rest[i].what);
        }
    }
    (void)fputc('\n', cli->out);
    if (count(campaign, "skipped") > 0) {
        (void)fprintf(cli->out, "next: oxide campaign devices %s --state skipped\n",
                      id_of(campaign));
    }
}
