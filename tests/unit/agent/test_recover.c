#include "deaths.h"

#include "oxide/base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
        begin_with_v1(world);
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
    const struct death death = {"check", OX_STAGE_BEGUN};
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
        const struct death death = {"check", OX_STAGE_BEGUN};
        enum ox_code code = OX_OK;

        begin_with_v1(world);
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
    const struct death death = {"check", OX_STAGE_BEGUN};
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
