#include "helpers.h"

#include "../../../src/agent/patches.h"

#include "oxide/base/file.h"
#include "oxide/delta/delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ox_code append(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_buf_append(ctx, bytes, len_bytes, err);
}

static const struct blob *blob_of(const struct world *world, const struct ox_digest *digest)
{
    char hex[OX_DIGEST_HEX_MAX];

    ox_digest_hex(digest, hex);
    for (size_t i = 0; i < world->blob_count; i++) {
        if (strcmp(world->blobs[i].hex, hex) == 0) {
            return &world->blobs[i];
        }
    }
    fail_msg("no blob %s", hex);
    return NULL;
}

/* The patch from v2 to v3, on the server. */
static struct ox_patch_ref second_patch(struct world *world)
{
    const struct blob *from = blob_of(world, &world->v2.digest);
    const struct blob *to = blob_of(world, &world->v3.digest);
    struct ox_memory memories[2] = {{from->bytes, from->len}, {to->bytes, to->len}};
    struct ox_source sources[2] = {ox_memory_source(&memories[0]), ox_memory_source(&memories[1])};
    const struct ox_delta_side sides[2] = {{&world->v2.files, &sources[0], world->v2.digest},
                                           {&world->v3.files, &sources[1], world->v3.digest}};
    struct ox_buf buf = OX_BUF_INIT;
    const struct ox_output out = {&buf, append};
    struct ox_patch_ref patch = {.present = true};

    assert_int_equal(ox_delta_create(&sides[0], &sides[1], &(struct ox_delta_options){.threads = 1},
                                     &out, NULL, NULL),
                     OX_OK);
    patch.sha256 = put_blob(world, buf.data, buf.len_bytes);
    patch.size_bytes = buf.len_bytes;
    assert_int_equal(ox_strdup(&patch.format, "oxdl/2", NULL), OX_OK);
    ox_buf_clear(&buf);
    return patch;
}

/* v3 by way of v2, from v1. */
static struct ox_journal assign_chain(struct world *world)
{
    struct ox_journal journal = assign(world, &world->v3, true);
    struct ox_assignment *assignment = &journal.assignment;

    assignment->chain = calloc(2, sizeof(*assignment->chain));
    assert_non_null(assignment->chain);
    assignment->chain_count = 2;
    assignment->chain[0].patch = assignment->patch; /* v1 to v2 */
    assignment->patch = (struct ox_patch_ref){.present = false};
    assert_int_equal(ox_strdup(&assignment->chain[0].version, "v2", NULL), OX_OK);
    assignment->chain[0].digest = world->v2.digest;
    assert_int_equal(ox_manifest_copy(&assignment->chain[0].files, &world->v2.files, NULL), OX_OK);
    assignment->chain[1].patch = second_patch(world);
    assignment->chain[1].digest = world->v3.digest;
    return journal;
}

struct at_stage {
    struct ox_update *update;
    const char *stage; /* stop as it begins; NULL: nowhere */
};

static void stop_at_stage(void *ctx, const char *stage, enum ox_stage_event event)
{
    struct at_stage *action = ctx;

    if (event == OX_STAGE_BEGUN && action->stage != NULL && strcmp(stage, action->stage) == 0) {
        ox_stop_request(&action->update->stop);
    }
}

static enum ox_code run_chain(struct world *world, struct ox_journal *take_journal,
                              const char *stop_at, struct ox_err *err)
{
    struct at_stage action = {NULL, stop_at};
    enum ox_code code;

    assert_int_equal(ox_update_new(&action.update, &world->agent, take_journal, NULL), OX_OK);
    action.update->observer = (struct ox_stage_observer){&action, stop_at_stage};
    code = ox_update_run(action.update, err);
    ox_update_free(action.update);
    return code;
}

static void start(struct world *world)
{
    struct ox_journal none = {0};
    bool pending = false;

    open_agent(world, &none, &pending);
    assert_false(pending);
    ox_journal_clear(&none);
}

static void assert_clean(struct world *world)
{
    assert_no_litter(world);
    assert_false(exists(world, ".oxide/between"));
}

static void chain__rebuilds_by_way_of_the_version_in_between(void **state)
{
    struct world *world = *state;
    struct ox_journal journal;
    uint64_t bytes;

    install_v1(world);
    start(world);
    journal = assign_chain(world);
    bytes = ox_patches_bytes(&journal.assignment);
    assert_int_equal(run_chain(world, &journal, NULL, NULL), OX_OK);
    close_agent(world);
    assert_true(is_active(world, &world->v3));
    assert_link(world, "current", "v3");
    assert_link(world, "previous", "v1"); /* v2 was never installed */
    assert_false(exists(world, "defect/versions/v2"));
    assert_int_equal(world->blob_requests, 2);
    assert_int_equal(world->blob_bytes, bytes);
    assert_last_report(world, "complete");
    assert_clean(world);
}

static void run_with_bad_link(struct world *world, size_t link)
{
    struct ox_journal journal;

    install_v1(world);
    start(world);
    journal = assign_chain(world);
    journal.assignment.chain[link].patch.sha256 = put_blob(world, "no patch at all", 15);
    journal.assignment.chain[link].patch.size_bytes = 15;
    assert_int_equal(run_chain(world, &journal, NULL, NULL), OX_OK);
    close_agent(world);
    assert_true(is_active(world, &world->v3));
    assert_last_report(world, "complete patch");
    assert_clean(world);
}

static void chain__a_bad_first_link_means_full_files(void **state)
{
    run_with_bad_link(*state, 0);
}

static void chain__a_bad_last_link_means_full_files(void **state)
{
    run_with_bad_link(*state, 1);
}

static void chain__a_link_for_another_version_means_full_files(void **state)
{
    struct world *world = *state;
    struct ox_journal journal;

    install_v1(world);
    start(world);
    journal = assign_chain(world);
    ox_manifest_clear(&journal.assignment.chain[0].files); /* says it rebuilds v3's files */
    assert_int_equal(ox_manifest_copy(&journal.assignment.chain[0].files, &world->v3.files, NULL),
                     OX_OK);
    assert_int_equal(run_chain(world, &journal, NULL, NULL), OX_OK);
    close_agent(world);
    assert_true(is_active(world, &world->v3));
    assert_last_report(world, "complete patch");
    assert_clean(world);
}

static void chain__where_full_files_are_not_for_it_failure_is_reported(void **state)
{
    struct world *world = *state;
    struct ox_journal journal;

    install_v1(world);
    start(world);
    journal = assign_chain(world);
    journal.assignment.patch_only = true;
    journal.assignment.chain[1].patch.sha256 = put_blob(world, "no patch at all", 15);
    journal.assignment.chain[1].patch.size_bytes = 15;
    assert_int_not_equal(run_chain(world, &journal, NULL, NULL), OX_OK);
    close_agent(world);
    assert_true(is_active(world, &world->v1));
    assert_last_report(world, "failed patch");
    assert_clean(world);
}

static void chain__goes_on_after_a_stop_with_what_it_fetched(void **state)
{
    static const char *const stages[] = {"download", "rebuild", "verify", "stage"};
    struct world *world = *state;

    install_v1(world);
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        struct ox_journal journal;

        start(world);
        journal = assign_chain(world);
        assert_int_equal(run_chain(world, &journal, stages[i], NULL), OX_ECANCELED);
        close_agent(world);
        assert_true(is_active(world, &world->v1));
        assert_true(exists(world, ".oxide/journal.json"));
    }
    world->blob_bytes = 0;
    start(world);
    {
        struct ox_journal journal = assign_chain(world);

        assert_int_equal(run_chain(world, &journal, NULL, NULL), OX_OK);
    }
    close_agent(world);
    assert_int_equal(world->blob_bytes, 0); /* both patches were there */
    assert_true(is_active(world, &world->v3));
    assert_clean(world);
}

static void chain__survives_in_the_journal(void **state)
{
    struct world *world = *state;
    struct ox_journal journal;
    struct ox_journal back = {0};
    char *path = at(world, "journal-copy.json");

    install_v1(world);
    start(world);
    journal = assign_chain(world);
    (void)snprintf(journal.stage, sizeof(journal.stage), "rebuild");
    journal.attempt = 5;
    assert_int_equal(ox_journal_save(&journal, path, NULL), OX_OK);
    assert_int_equal(ox_journal_load(&back, path, NULL), OX_OK);
    assert_int_equal(back.assignment.chain_count, 2);
    assert_string_equal(back.assignment.chain[0].version, "v2");
    assert_int_equal(ox_patches_bytes(&back.assignment), ox_patches_bytes(&journal.assignment));
    ox_journal_clear(&back);
    ox_journal_clear(&journal);
    close_agent(world);
    free(path);
}

/* --- sizes --- */

static void add_link(struct ox_assignment *assignment, size_t index, uint64_t patch_bytes,
                     uint64_t file_bytes)
{
    const struct ox_digest digest = {{1}};

    assignment->chain[index].patch.present = true;
    assignment->chain[index].patch.size_bytes = patch_bytes;
    if (file_bytes > 0) {
        assert_int_equal(
            ox_manifest_single(&assignment->chain[index].files, "a", file_bytes, &digest, NULL),
            OX_OK);
    }
}

static void disk__is_the_two_largest_neighbours(void **state)
{
    struct ox_chain_link links[3] = {{.version = NULL}};
    struct ox_assignment assignment = {.chain = links, .chain_count = 3};
    const struct ox_digest digest = {{1}};
    char text[128];

    (void)state;
    assert_int_equal(ox_manifest_single(&assignment.files, "a", 100, &digest, NULL), OX_OK);
    add_link(&assignment, 0, 1, 1000);
    add_link(&assignment, 1, 2, 500);
    add_link(&assignment, 2, 4, 0);
    assert_int_equal(ox_patches_bytes(&assignment), 7);
    assert_int_equal(ox_patches_disk_bytes(&assignment), 1000 + 500);
    assignment.base_version = (char *)"v1";
    links[0].version = (char *)"v2";
    links[1].version = (char *)"v3";
    assert_string_equal(ox_patches_text(&assignment, text, sizeof(text)),
                        "3 patches from v1 by way of v2, v3");
    (void)ox_patches_text(&assignment, text, 20); /* cut, not overrun */
    assert_int_equal(strlen(text), 19);
    for (size_t i = 0; i < 3; i++) {
        ox_manifest_clear(&links[i].files);
    }
    ox_manifest_clear(&assignment.files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(chain__rebuilds_by_way_of_the_version_in_between),
        WITH_WORLD(chain__a_bad_first_link_means_full_files),
        WITH_WORLD(chain__a_bad_last_link_means_full_files),
        WITH_WORLD(chain__a_link_for_another_version_means_full_files),
        WITH_WORLD(chain__where_full_files_are_not_for_it_failure_is_reported),
        WITH_WORLD(chain__goes_on_after_a_stop_with_what_it_fetched),
        WITH_WORLD(chain__survives_in_the_journal),
        cmocka_unit_test(disk__is_the_two_largest_neighbours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
