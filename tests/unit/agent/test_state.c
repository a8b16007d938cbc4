#include "helpers.h"

#include "oxide/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ox_device_report report(const char *version, enum ox_rollout_state state)
{
    return (struct ox_device_report){
        .model_id = (char *)"defect", .version = (char *)version, .state = state};
}

static struct ox_installed installed(const char *version, uint8_t mark)
{
    struct ox_installed out = {.digest = {{mark}}};

    assert_int_equal(ox_strdup(&out.version, version, NULL), OX_OK);
    assert_int_equal(ox_strdup(&out.folder, version, NULL), OX_OK);
    assert_int_equal(ox_manifest_single(&out.files, "model.bin", 5, &out.digest, NULL), OX_OK);
    return out;
}

static struct ox_assignment assignment(const char *version)
{
    return (struct ox_assignment){
        .model_id = (char *)"defect", .version = (char *)version, .digest = {{1}}};
}

/* A state with something of everything. */
static struct ox_agent_state filled(void)
{
    const struct ox_assignment bad = assignment("v9");
    const struct ox_device_report done = report("v2", OX_ROLLOUT_COMPLETE);
    struct ox_installed one = installed("v1", 1);
    struct ox_installed two = installed("v2", 2);
    struct ox_agent_state state;

    assert_int_equal(ox_state_init(&state, "cam-01", 1, NULL), OX_OK);
    assert_int_equal(ox_state_commit(&state, "defect", &one, 1, NULL), OX_OK);
    assert_int_equal(ox_state_commit(&state, "defect", &two, 1, NULL), OX_OK);
    assert_int_equal(ox_state_fail(&state, &bad, NULL, NULL), OX_OK);
    assert_int_equal(ox_state_set_result(&state, "it \"broke\"", NULL), OX_OK);
    assert_int_equal(ox_state_report(&state, &done, NULL), OX_OK);
    state.last_attempt = 77;
    return state;
}

static void file__round_trip(void **state)
{
    struct world *world = *state;
    const struct ox_assignment bad = assignment("v9");
    struct ox_agent_state out = filled();
    struct ox_agent_state back;
    char *path = at(world, "state.json");

    assert_int_equal(ox_dir_make(world->model_dir, 0755, NULL), OX_OK);
    assert_int_equal(ox_state_save(&out, path, NULL), OX_OK);
    assert_int_equal(ox_state_load(&back, path, NULL), OX_OK);
    assert_string_equal(back.device_id, "cam-01");
    assert_int_equal(back.next_seq, 2);
    assert_int_equal(back.last_attempt, 77);
    assert_string_equal(back.last_model, "defect");
    assert_string_equal(back.result_error, "it \"broke\"");
    assert_string_equal(back.models[0].current.version, "v2");
    assert_string_equal(back.models[0].kept[0].version, "v1");
    assert_int_equal(ox_state_failures(&back, &bad), 1);
    assert_int_equal(back.reports_count, 1);
    assert_int_equal(back.reports[0].state, OX_ROLLOUT_COMPLETE);
    ox_state_clear(&back);
    ox_state_clear(&out);
    free(path);
}

static void file__truncated_at_every_byte_is_damaged(void **state)
{
    struct world *world = *state;
    struct ox_agent_state out = filled();
    struct ox_agent_state back;
    char *path = at(world, "state.json");
    char *text;

    assert_int_equal(ox_dir_make(world->model_dir, 0755, NULL), OX_OK);
    assert_int_equal(ox_state_save(&out, path, NULL), OX_OK);
    text = read_text(world, "state.json");
    for (size_t len = strlen(text); len-- > 0;) {
        text[len] = '\0';
        write_file(world, "state.json", text);
        assert_int_equal(ox_state_load(&back, path, NULL), OX_ECORRUPT);
    }
    ox_state_clear(&out);
    free(text);
    free(path);
}

static void file__refuses_what_it_does_not_know(void **state)
{
    struct world *world = *state;
    struct ox_agent_state back;
    char *path = at(world, "state.json");

    assert_int_equal(ox_dir_make(world->model_dir, 0755, NULL), OX_OK);
    write_file(world, "state.json", "{\"format\":2}");
    assert_int_equal(ox_state_load(&back, path, NULL), OX_EUNSUPPORTED);
    write_file(world, "state.json",
               "{\"format\":1,\"device_id\":\"a/b\",\"next_seq\":1,"
               "\"last_attempt\":0}");
    assert_int_equal(ox_state_load(&back, path, NULL), OX_ECORRUPT);
    write_file(world, "state.json",
               "{\"format\":1,\"device_id\":\"a\",\"next_seq\":1,\"last_attempt\":0,\"models\":"
               "[{\"id\":\"m\",\"current\":{\"version\":\"v\",\"folder\":\"../x\",\"digest\":"
               "\"0000000000000000000000000000000000000000000000000000000000000001\",\"files\":["
               "{\"path\":\"a\",\"size\":1,\"sha256\":"
               "\"0000000000000000000000000000000000000000000000000000000000000001\"}]}}]}");
    assert_int_equal(ox_state_load(&back, path, NULL), OX_ECORRUPT);
    free(path);
}

static void reports__progress_is_replaced_and_ends_are_kept(void **state)
{
    struct ox_agent_state queue;
    const struct ox_device_report steps[] = {
        report("v1", OX_ROLLOUT_DOWNLOADING), report("v1", OX_ROLLOUT_APPLYING),
        report("v1", OX_ROLLOUT_FAILED), report("v1", OX_ROLLOUT_DOWNLOADING),
        report("v2", OX_ROLLOUT_DOWNLOADING)};
    (void)state;
    assert_int_equal(ox_state_init(&queue, "cam-01", 1, NULL), OX_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(ox_state_report(&queue, &steps[i], NULL), OX_OK);
    }
    assert_int_equal(queue.reports_count, 3);
    assert_int_equal(queue.reports[0].state, OX_ROLLOUT_FAILED);
    assert_int_equal(queue.reports[0].seq, 3);
    assert_int_equal(queue.reports[2].seq, 5);
    ox_state_clear(&queue);
}

static void reports__a_full_queue_drops_the_oldest(void **state)
{
    struct ox_agent_state queue;
    const struct ox_device_report end = report("v1", OX_ROLLOUT_FAILED);

    (void)state;
    assert_int_equal(ox_state_init(&queue, "cam-01", 1, NULL), OX_OK);
    for (int i = 0; i < OX_HEARTBEAT_REPORTS_MAX + 5; i++) {
        assert_int_equal(ox_state_report(&queue, &end, NULL), OX_OK);
    }
    assert_int_equal(queue.reports_count, OX_HEARTBEAT_REPORTS_MAX);
    assert_int_equal(queue.reports[0].seq, 6);
    ox_state_clear(&queue);
}

static void reports__acknowledged_ones_leave(void **state)
{
    struct ox_agent_state queue;
    const struct ox_device_report end = report("v1", OX_ROLLOUT_FAILED);

    (void)state;
    assert_int_equal(ox_state_init(&queue, "cam-01", 1, NULL), OX_OK);
    assert_false(ox_state_ack(&queue, 0));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ox_state_report(&queue, &end, NULL), OX_OK);
    }
    assert_true(ox_state_ack(&queue, 2));
    assert_int_equal(queue.reports_count, 1);
    assert_int_equal(queue.reports[0].seq, 3);
    assert_false(ox_state_ack(&queue, 2));
    ox_state_clear(&queue);
}

static void reports__a_counter_that_was_lost_goes_on_behind_the_servers(void **state)
{
    struct ox_agent_state queue;
    const struct ox_device_report end = report("v1", OX_ROLLOUT_FAILED);

    (void)state;
    assert_int_equal(ox_state_init(&queue, "cam-01", 1, NULL), OX_OK);
    assert_int_equal(ox_state_report(&queue, &end, NULL), OX_OK);
    assert_true(ox_state_ack(&queue, 40)); /* we never sent 40 */
    assert_int_equal(queue.reports_count, 1);
    assert_int_equal(queue.reports[0].seq, 41);
    assert_int_equal(queue.next_seq, 42);
    ox_state_clear(&queue);
}

static void reports__an_acknowledgement_that_leaves_no_numbers_is_none(void **state)
{
    struct ox_agent_state agent_state;
    uint64_t next;

    (void)state;
    assert_int_equal(ox_state_init(&agent_state, "cam-01", 1, NULL), OX_OK);
    next = agent_state.next_seq;
    assert_false(ox_state_ack(&agent_state, INT64_MAX));
    assert_int_equal(agent_state.next_seq, next);
    ox_state_clear(&agent_state);
}

static void reports__messages_are_made_fit_for_json(void **state)
{
    struct world *world = *state;
    struct ox_agent_state queue;
    struct ox_device_report end = report("v1", OX_ROLLOUT_FAILED);
    char *path = at(world, "state.json");

    end.error_code = (char *)"health";
    end.error_message = (char *)"\xff\x01";
    assert_int_equal(ox_dir_make(world->model_dir, 0755, NULL), OX_OK);
    assert_int_equal(ox_state_init(&queue, "cam-01", 1, NULL), OX_OK);
    assert_int_equal(ox_state_report(&queue, &end, NULL), OX_OK);
    assert_int_equal(ox_state_set_result(&queue, "\xc3", NULL), OX_OK);
    assert_int_equal(ox_state_save(&queue, path, NULL), OX_OK);
    ox_state_clear(&queue);
    free(path);
}

static void poison__is_of_a_digest_and_forgets_the_oldest(void **state)
{
    struct ox_agent_state poisoned;
    struct ox_assignment bad = assignment("v1");
    char version[16];

    (void)state;
    assert_int_equal(ox_state_init(&poisoned, "cam-01", 1, NULL), OX_OK);
    assert_int_equal(ox_state_fail(&poisoned, &bad, NULL, NULL), OX_OK);
    assert_int_equal(ox_state_fail(&poisoned, &bad, NULL, NULL), OX_OK);
    assert_int_equal(ox_state_failures(&poisoned, &bad), 2);
    bad.digest.bytes[0] ^= 1; /* published anew with other bytes: a clean slate */
    assert_int_equal(ox_state_failures(&poisoned, &bad), 0);
    bad.digest.bytes[0] ^= 1;
    for (int i = 0; i < OX_STATE_POISON_MAX; i++) {
        struct ox_assignment other = assignment(version);

        (void)snprintf(version, sizeof(version), "w%d", i);
        assert_int_equal(ox_state_fail(&poisoned, &other, NULL, NULL), OX_OK);
    }
    assert_int_equal(ox_state_failures(&poisoned, &bad), 0);
    assert_int_equal(poisoned.poison_count, OX_STATE_POISON_MAX);
    ox_state_clear(&poisoned);
}

static void models__are_bounded(void **state)
{
    struct ox_agent_state full;
    struct ox_installed one = installed("v1", 1);
    char id[16];

    (void)state;
    assert_int_equal(ox_state_init(&full, "cam-01", 1, NULL), OX_OK);
    for (int i = 0; i < OX_HEARTBEAT_MODELS_MAX; i++) {
        struct ox_installed copy;

        (void)snprintf(id, sizeof(id), "m%d", i);
        assert_int_equal(ox_installed_copy(&copy, &one, NULL), OX_OK);
        assert_int_equal(ox_state_commit(&full, id, &copy, 1, NULL), OX_OK);
    }
    assert_int_equal(ox_state_commit(&full, "one-more", &one, 1, NULL), OX_ETOOBIG);
    assert_non_null(one.version); /* still ours */
    ox_state_forget(&full, "m0");
    assert_null(ox_state_model(&full, "m0"));
    assert_int_equal(ox_state_commit(&full, "one-more", &one, 1, NULL), OX_OK);
    ox_installed_clear(&one);
    ox_state_clear(&full);
}

static void folder_names__long_identifiers_are_cut_and_told_apart(void **state)
{
    char id[257];
    char first[OX_FOLDER_NAME_MAX];
    char second[OX_FOLDER_NAME_MAX];

    (void)state;
    memset(id, 'a', 256);
    id[256] = '\0';
    assert_int_equal(ox_folder_name(id, first, NULL), OX_OK);
    assert_int_equal(strlen(first), 180 + 1 + 16);
    id[255] = 'b';
    assert_int_equal(ox_folder_name(id, second, NULL), OX_OK);
    assert_string_not_equal(first, second);
    id[200] = '\0';
    assert_int_equal(ox_folder_name(id, first, NULL), OX_OK);
    assert_string_equal(first, id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(file__round_trip),
        WITH_WORLD(file__truncated_at_every_byte_is_damaged),
        WITH_WORLD(file__refuses_what_it_does_not_know),
        cmocka_unit_test(reports__progress_is_replaced_and_ends_are_kept),
        cmocka_unit_test(reports__a_full_queue_drops_the_oldest),
        cmocka_unit_test(reports__acknowledged_ones_leave),
        cmocka_unit_test(reports__a_counter_that_was_lost_goes_on_behind_the_servers),
        WITH_WORLD(reports__an_acknowledgement_that_leaves_no_numbers_is_none),
        WITH_WORLD(reports__messages_are_made_fit_for_json),
        cmocka_unit_test(poison__is_of_a_digest_and_forgets_the_oldest),
        cmocka_unit_test(models__are_bounded),
        cmocka_unit_test(folder_names__long_identifiers_are_cut_and_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
