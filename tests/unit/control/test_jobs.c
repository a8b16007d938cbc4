#include "fixture.h"

#include "oxide/control/job.h"

static json_t *job(struct fixture *fixture, int64_t id)
{
    json_t *out = NULL;

    assert_int_equal(ox_control_job(fixture->control, id, &out, NULL), OX_OK);
    return out;
}

static void assert_job_state(struct fixture *fixture, int64_t id, const char *state)
{
    json_t *out = job(fixture, id);

    assert_string_equal(text_at(out, "state"), state);
    json_decref(out);
}

static enum ox_code act_on(struct fixture *fixture, int64_t id, enum ox_job_action action)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_job_act(fixture->control, id, action, &out, NULL);

    json_decref(out);
    return code;
}

/* Queued jobs, as the database has them. */
static size_t queued(struct fixture *fixture)
{
    size_t count = 0;

    for (int64_t id = 1; id < 100; id++) {
        json_t *out = NULL;

        if (ox_control_job(fixture->control, id, &out, NULL) == OX_OK) {
            count += strcmp(text_at(out, "state"), "queued") == 0;
            json_decref(out);
        }
    }
    return count;
}

static void job__tells_versions_and_what_came_of_it(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    publish_two(fixture);
    out = job(fixture, 1);
    assert_string_equal(text_at(out, "model_id"), "m");
    assert_string_equal(text_at(out, "base_version"), "v1");
    assert_string_equal(text_at(out, "target_version"), "v2");
    assert_string_equal(text_at(out, "state"), "queued");
    assert_true(json_is_null(at(out, "progress")));
    assert_true(json_is_null(at(out, "patch_bytes")));
    assert_true(json_is_null(at(out, "ended_at")));
    json_decref(out);
    make_deltas(fixture);
    out = job(fixture, 1);
    assert_string_equal(text_at(out, "state"), "ready");
    assert_true(number_at(out, "patch_bytes") > 0);
    assert_true(json_is_string(at(out, "patch")));
    assert_true(json_is_string(at(out, "ended_at")));
    json_decref(out);
    assert_int_equal(ox_control_job(fixture->control, 99, &out, NULL), OX_ENOTFOUND);
}

static void cancel__holds_until_somebody_retries(void **state)
{
    struct fixture *fixture = *state;
    bool made = true;

    publish_two(fixture);
    assert_int_equal(act_on(fixture, 1, OX_JOB_CANCEL), OX_OK);
    assert_job_state(fixture, 1, "canceled");
    assert_int_equal(ox_control_make_delta(fixture->control, &made, NULL), OX_OK);
    assert_false(made);
    assert_int_equal(act_on(fixture, 1, OX_JOB_CANCEL), OX_ECONFLICT);
    restart(fixture);
    assert_job_state(fixture, 1, "canceled");
    assert_int_equal(act_on(fixture, 1, OX_JOB_RETRY), OX_OK);
    assert_job_state(fixture, 1, "queued");
    make_deltas(fixture);
    assert_job_state(fixture, 1, "ready");
    assert_int_equal(act_on(fixture, 1, OX_JOB_RETRY), OX_ECONFLICT);
    assert_int_equal(act_on(fixture, 1, OX_JOB_CANCEL), OX_ECONFLICT);
    assert_int_equal(act_on(fixture, 9, OX_JOB_RETRY), OX_ENOTFOUND);
}

static void cancel__devices_that_ask_for_it_do_not_bring_it_back(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    assert_int_equal(act_on(fixture, 1, OX_JOB_CANCEL), OX_OK);
    campaign(fixture, "v2", "all_at_once");
    tick(fixture, 10);
    assert_job_state(fixture, 1, "canceled");
    answer = beat_running(fixture, "d0", "v1");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v2");
    assert_true(json_is_null(at(answer, "assignments.0.patch")));
    json_decref(answer);
}

static void queue__holds_no_more_than_its_bound_and_drops_the_least_awaited(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    fixture->jobs_max = 2;
    restart(fixture);
    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    for (unsigned i = 3; i < 8; i++) { /* each with a job from the one before, and one from v1 */
        char version[8];
        bool created = false;

        (void)snprintf(version, sizeof(version), "v%u", i);
        assert_int_equal(publish(fixture, version, 1, i * 10, &created), OX_OK);
        assert_true(queued(fixture) <= 2);
    }
    assert_int_equal(queued(fixture), 2);
    for (int64_t id = 1; id < 100; id++) {
        if (ox_control_job(fixture->control, id, &out, NULL) == OX_OK) {
            assert_int_equal(number_at(out, "waiting"), 1); /* d0 waits for both that are left */
            json_decref(out);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(job__tells_versions_and_what_came_of_it),
        TEST(cancel__holds_until_somebody_retries),
        TEST(cancel__devices_that_ask_for_it_do_not_bring_it_back),
        TEST(queue__holds_no_more_than_its_bound_and_drops_the_least_awaited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
