#include "helpers.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- killed at each boundary of each stage --- */

struct death {
    const char *stage;
    bool done;
};

static void die_at_stage(void *ctx, const char *stage, bool done)
{
    const struct death *death = ctx;

    if (strcmp(stage, death->stage) == 0 && done == death->done) {
        _exit(42); /* no undo, no journal, no goodbye */
    }
}

/* Update to v2, or remove v1, in a process of its own, which dies at the instant named. Returns its
 * status. */
static int die_at(struct world *world, struct death death, bool removing)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct ox_journal journal = {0};
        struct ox_update *update = NULL;
        bool pending = false;

        if (ox_agent_open(&world->agent, &world->options, &world->stop, NULL, NULL) != OX_OK ||
            ox_agent_recover(&world->agent, &journal, &pending, NULL) != OX_OK) {
            _exit(1);
        }
        ox_journal_clear(&journal);
        journal = removing ? unassign(world, &world->v1)
                           : assign(world, &world->v2, world->v2.files.count == 1);
        if (ox_update_new(&update, &world->agent, &journal, NULL) != OX_OK) {
            _exit(1);
        }
        update->observer = (struct ox_stage_observer){&death, die_at_stage};
        _exit(ox_update_run(update, NULL) == OX_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int die_updating(struct world *world, struct death death)
{
    return die_at(world, death, false);
}

/* Start again: what had begun to switch is run from its journal. Returns whether there was such. */
static bool start_again(struct world *world, enum ox_code *code)
{
    struct ox_journal journal = {0};
    struct ox_update *update = NULL;
    bool pending = false;

    open_agent(world, &journal, &pending);
    if (pending) {
        assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
        *code = ox_update_run(update, NULL);
        ox_update_free(update);
    }
    ox_journal_clear(&journal);
    close_agent(world);
    return pending;
}

static const char *const all_stages[] = {"preflight", "download", "rebuild", "verify",
                                         "stage",     "activate", "check",   "commit"};
#define STAGES (sizeof(all_stages) / sizeof(all_stages[0]))

static void kill__at_any_boundary_leaves_old_or_new_and_ends_at_new(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < STAGES * 2; i++) {
        const struct death death = {all_stages[i / 2], i % 2 == 1};
        enum ox_code code = OX_OK;

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
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
    assert_int_equal(die_updating(world, (struct death){"check", false}), 42);
    began_mono_ms = ox_clock_system()->mono_ms(NULL);
    assert_true(start_again(world, &code) && code == OX_OK && is_active(world, &world->v2));
    assert_true(ox_clock_system()->mono_ms(NULL) - began_mono_ms >= 500);
}

static void kill__of_a_removal_at_any_boundary_ends_with_nothing(void **state)
{
    static const char *const removal[] = {"remove", "forget"};
    struct world *world = *state;

    for (size_t i = 0; i < 4; i++) {
        const struct death death = {removal[i / 2], i % 2 == 1};
        enum ox_code code = OX_OK;
        char *path;

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
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
    static const struct death deaths[] = {{"remove", false}, {"remove", true}};
    struct world *world = *state;

    for (size_t i = 0; i < 2; i++) {
        enum ox_code code = OX_OK;
        char *path = at(world, ".oxide/state.json");

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
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
        const struct death death = {all_stages[i], false};
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
        const struct death death = {all_stages[i / 2], i % 2 == 1};
        enum ox_code code = OX_OK;

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
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
    const struct death death = {"check", true};
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

/* --- damaged and strange files --- */

static int count_set_aside(const struct world *world)
{
    char *own = at(world, ".oxide");
    DIR *dir = opendir(own);
    struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        count += strstr(entry->d_name, ".bad-") != NULL;
    }
    (void)closedir(dir);
    free(own);
    return count;
}

static void state__damaged_is_set_aside_and_made_anew_from_the_links(void **state)
{
    static const char *const texts[] = {"", "{\"format\":1", "{\"format\":99}", "\xff"};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
        write_file(world, ".oxide/state.json", texts[i]);
        world->blob_bytes = 0;
        assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
        assert_int_equal(count_set_aside(world), 1);
        assert_int_equal(world->blob_bytes, world->patch_bytes); /* v1 was recognised */
        assert_true(is_active(world, &world->v2));
    }
}

static void state__lost_in_mid_switch_goes_back_to_what_the_journal_says(void **state)
{
    struct world *world = *state;
    const struct death death = {"check", false};
    enum ox_code code = OX_OK;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(die_updating(world, death), 42);
    assert_link(world, "current", "v2"); /* unchecked */
    write_file(world, ".oxide/state.json", "garbage");
    world->options.tuning.all.health_check = "exit 1";
    assert_true(start_again(world, &code));
    assert_int_equal(code, OX_EFAILED);
    assert_true(is_active(world, &world->v1));
}

static void journal__damaged_is_set_aside_and_the_state_holds(void **state)
{
    static const char *const texts[] = {"", "{\"format\":1}", "{\"format\":7}"};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct death death = {"check", false};
        enum ox_code code = OX_OK;

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
        assert_int_equal(die_updating(world, death), 42);
        write_file(world, ".oxide/journal.json", texts[i]);
        assert_false(start_again(world, &code));
        assert_int_equal(count_set_aside(world), 1);
        assert_true(is_active(world, &world->v1)); /* v2 was never checked */
        assert_false(has_version(world, "v2"));
    }
}

static void journal__truncated_at_every_byte_is_damaged(void **state)
{
    struct world *world = *state;
    const struct death death = {"check", false};
    struct ox_journal journal = {0};
    char *path = at(world, ".oxide/journal.json");
    char *text;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(die_updating(world, death), 42);
    text = read_text(world, ".oxide/journal.json");
    for (size_t len = strlen(text); len-- > 0;) {
        text[len] = '\0';
        write_file(world, ".oxide/journal.json", text);
        assert_int_equal(ox_journal_load(&journal, path, NULL), OX_ECORRUPT);
    }
    free(text);
    free(path);
}

static void start__removes_what_an_earlier_run_left(void **state)
{
    struct world *world = *state;
    enum ox_code code = OX_OK;
    char *path;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    path = at(world, ".oxide/staging/a/b");
    assert_int_equal(ox_dir_make(path, 0755, NULL), OX_OK);
    free(path);
    path = at(world, "defect/versions/v0");
    assert_int_equal(ox_dir_make(path, 0755, NULL), OX_OK);
    free(path);
    write_file(world, ".oxide/download/0000.part", "old");
    write_file(world, ".oxide/state.json.tmp-a1B2c3", "half");
    write_file(world, ".oxide/journal.json.tmp-XXXXXX", "half");
    write_file(world, ".oxide/state.json.backup", "the operator's");
    write_file(world, ".oxide/identity.json.tmp-000000", "half");
    write_file(world, ".oxide/state.json.bad-1", "somebody may want to know why");
    assert_false(start_again(world, &code));
    assert_no_litter(world);
    assert_false(exists(world, "defect/versions/v0"));
    assert_false(exists(world, ".oxide/state.json.tmp-a1B2c3"));
    assert_false(exists(world, ".oxide/journal.json.tmp-XXXXXX"));
    assert_true(exists(world, ".oxide/state.json.backup"));
    assert_false(exists(world, ".oxide/identity.json.tmp-000000"));
    assert_true(exists(world, ".oxide/state.json.bad-1"));
    assert_true(is_active(world, &world->v1));
}

static void start__a_version_that_vanished_is_fetched_again(void **state)
{
    struct world *world = *state;
    char *path = at(world, "defect/versions/v1");

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(ox_remove_tree(path, NULL), OX_OK);
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
    free(path);
}

static void start__a_second_agent_on_one_folder_is_refused(void **state)
{
    struct world *world = *state;
    struct ox_journal none = {0};
    struct ox_agent second;
    struct ox_err err = OX_ERR_INIT;
    bool pending;

    open_agent(world, &none, &pending);
    assert_int_equal(ox_agent_open(&second, &world->options, &world->stop, NULL, &err), OX_EBUSY);
    assert_non_null(strstr(err.msg, "another"));
}

static void start__a_planted_symlink_for_our_own_folder_is_refused(void **state)
{
    struct world *world = *state;
    struct ox_agent agent;
    char *own = at(world, ".oxide");

    assert_int_equal(ox_dir_make(world->model_dir, 0755, NULL), OX_OK);
    assert_int_equal(symlink(world->dir, own), 0);
    assert_int_equal(ox_agent_open(&agent, &world->options, &world->stop, NULL, NULL), OX_EPERM);
    free(own);
}

static void start__another_devices_reports_are_not_sent(void **state)
{
    struct world *world = *state;
    struct ox_journal none = {0};
    bool pending;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    world->options.device_id = "cam-02";
    open_agent(world, &none, &pending);
    assert_int_equal(world->agent.state.reports_count, 0);
    assert_string_equal(world->agent.state.device_id, "cam-02");
    assert_int_equal(world->agent.state.models_count, 1);
}

/* --- another release's folder --- */

/* A folder as it is while an older release checks v2 of m, whose memory is in
 * tests/golden/agent/NAME: v2 is "two", v1 is "one". */
static void lay_out_older(const struct world *world, const char *name)
{
    static const char *const files[] = {"state.json", "journal.json", "identity.json"};
    static const char *const versions[][2] = {{"m/versions/v1", "one\n"},
                                              {"m/versions/v2", "two\n"}};
    char relative[64];
    char *path;

    for (size_t i = 0; i < 2; i++) {
        path = at(world, versions[i][0]);
        assert_int_equal(ox_dir_make(path, 0755, NULL), OX_OK);
        free(path);
        (void)snprintf(relative, sizeof(relative), "%s/model.bin", versions[i][0]);
        write_file(world, relative, versions[i][1]);
    }
    path = at(world, "m/current");
    assert_int_equal(symlink("versions/v2", path), 0);
    free(path);
    path = at(world, ".oxide");
    assert_int_equal(ox_dir_make(path, 0755, NULL), OX_OK);
    free(path);
    for (size_t i = 0; i < 3; i++) {
        struct ox_buf text = OX_BUF_INIT;
        char golden[256];

        (void)snprintf(golden, sizeof(golden), "%s/golden/agent/%s/%s", OX_TESTS_DIR, name,
                       files[i]);
        (void)snprintf(relative, sizeof(relative), ".oxide/%s", files[i]);
        if (ox_file_read_all(golden, 65536, &text, NULL) == OX_OK) {
            path = at(world, relative);
            assert_int_equal(ox_file_replace(path, text.data, text.len_bytes, 0600, NULL), OX_OK);
            free(path);
        }
        ox_buf_clear(&text);
    }
}

static void assert_same_text(const struct world *world, const char *a, const char *b)
{
    char *one = read_text(world, a);
    char *two = read_text(world, b);

    assert_string_equal(one, two);
    free(one);
    free(two);
}

static const char *const older_releases[] = {"before-identity", "before-release"};
#define OLDER (sizeof(older_releases) / sizeof(older_releases[0]))

static void upgrade__what_an_older_release_had_begun_goes_on(void **state)
{
    static const struct {
        const char *check;
        enum ox_code code;
        const char *active;
    } ends[] = {{"exit 0", OX_OK, "two\n"}, {"exit 1", OX_EFAILED, "one\n"}};
    struct world *world = *state;

    for (size_t i = 0; i < OLDER; i++) {
        for (size_t j = 0; j < 2; j++) {
            enum ox_code code = OX_EINTERNAL;
            char *text;

            assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
            lay_out_older(world, older_releases[i]);
            world->options.tuning.all.health_check = ends[j].check;
            assert_true(start_again(world, &code));
            assert_int_equal(code, ends[j].code);
            text = read_text(world, "m/current/model.bin");
            assert_string_equal(text, ends[j].active);
            free(text);
            assert_int_equal(count_set_aside(world), 0);
            assert_false(exists(world, ".oxide/journal.json"));
        }
    }
}

static void upgrade__what_the_older_release_wrote_is_kept_once(void **state)
{
    struct world *world = *state;
    struct ox_journal journal = {0};
    char *golden;
    char *kept;
    bool pending;

    for (size_t i = 0; i < OLDER; i++) {
        enum ox_code code = OX_OK;

        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        lay_out_older(world, older_releases[i]);
        golden = read_text(world, ".oxide/state.json");
        assert_true(start_again(world, &code));
        kept = read_text(world, ".oxide/before-upgrade/state.json");
        assert_string_equal(kept, golden);
        free(kept);
        assert_true(exists(world, ".oxide/before-upgrade/journal.json"));
        open_agent(world, &journal, &pending); /* the same release once more */
        close_agent(world);
        kept = read_text(world, ".oxide/before-upgrade/state.json");
        assert_string_equal(kept, golden);
        free(kept);
        free(golden);
        world->options.agent = "oxide/the-next"; /* and then another, with no update under way */
        kept = read_text(world, ".oxide/state.json");
        open_agent(world, &journal, &pending);
        close_agent(world);
        golden = read_text(world, ".oxide/before-upgrade/state.json");
        assert_string_equal(kept, golden);
        assert_same_text(world, ".oxide/before-upgrade/identity.json", ".oxide/identity.json");
        assert_false(exists(world, ".oxide/before-upgrade/journal.json"));
        world->options.agent = "oxide/test";
        free(kept);
        free(golden);
    }
}

static void upgrade__a_copy_that_cannot_be_kept_stops_nothing_and_is_tried_again(void **state)
{
    struct world *world = *state;
    struct ox_journal journal = {0};
    enum ox_code code = OX_EINTERNAL;
    char *kept;
    bool pending;

    lay_out_older(world, older_releases[0]);
    write_file(world, ".oxide/before-upgrade", "no folder");
    assert_true(start_again(world, &code));
    assert_int_equal(code, OX_OK);
    kept = at(world, ".oxide/before-upgrade");
    assert_int_equal(unlink(kept), 0);
    free(kept);
    open_agent(world, &journal, &pending);
    close_agent(world);
    assert_true(exists(world, ".oxide/before-upgrade/state.json"));
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
        WITH_LAYOUTS(state__damaged_is_set_aside_and_made_anew_from_the_links),
        WITH_LAYOUTS(state__lost_in_mid_switch_goes_back_to_what_the_journal_says),
        WITH_LAYOUTS(journal__damaged_is_set_aside_and_the_state_holds),
        WITH_WORLD(journal__truncated_at_every_byte_is_damaged),
        WITH_WORLD(start__removes_what_an_earlier_run_left),
        WITH_WORLD(start__a_version_that_vanished_is_fetched_again),
        WITH_WORLD(start__a_second_agent_on_one_folder_is_refused),
        WITH_WORLD(start__a_planted_symlink_for_our_own_folder_is_refused),
        WITH_WORLD(upgrade__what_an_older_release_had_begun_goes_on),
        WITH_WORLD(upgrade__what_the_older_release_wrote_is_kept_once),
        WITH_WORLD(upgrade__a_copy_that_cannot_be_kept_stops_nothing_and_is_tried_again),
        WITH_WORLD(start__another_devices_reports_are_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
