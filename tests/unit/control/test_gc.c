#include "fixture.h"

#include "../../../src/control/retention.h"

#include "oxide/base/file.h"
#include "oxide/control/job.h"
#include "oxide/control/retention.h"

#include <unistd.h>

#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)

/* Blobs get their times from the system's clock, so the fixture's must go with it. */
static int set_up_now(void **state)
{
    int result = set_up(state);
    struct fixture *fixture = *state;

    fixture->now_ms = ox_clock_system()->wall_ms(NULL);
    restart(fixture);
    return result;
}

static void later(struct fixture *fixture, int64_t ms)
{
    fixture->now_ms += ms;
}

static void publish_many(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        char version[8];
        bool created = false;

        (void)snprintf(version, sizeof(version), "v%u", i);
        assert_int_equal(publish(fixture, version, 1, i * 10, &created), OX_OK);
        assert_true(created);
    }
}

static void rule(struct fixture *fixture, const char *model, const char *document)
{
    json_t *in = body("%s", document);
    json_t *out = NULL;

    assert_int_equal(ox_control_retention_set(fixture->control, model, in, &out, NULL), OX_OK);
    json_decref(in);
    json_decref(out);
}

static void label(struct fixture *fixture, const char *version, const char *document)
{
    json_t *in = body("%s", document);
    json_t *out = NULL;

    assert_int_equal(ox_control_version_patch(fixture->control, "m", version, in, &out, NULL),
                     OX_OK);
    json_decref(in);
    json_decref(out);
}

static json_t *gc(struct fixture *fixture, bool dry_run)
{
    json_t *out = NULL;

    assert_int_equal(ox_control_gc(fixture->control, dry_run, &out, NULL), OX_OK);
    return out;
}

/* Collect, and tell what went as "v1 v2". */
static const char *collected(struct fixture *fixture, bool dry_run)
{
    static char text[256];
    json_t *out = gc(fixture, dry_run);
    json_t *row;
    size_t i;

    text[0] = '\0';
    json_array_foreach(json_object_get(out, "versions"), i, row)
    {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i == 0 ? "" : " ",
                       text_at(row, "version"));
    }
    json_decref(out);
    return text;
}

static bool is_there(struct fixture *fixture, const char *version)
{
    json_t *out = NULL;
    bool there = ox_control_version(fixture->control, "m", version, &out, NULL) == OX_OK;

    json_decref(out);
    return there;
}

static enum ox_code remove_version(struct fixture *fixture, const char *version, char *why)
{
    struct ox_err err = OX_ERR_INIT;
    json_t *out = NULL;
    enum ox_code code = ox_control_version_remove(fixture->control, "m", version, NULL, &out, &err);

    if (why != NULL) {
        (void)snprintf(why, OX_ERR_MSG_MAX, "%s", err.msg);
    }
    json_decref(out);
    return code;
}

static enum ox_code count_one(void *ctx, const struct ox_digest *digest, uint64_t size_bytes,
                              struct ox_err *err)
{
    (void)digest;
    (void)size_bytes;
    (void)err;
    (*(size_t *)ctx)++;
    return OX_OK;
}

static size_t blobs(struct fixture *fixture)
{
    size_t count = 0;
    const struct ox_store_visitor visitor = {&count, count_one};

    assert_int_equal(ox_store_each(fixture->store, &visitor, NULL), OX_OK);
    return count;
}

static const char *job_state(struct fixture *fixture, int64_t id)
{
    static char state[32];
    json_t *out = NULL;

    if (ox_control_job(fixture->control, id, &out, NULL) != OX_OK) {
        return "gone";
    }
    (void)snprintf(state, sizeof(state), "%s", text_at(out, "state"));
    json_decref(out);
    return state;
}

/* --- the rule --- */

static void rule__keeps_the_newest_the_young_and_the_labelled(void **state)
{
    const struct ox_retention_row keep = {
        .keep_newest = 2, .keep_labels = "[\"prod\",\"site=graz\"]", .keep_for_s = 60};
    struct ox_version_row version = {.published_ms = 1000000, .labels = "{}"};

    (void)state;
    assert_non_null(ox_retention_keeps(&keep, &version, 0, 9000000));
    assert_non_null(ox_retention_keeps(&keep, &version, 1, 9000000));
    assert_null(ox_retention_keeps(&keep, &version, 2, 9000000));
    assert_non_null(ox_retention_keeps(&keep, &version, 2, 1059999));
    assert_null(ox_retention_keeps(&keep, &version, 2, 1060000));
    version.labels = "{\"prod\":\"whatever\"}";
    assert_non_null(ox_retention_keeps(&keep, &version, 2, 9000000));
    version.labels = "{\"site\":\"wien\",\"pro\":\"\"}";
    assert_null(ox_retention_keeps(&keep, &version, 2, 9000000));
    version.labels = "{\"site\":\"graz\"}";
    assert_non_null(ox_retention_keeps(&keep, &version, 2, 9000000));
}

static void rule__of_a_model_comes_before_the_general_one(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    publish_many(fixture, 3);
    assert_int_equal(ox_control_retention(fixture->control, "m", &out, NULL), OX_ENOTFOUND);
    assert_string_equal(collected(fixture, false), ""); /* without a rule nothing goes */
    rule(fixture, "", "{\"keep_newest\":1}");
    assert_string_equal(collected(fixture, true), "v1 v2");
    rule(fixture, "m", "{\"keep_newest\":3,\"keep_labels\":[\"a=b\"],\"keep_for_s\":5}");
    assert_string_equal(collected(fixture, true), "");
    restart(fixture);
    assert_int_equal(ox_control_retention(fixture->control, "m", &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "keep_newest"), 3);
    assert_string_equal(text_at(out, "keep_labels.0"), "a=b");
    json_decref(out);
    assert_int_equal(ox_control_retention_remove(fixture->control, "m", &out, NULL), OX_OK);
    json_decref(out);
    assert_string_equal(collected(fixture, true), "v1 v2");
    assert_int_equal(ox_control_retention_remove(fixture->control, "m", &out, NULL), OX_ENOTFOUND);
}

static void rule__refuses_what_is_wrong(void **state)
{
    static const char *const documents[] = {
        "{}",
        "{\"keep_newest\":-1}",
        "{\"keep_newest\":1000001}",
        "{\"keep_newest\":1,\"keep_labels\":[1]}",
        "{\"keep_newest\":1,\"keep_labels\":\"a\"}",
        "{\"keep_newest\":1,\"keep_labels\":[\"a b\"]}",
        "{\"keep_newest\":1,\"keep_for_s\":-5}",
        "{\"keep_newest\":1,\"keep_for_s\":99999999999}",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        json_t *in = body("%s", documents[i]);
        json_t *out = NULL;

        if (ox_control_retention_set(fixture->control, "m", in, &out, NULL) != OX_EINVAL) {
            fail_msg("not refused: %s", documents[i]);
        }
        json_decref(in);
    }
}

/* --- versions --- */

static void gc__removes_by_rule_and_a_dry_run_removes_nothing(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    publish_many(fixture, 4);
    label(fixture, "v2", "{\"labels\":{\"prod\":\"\"}}");
    rule(fixture, "m", "{\"keep_newest\":1,\"keep_labels\":[\"prod\"]}");
    later(fixture, 2 * HOUR_MS);
    assert_string_equal(collected(fixture, true), "v1 v3");
    assert_true(is_there(fixture, "v1"));
    assert_int_equal(blobs(fixture), 4);
    out = gc(fixture, false);
    assert_int_equal(json_array_size(at(out, "versions")), 2);
    assert_int_equal(number_at(out, "blobs.count"), 2);
    assert_int_equal(number_at(out, "blobs.bytes"), 2 * MODEL_BYTES);
    json_decref(out);
    assert_false(is_there(fixture, "v1"));
    assert_true(is_there(fixture, "v2"));
    assert_int_equal(blobs(fixture), 2);
    assert_string_equal(collected(fixture, false), "");
}

static void gc__a_blob_that_another_version_has_stays(void **state)
{
    struct fixture *fixture = *state;
    bool created = false;

    assert_int_equal(publish(fixture, "v1", 1, 0, &created), OX_OK);
    assert_int_equal(publish(fixture, "v2", 1, 0, &created), OX_OK); /* the same bytes */
    rule(fixture, "m", "{\"keep_newest\":1}");
    later(fixture, 2 * HOUR_MS);
    assert_string_equal(collected(fixture, false), "v1");
    assert_int_equal(blobs(fixture), 1);
}

static void removed__comes_back_with_the_same_bytes_alone(void **state)
{
    struct fixture *fixture = *state;
    bool created = false;

    publish_many(fixture, 2);
    assert_int_equal(remove_version(fixture, "v1", NULL), OX_OK);
    assert_int_equal(remove_version(fixture, "v1", NULL), OX_ENOTFOUND);
    assert_int_equal(publish(fixture, "v1", 7, 0, &created), OX_ECONFLICT);
    assert_int_equal(publish(fixture, "v1", 1, 10, &created), OX_OK);
    assert_true(created);
    assert_true(is_there(fixture, "v1"));
    restart(fixture);
    assert_true(is_there(fixture, "v1"));
}

static void removed__takes_its_patches_along(void **state)
{
    struct fixture *fixture = *state;

    publish_many(fixture, 2);
    make_deltas(fixture);
    assert_string_equal(job_state(fixture, 1), "ready");
    assert_int_equal(remove_version(fixture, "v1", NULL), OX_OK);
    assert_string_equal(job_state(fixture, 1), "gone");
    later(fixture, 2 * HOUR_MS);
    json_decref(gc(fixture, false));
    assert_int_equal(blobs(fixture), 1); /* that of v2 */
}

/* --- what is needed --- */

static void need__of_a_device_is_named_and_ends_when_it_is_silent_for_long(void **state)
{
    struct fixture *fixture = *state;
    char why[OX_ERR_MSG_MAX];
    json_t *out;

    publish_many(fixture, 2);
    rule(fixture, "m", "{\"keep_newest\":1}");
    device(fixture, "cam-01");
    json_decref(beat_running(fixture, "cam-01", "v1"));
    later(fixture, 2 * DAY_MS);
    assert_int_equal(remove_version(fixture, "v1", why), OX_ECONFLICT);
    assert_string_equal(why, "m@v1 is needed: device cam-01 runs it");
    device(fixture, "cam-02");
    json_decref(beat_running(fixture, "cam-02", "v1"));
    assert_int_equal(remove_version(fixture, "v1", why), OX_ECONFLICT);
    assert_string_equal(why, "m@v1 is needed: 2 devices run it (cam-01 is one)");
    out = gc(fixture, false);
    assert_string_equal(text_at(out, "kept.0.version"), "v1");
    assert_string_equal(text_at(out, "kept.0.why"), "2 devices run it (cam-01 is one)");
    json_decref(out);
    later(fixture, 91 * DAY_MS);
    assert_string_equal(collected(fixture, false), "v1");
}

static void need__nothing_is_forgotten_for_a_day_after_a_start(void **state)
{
    struct fixture *fixture = *state;

    publish_many(fixture, 2);
    rule(fixture, "m", "{\"keep_newest\":1}");
    device(fixture, "cam-01");
    json_decref(beat_running(fixture, "cam-01", "v1"));
    later(fixture, 200 * DAY_MS); /* the control plane was down */
    restart(fixture);
    assert_string_equal(collected(fixture, false), "");
    later(fixture, DAY_MS + 1);
    assert_string_equal(collected(fixture, false), "v1");
}

static void need__of_a_campaign_its_origins_and_its_fleet(void **state)
{
    struct fixture *fixture = *state;
    char why[OX_ERR_MSG_MAX];

    publish_many(fixture, 3);
    make_deltas(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign(fixture, "v2", "all_at_once");
    assert_int_equal(remove_version(fixture, "v2", why), OX_ECONFLICT);
    assert_non_null(strstr(why, "is under way for it"));
    tick(fixture, 10);
    json_decref(beat_running(fixture, "d0", "v1"));
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_campaign(fixture, "state", "complete");
    later(fixture, HOUR_MS);
    assert_int_equal(remove_version(fixture, "v2", why), OX_ECONFLICT);
    assert_non_null(strstr(why, "device d0 runs it"));
    assert_int_equal(remove_version(fixture, "v1", why), OX_ECONFLICT); /* a revert's target */
    assert_non_null(strstr(why, "came from it"));
    json_decref(beat_running(fixture, "d0", "v3")); /* by hand */
    assert_int_equal(remove_version(fixture, "v2", why), OX_ECONFLICT);
    assert_non_null(strstr(why, "fleet f is to run it"));
}

/* --- blobs --- */

static struct ox_digest upload(struct fixture *fixture, const char *text)
{
    struct ox_store_writer *writer = NULL;
    struct ox_digest digest;

    assert_int_equal(ox_store_begin(fixture->store, &writer, NULL), OX_OK);
    assert_int_equal(ox_store_write(writer, text, strlen(text), NULL), OX_OK);
    assert_int_equal(ox_store_commit(writer, NULL, &digest, NULL, NULL), OX_OK);
    return digest;
}

static void gc__leaves_what_was_just_sent_for_its_manifest(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = upload(fixture, "some bytes");
    json_t *out = gc(fixture, false);

    assert_int_equal(number_at(out, "blobs.young"), 1);
    json_decref(out);
    assert_true(ox_store_has(fixture->store, &digest));
    later(fixture, HOUR_MS + 1000);
    json_decref(gc(fixture, true));
    assert_true(ox_store_has(fixture->store, &digest));
    json_decref(gc(fixture, false));
    assert_false(ox_store_has(fixture->store, &digest));
}

static void gc__finds_what_a_crash_left_between_database_and_files(void **state)
{
    struct fixture *fixture = *state;
    struct ox_artifact_row row;
    struct ox_tx tx = OX_TX_INIT;

    publish_many(fixture, 2);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_artifact_get(&tx, "m", "v1", &row, NULL), OX_OK);
    assert_int_equal(ox_registry_artifact_remove(&tx, row.id, fixture->now_ms, NULL), OX_OK);
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_int_equal(blobs(fixture), 2);
    later(fixture, 2 * HOUR_MS);
    restart(fixture);
    json_decref(gc(fixture, false));
    assert_int_equal(blobs(fixture), 1);
}

static void gc__the_clockwork_does_it_step_by_step(void **state)
{
    struct fixture *fixture = *state;

    publish_many(fixture, 3);
    rule(fixture, "m", "{\"keep_newest\":1}");
    later(fixture, 2 * HOUR_MS);
    tick(fixture, 10 * 300); /* two passes would take some 520 steps */
    assert_false(is_there(fixture, "v1"));
    assert_false(is_there(fixture, "v2"));
    assert_true(is_there(fixture, "v3"));
    assert_int_equal(blobs(fixture), 1);
}

/* --- the cache of patches --- */

static void cache__drops_the_least_recently_used_over_its_budget(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    json_t *out;

    fixture->delta_cache_bytes = 1; /* nothing fits */
    restart(fixture);
    publish_many(fixture, 4);
    make_deltas(fixture);
    out = gc(fixture, false);
    assert_int_equal(number_at(out, "patches.count"), 0); /* all of them are new */
    json_decref(out);
    later(fixture, 2 * HOUR_MS);
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    assert_true(download.is_patch); /* which is a use */
    (void)close(download.fd);
    out = gc(fixture, true);
    assert_int_equal(number_at(out, "patches.count"), 2);
    json_decref(out);
    assert_string_equal(job_state(fixture, 2), "ready");
    json_decref(gc(fixture, false));
    assert_string_equal(job_state(fixture, 1), "ready");
    assert_string_equal(job_state(fixture, 2), "evicted");
    assert_string_equal(job_state(fixture, 3), "evicted");
    assert_int_equal(blobs(fixture), 5);
    /* and it is made again for who asks */
    assert_int_equal(ox_control_download(fixture->control, "m", "v3", "v2", "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    assert_false(download.is_patch);
    (void)close(download.fd);
    make_deltas(fixture);
    assert_string_equal(job_state(fixture, 2), "ready");
}

static void cache__keeps_within_its_budget_and_no_less(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;
    uint64_t sizes = 0;

    publish_many(fixture, 4);
    make_deltas(fixture);
    for (int64_t id = 2; id <= 3; id++) {
        assert_int_equal(ox_control_job(fixture->control, id, &out, NULL), OX_OK);
        sizes += (uint64_t)number_at(out, "patch_bytes");
        json_decref(out);
    }
    fixture->delta_cache_bytes = sizes; /* of the newer two */
    restart(fixture);
    later(fixture, 2 * HOUR_MS);
    json_decref(gc(fixture, false));
    assert_string_equal(job_state(fixture, 1), "evicted");
    assert_string_equal(job_state(fixture, 2), "ready");
    assert_string_equal(job_state(fixture, 3), "ready");
}

static void cache__never_drops_what_a_campaign_is_for(void **state)
{
    struct fixture *fixture = *state;

    fixture->delta_cache_bytes = 1;
    restart(fixture);
    publish_many(fixture, 3);
    make_deltas(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign(fixture, "v2", "all_at_once");
    later(fixture, 30 * DAY_MS);
    json_decref(gc(fixture, false));
    assert_string_equal(job_state(fixture, 1), "ready");
    assert_string_equal(job_state(fixture, 2), "evicted");
    act(fixture, OX_ACTION_ABORT, "aborted");
    json_decref(gc(fixture, false));
    assert_string_equal(job_state(fixture, 1), "evicted");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_now, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(rule__keeps_the_newest_the_young_and_the_labelled),
        TEST(rule__of_a_model_comes_before_the_general_one),
        TEST(rule__refuses_what_is_wrong),
        TEST(gc__removes_by_rule_and_a_dry_run_removes_nothing),
        TEST(gc__a_blob_that_another_version_has_stays),
        TEST(removed__comes_back_with_the_same_bytes_alone),
        TEST(removed__takes_its_patches_along),
        TEST(need__of_a_device_is_named_and_ends_when_it_is_silent_for_long),
        TEST(need__nothing_is_forgotten_for_a_day_after_a_start),
        TEST(need__of_a_campaign_its_origins_and_its_fleet),
        TEST(gc__leaves_what_was_just_sent_for_its_manifest),
        TEST(gc__finds_what_a_crash_left_between_database_and_files),
        TEST(gc__the_clockwork_does_it_step_by_step),
        TEST(cache__drops_the_least_recently_used_over_its_budget),
        TEST(cache__keeps_within_its_budget_and_no_less),
        TEST(cache__never_drops_what_a_campaign_is_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
