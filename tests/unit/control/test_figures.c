/* Figures agree with what happened. */
#include "../../../src/control/inner.h"
#include "fixture.h"

#include "oxide/control/figures.h"
#include "oxide/control/pending.h"
#include "oxide/control/webhook.h"

#include <unistd.h>

static enum ox_code look_at(void *ctx, const struct ox_figures *figures, struct ox_err *err)
{
    (void)err;
    *(struct ox_figures *)ctx = *figures; /* but for what is lent: only numbers are looked at */
    return OX_OK;
}

/* Not what was counted a moment ago, as where counting takes long. */
static enum ox_code count_anew(struct fixture *fixture, const struct ox_figures_reader *reader,
                               struct ox_err *err)
{
    fixture->control->counted.fresh_until_ns = 0;
    return ox_control_figures(fixture->control, reader, err);
}

static struct ox_figures figures_of(struct fixture *fixture)
{
    struct ox_figures figures;
    const struct ox_figures_reader reader = {&figures, look_at};

    assert_int_equal(count_anew(fixture, &reader, NULL), OX_OK);
    return figures;
}

static uint64_t of(const struct ox_word_figures *figures, const char *word)
{
    for (size_t i = 0; i < figures->count; i++) {
        if (strcmp(figures->word[i], word) == 0) {
            return figures->value[i];
        }
    }
    fail_msg("no figure of %s", word);
    return 0;
}

static uint64_t sum(const struct ox_word_figures *figures)
{
    uint64_t all = 0;

    for (size_t i = 0; i < figures->count; i++) {
        all += figures->value[i];
    }
    return all;
}

static void devices__are_counted_by_status_as_it_is_now(void **state)
{
    struct fixture *fixture = *state;
    struct ox_figures figures;

    fleet(fixture, "f", 4);
    json_decref(beat(fixture, "d0", "{%s}", AGENT));
    json_decref(beat(fixture, "d1", "{%s,\"status\":\"error\"}", AGENT));
    json_decref(beat(fixture, "d2", "{%s,\"poll_interval_s\":600}", AGENT));
    figures = figures_of(fixture);
    assert_int_equal(of(&figures.devices, "online"), 2);
    assert_int_equal(of(&figures.devices, "error"), 1);
    assert_int_equal(of(&figures.devices, "unknown"), 1);
    assert_int_equal(sum(&figures.devices), 4);
    fixture->now_ms += 100000; /* more than three polls of 30 s */
    figures = figures_of(fixture);
    assert_int_equal(of(&figures.devices, "online"), 1);
    assert_int_equal(of(&figures.devices, "offline"), 2);
    assert_int_equal(sum(&figures.devices), 4);
}

/* What is only in memory counts: the registry learns it with the next batch. */
static void devices__that_were_heard_and_not_written_are_online(void **state)
{
    struct fixture *fixture = *state;
    struct ox_figures figures;

    fleet(fixture, "f", 2);
    json_decref(beat(fixture, "d0", "{%s}", AGENT));
    json_decref(beat(fixture, "d1", "{%s,\"status\":\"error\"}", AGENT));
    fixture->now_ms += 100000;
    json_decref(beat(fixture, "d1", "{%s,\"status\":\"error\"}", AGENT));
    figures = figures_of(fixture);
    assert_int_equal(of(&figures.devices, "offline"), 1);
    assert_int_equal(of(&figures.devices, "error"), 1);
    assert_int_equal(of(&figures.devices, "unknown"), 0);
    tick(fixture, 1);
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    figures = figures_of(fixture);
    assert_int_equal(of(&figures.devices, "offline"), 1);
    assert_int_equal(of(&figures.devices, "error"), 1);
}

static enum ox_code look_at_campaign(void *ctx, const struct ox_figures *figures,
                                     struct ox_err *err)
{
    struct fixture *fixture = ctx;

    (void)err;
    assert_int_equal(figures->under_way_count, 1);
    assert_string_equal(figures->under_way[0].id, fixture->campaign);
    assert_string_equal(figures->under_way[0].model_id, "m");
    assert_string_equal(figures->under_way[0].version, "v2");
    assert_int_equal(of(&figures->under_way[0].devices, "pending"), 1);
    assert_int_equal(of(&figures->under_way[0].devices, "complete"), 1);
    assert_int_equal(of(&figures->under_way[0].devices, "skipped"), 0);
    assert_int_equal(sum(&figures->under_way[0].devices), 2);
    return OX_OK;
}

static void campaigns__are_counted_with_their_devices_jobs_and_bytes(void **state)
{
    struct fixture *fixture = *state;
    const struct ox_figures_reader reader = {fixture, look_at_campaign};
    struct ox_figures figures = figures_of(fixture);
    uint64_t deltas;

    assert_int_equal(sum(&figures.campaigns) + sum(&figures.jobs) + figures.store_blobs, 0);
    publish_two(fixture);
    fleet(fixture, "f", 2);
    json_decref(beat_running(fixture, "d0", "v1"));
    json_decref(beat_running(fixture, "d1", "v1"));
    campaign(fixture, "v2", "all_at_once");
    figures = figures_of(fixture);
    assert_int_equal(of(&figures.campaigns, "rolling_out"), 1);
    assert_int_equal(of(&figures.jobs, "queued"), 1);
    assert_int_equal(figures.store_blobs, 2);
    assert_int_equal(figures.store_bytes, 2 * MODEL_BYTES);
    make_deltas(fixture);
    figures = figures_of(fixture);
    deltas = of(&figures.jobs, "ready");
    assert_int_equal(deltas, 1);
    assert_int_equal(of(&figures.ended, "ready"), 1);
    assert_int_equal(figures.begun, 1);
    assert_true(figures.worked_ns > 0);
    assert_true(figures.patch_bytes > 0 && figures.patch_bytes < MODEL_BYTES);
    assert_int_equal(figures.store_blobs, 3);
    assert_int_equal(figures.store_bytes, 2 * MODEL_BYTES + figures.patch_bytes);
    tick(fixture, 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    json_decref(beat_report(fixture, "d0", 1, "complete", 1000));
    assert_int_equal(count_anew(fixture, &reader, NULL), OX_OK);
    figures = figures_of(fixture);
    assert_int_equal(figures.saved_bytes, MODEL_BYTES - 1000);
    restart(fixture); /* sums begin anew */
    figures = figures_of(fixture);
    assert_int_equal(figures.saved_bytes, 0);
    assert_int_equal(sum(&figures.ended), 0);
    assert_int_equal(of(&figures.jobs, "ready"), deltas);
}

static void heartbeats__are_counted_by_where_the_answer_came_from(void **state)
{
    struct fixture *fixture = *state;
    static const char body[] = "{" AGENT "}";
    struct ox_figures figures;
    char *text = NULL;

    device(fixture, "d0");
    assert_false(ox_control_heartbeat_again(fixture->control, "d0", body, strlen(body), &text));
    for (int i = 0; i < 2; i++) {
        json_decref(beat(fixture, "d0", "%s", body));
    }
    for (int i = 0; i < 3; i++) {
        assert_true(ox_control_heartbeat_again(fixture->control, "d0", body, strlen(body), &text));
        free(text);
    }
    figures = figures_of(fixture);
    assert_int_equal(of(&figures.beats, "registry"), 2);
    assert_int_equal(of(&figures.beats, "memory"), 3);
}

static void sent__is_counted_by_kind(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    struct ox_figures figures;

    ox_control_sent(fixture->control, OX_SENT_BLOB, 5);
    ox_control_sent(fixture->control, OX_SENT_PATCH, 6);
    ox_control_sent(fixture->control, OX_SENT_PATCH, 7);
    figures = figures_of(fixture);
    assert_int_equal(of(&figures.sent, "blob"), 5);
    assert_int_equal(of(&figures.sent, "patch"), 13);
    assert_int_equal(of(&figures.sent, "version"), 0);
    publish_two(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", "v1", NULL, NULL, &download, NULL),
                     OX_OK);
    assert_int_equal(download.sent, OX_SENT_VERSION);
    (void)close(download.fd);
    assert_int_equal(ox_control_blob(fixture->control, &download.digest, &download, NULL), OX_OK);
    assert_int_equal(download.sent, OX_SENT_BLOB);
    (void)close(download.fd);
}

static void patches__that_are_fetched_as_blobs_are_patches(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    struct ox_digest patch;
    json_t *answer;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign(fixture, "v2", "all_at_once");
    make_deltas(fixture);
    tick(fixture, 1);
    answer = beat_running(fixture, "d0", "v1");
    assert_int_equal(ox_digest_parse(text_at(answer, "assignments.0.patch.sha256"), &patch, NULL),
                     OX_OK);
    json_decref(answer);
    assert_int_equal(ox_control_blob(fixture->control, &patch, &download, NULL), OX_OK);
    assert_int_equal(download.sent, OX_SENT_PATCH);
    (void)close(download.fd);
}

static enum ox_code look_at_webhook(void *ctx, const struct ox_figures *figures, struct ox_err *err)
{
    (void)ctx;
    (void)err;
    assert_int_equal(figures->webhook_count, 1);
    assert_string_equal(figures->webhooks[0].id, "ops");
    assert_int_equal(figures->webhooks[0].failed_tries, 1);
    assert_int_equal(figures->webhooks[0].delivered, 0);
    assert_true(figures->webhooks[0].backlog > 0);
    return OX_OK;
}

static void webhooks__tell_of_failed_tries_and_what_waits(void **state)
{
    struct fixture *fixture = *state;
    const struct ox_figures_reader reader = {NULL, look_at_webhook};
    json_t *spec = body("{\"id\":\"ops\",\"url\":\"http://127.0.0.1:1/\"}");
    json_t *out = NULL;
    bool tried = false;

    assert_int_equal(ox_control_webhook_add(fixture->control, spec, &out, NULL), OX_OK);
    json_decref(out);
    json_decref(spec);
    device(fixture, "d0");
    assert_int_equal(ox_control_deliver(fixture->control, &tried, NULL), OX_OK);
    assert_true(tried);
    assert_int_equal(count_anew(fixture, &reader, NULL), OX_OK);
}

static void devices__that_ask_are_counted(void **state)
{
    struct fixture *fixture = *state;
    bool registered = true;
    struct ox_figures figures;

    assert_int_equal(ox_control_knock(fixture->control, "new", NULL, "{" AGENT "}",
                                      strlen("{" AGENT "}"), &registered, NULL),
                     OX_ENOTFOUND);
    figures = figures_of(fixture);
    assert_int_equal(figures.pending_devices, 1);
    assert_int_equal(figures.holding, 0);
    assert_true(figures.database_bytes + figures.wal_bytes > 0);
    assert_true(figures.store_free_bytes > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(devices__are_counted_by_status_as_it_is_now),
        TEST(devices__that_were_heard_and_not_written_are_online),
        TEST(campaigns__are_counted_with_their_devices_jobs_and_bytes),
        TEST(heartbeats__are_counted_by_where_the_answer_came_from),
        TEST(sent__is_counted_by_kind),
        TEST(patches__that_are_fetched_as_blobs_are_patches),
        TEST(webhooks__tell_of_failed_tries_and_what_waits),
        TEST(devices__that_ask_are_counted),
    };

    return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
