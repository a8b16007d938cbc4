/* The agent killed at each boundary of each stage, and where syncs fail. */
#include "deaths.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const all_stages[] = {"preflight", "download", "rebuild", "verify",
                                         "stage",     "activate", "check",   "commit"};
#define STAGES (sizeof(all_stages) / sizeof(all_stages[0]))

/* Two of each stage: as it begins, and when it is done. */
static struct death boundary(const char *const *stages, size_t index)
{
    return (struct death){stages[index / 2], index % 2 == 1 ? OX_STAGE_DONE : OX_STAGE_BEGUN};
}

static void kill__at_any_boundary_leaves_old_or_new_and_ends_at_new(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < STAGES * 2; i++) {
        const struct death death = boundary(all_stages, i);
        enum ox_code code = OX_OK;

        begin_with_v1(world);
        assert_int_equal(die_updating(world, death), 42);
        assert_true(is_active(world, &world->v1) || is_active(world, &world->v2));
        (void)start_again(world, &code);
        assert_int_equal(code, OX_OK);
        assert_true(is_active(world, &world->v1) || is_active(world, &world->v2));
        if (!is_active(world, &world->v2)) {
            assert_link(world, "current", "v1");
            assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
        }
        assert_true(is_active(world, &world->v2));
        assert_link(world, "previous", "v1");
        assert_int_equal(failures_of(world, &world->v2), 0);
        assert_last_report(world, "complete");
        assert_last_way(world, "delta", world->patch_bytes);
        assert_no_litter(world);
    }
}

static void kill__behind_the_switch_leaves_readers_their_second(void **state)
{
    struct world *world = *state;
    enum ox_code code = OX_EINTERNAL;
    int64_t began_mono_ms;

    world->options.tuning.all.keep = 0;
    world->options.linger_ms = 500;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(die_updating(world, (struct death){"check", OX_STAGE_BEGUN}), 42);
    began_mono_ms = ox_clock_system()->mono_ms(NULL);
    assert_true(start_again(world, &code) && code == OX_OK && is_active(world, &world->v2));
    assert_true(ox_clock_system()->mono_ms(NULL) - began_mono_ms >= 500);
}

static void kill__of_a_removal_at_any_boundary_ends_with_nothing(void **state)
{
    static const char *const removal[] = {"remove", "forget"};
    struct world *world = *state;

    for (size_t i = 0; i < 4; i++) {
        const struct death death = boundary(removal, i);
        enum ox_code code = OX_OK;
        char *path;

        begin_with_v1(world);
        assert_int_equal(die_at(world, death, true), 42);
        path = seen(world);
        assert_true(path == NULL || is_active(world, &world->v1));
        free(path);
        assert_int_equal(start_again(world, &code), i < 3); /* written by then */
        assert_int_equal(code, OX_OK);
        assert_false(exists(world, "defect"));
        assert_false(exists(world, ".kept"));
        assert_last_report(world, "complete");
        assert_no_litter(world);
        assert_false(start_again(world, &code));
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK); /* it can come again */
        assert_true(is_active(world, &world->v1));
    }
}

static void kill__of_a_removal_whose_state_was_lost_ends_with_nothing(void **state)
{
    static const struct death deaths[] = {{"remove", OX_STAGE_BEGUN}, {"remove", OX_STAGE_DONE}};
    struct world *world = *state;

    for (size_t i = 0; i < 2; i++) {
        enum ox_code code = OX_OK;
        char *path = at(world, ".oxide/state.json");

        begin_with_v1(world);
        assert_int_equal(die_at(world, deaths[i], true), 42);
        assert_int_equal(unlink(path), 0);
        free(path);
        assert_true(start_again(world, &code));
        assert_int_equal(code, OX_OK);
        assert_false(exists(world, "defect"));
        assert_false(exists(world, ".kept"));
    }
}

static void kill__then_a_failing_check_ends_at_old(void **state)
{
    struct world *world = *state;

    for (size_t i = 5; i < STAGES; i++) { /* from activate on the update goes on by itself */
        const struct death death = {all_stages[i], OX_STAGE_BEGUN};
        enum ox_code code = OX_OK;

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        world->options.tuning.all.health_check = NULL;
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
        assert_int_equal(die_updating(world, death), 42);
        world->options.tuning.all.health_check = "exit 1";
        assert_true(start_again(world, &code));
        assert_int_equal(code, OX_EFAILED);
        assert_true(is_active(world, &world->v1));
        assert_link(world, "current", "v1");
        assert_int_equal(failures_of(world, &world->v2), 1);
        assert_no_litter(world);
    }
}

/* Files that are shared with the version before are never written to by what goes on with them. */
static void kill__with_shared_files_leaves_both_versions_whole(void **state)
{
    struct world *world = *state;
    const struct ox_digest own = put_blob(world, "own", 3);
    struct artifact next = {.version = "v2"};

    assert_int_equal(
        ox_manifest_add(&next.files, "model.bin", MODEL_BYTES, &world->v1.digest, false, NULL),
        OX_OK);
    assert_int_equal(ox_manifest_add(&next.files, "own", 3, &own, false, NULL), OX_OK);
    assert_int_equal(ox_manifest_finish(&next.files, NULL), OX_OK);
    assert_int_equal(ox_artifact_digest(&next.files, &next.digest, NULL), OX_OK);
    ox_manifest_clear(&world->v2.files);
    world->v2 = next;
    for (size_t i = 0; i < STAGES * 2; i++) {
        const struct death death = boundary(all_stages, i);
        enum ox_code code = OX_OK;

        begin_with_v1(world);
        assert_int_equal(die_updating(world, death), 42);
        (void)start_again(world, &code);
        assert_int_equal(code, OX_OK);
        assert_int_equal(update_to(world, &world->v2, false, NULL), OX_OK);
        assert_true(is_active(world, &world->v2));
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
        assert_true(is_active(world, &world->v1));
        assert_no_litter(world);
    }
}

static void kill__after_the_commit_was_written_reports_once(void **state)
{
    struct world *world = *state;
    const struct death death = {"check", OX_STAGE_DONE};
    struct ox_agent_state before;
    struct ox_agent_state after;
    struct ox_journal journal;
    enum ox_code code = OX_OK;
    char *state_path = at(world, ".oxide/state.json");
    char *journal_path = at(world, ".oxide/journal.json");

    /* Take the journal of an update that dies at the end of its check, finish the update, and put
     * the journal back: a kill right after the state was written. */
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(die_updating(world, death), 42);
    assert_int_equal(ox_journal_load(&journal, journal_path, NULL), OX_OK);
    assert_true(start_again(world, &code));
    assert_int_equal(ox_state_load(&before, state_path, NULL), OX_OK);
    assert_int_equal(ox_journal_save(&journal, journal_path, NULL), OX_OK);
    assert_false(start_again(world, &code));
    assert_int_equal(ox_state_load(&after, state_path, NULL), OX_OK);
    assert_int_equal(after.next_seq, before.next_seq);
    assert_true(is_active(world, &world->v2));
    assert_link(world, "previous", "v1");
    assert_no_litter(world);
    ox_journal_clear(&journal);
    ox_state_clear(&before);
    ox_state_clear(&after);
    free(state_path);
    free(journal_path);
}

/* Consumers have the old version back before it is written down why; the rest goes after that. */
static void kill__while_a_failed_update_is_undone_reports_the_check_once(void **state)
{
    static const char *const undone[] = {"activate", "stage", "rebuild", "download"};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(undone) / sizeof(undone[0]); i++) {
        const struct death death = {undone[i], OX_STAGE_UNDONE};
        enum ox_code code = OX_EFAILED;

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        world->options.tuning.all.health_check = NULL;
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
        world->options.tuning.all.health_check = "exit 1";
        assert_int_equal(die_updating(world, death), 42);
        assert_true(is_active(world, &world->v1));
        assert_int_equal(start_again(world, &code),
                         i == 0); /* tried once more: it still lies there */
        assert_int_equal(code, OX_EFAILED);
        assert_true(is_active(world, &world->v1));
        assert_int_equal(failures_of(world, &world->v2), 1);
        assert_last_report(world, "failed health");
        assert_no_litter(world);
    }
}

static void kill__between_the_last_folders_of_a_removal_leaves_none(void **state)
{
    struct world *world = *state;
    enum ox_code code = OX_OK;
    char *journal;
    char *last;

    /* Take the journal of a removal that dies, finish it, and put the journal back with the folder
     * that goes last: a kill right before that. */
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    last = at(world, exists(world, ".kept") ? ".kept" : "defect");
    assert_int_equal(die_at(world, (struct death){"forget", OX_STAGE_BEGUN}, true), 42);
    journal = read_text(world, ".oxide/journal.json");
    assert_true(start_again(world, &code) && code == OX_OK);
    assert_false(ox_path_exists(last));
    assert_int_equal(ox_dir_make(last, 0755, NULL), OX_OK);
    write_file(world, ".oxide/journal.json", journal);
    assert_false(start_again(world, &code));
    assert_false(exists(world, "defect"));
    assert_false(exists(world, ".kept"));
    assert_no_litter(world);
    free(journal);
    free(last);
}

/* --- a folder that cannot be synced --- */

static bool folder_sync_fails; /* the next one */

/* In the place of the C library's. */
int fsync(int fd)
{
    struct stat st;

    if (folder_sync_fails && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        folder_sync_fails = false;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void let_sync_fail(void *ctx, const char *stage, enum ox_stage_event event)
{
    if (strcmp(stage, ctx) == 0 && event == OX_STAGE_BEGUN) {
        folder_sync_fails = true;
    }
}

/* Update to v2, or remove v1; the first folder that this stage syncs cannot be. */
static enum ox_code run_with_failing_sync(struct world *world, const char *stage, bool removing)
{
    char name[16];
    struct ox_journal journal = {0};
    struct ox_update *update = NULL;
    enum ox_code code;
    bool pending = false;

    (void)snprintf(name, sizeof(name), "%s", stage);
    open_agent(world, &journal, &pending);
    ox_journal_clear(&journal);
    journal = removing ? unassign(world, &world->v1) : assign(world, &world->v2, true);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    update->observer = (struct ox_stage_observer){name, let_sync_fail};
    code = ox_update_run(update, NULL);
    ox_update_free(update);
    close_agent(world);
    assert_false(folder_sync_fails);
    return code;
}

static void sync__of_a_folder_that_fails_behind_the_commit_leaves_it_committed(void **state)
{
    struct world *world = *state;
    enum ox_code code = OX_OK;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(run_with_failing_sync(world, "commit", false), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_last_report(world, "complete");
    assert_int_equal(failures_of(world, &world->v2), 0);
    assert_false(start_again(world, &code));
    assert_true(is_active(world, &world->v2));
    assert_no_litter(world);
}

static void sync__of_a_folder_that_fails_behind_a_removal_leaves_it_removed(void **state)
{
    struct world *world = *state;
    enum ox_code code = OX_OK;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(run_with_failing_sync(world, "forget", true), OX_OK);
    assert_false(exists(world, "defect"));
    assert_last_report(world, "complete");
    assert_false(start_again(world, &code));
    assert_no_litter(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAYOUTS(kill__at_any_boundary_leaves_old_or_new_and_ends_at_new),
        WITH_WORLD(kill__behind_the_switch_leaves_readers_their_second),
        WITH_LAYOUTS(kill__of_a_removal_at_any_boundary_ends_with_nothing),
        WITH_LAYOUTS(kill__of_a_removal_whose_state_was_lost_ends_with_nothing),
        WITH_LAYOUTS(kill__then_a_failing_check_ends_at_old),
        WITH_LAYOUTS(kill__with_shared_files_leaves_both_versions_whole),
        WITH_LAYOUTS(kill__after_the_commit_was_written_reports_once),
        WITH_LAYOUTS(kill__while_a_failed_update_is_undone_reports_the_check_once),
        WITH_LAYOUTS(kill__between_the_last_folders_of_a_removal_leaves_none),
        WITH_LAYOUTS(sync__of_a_folder_that_fails_behind_the_commit_leaves_it_committed),
        WITH_LAYOUTS(sync__of_a_folder_that_fails_behind_a_removal_leaves_it_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
