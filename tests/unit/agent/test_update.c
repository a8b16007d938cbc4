/* An update from its beginning to its end: by patch, by full files, stopped and withdrawn. */
#include "helpers.h"

#include "oxide/base/clock.h"

#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"

#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the ways to a new version --- */

static void update__first_install_by_full_files(void **state)
{
    struct world *world = *state;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_link(world, "current", "v1");
    assert_link(world, "previous", NULL);
    assert_last_report(world, "complete");
    assert_no_litter(world);
}

static void update__by_patch_receives_only_the_patch(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_link(world, "previous", "v1");
    assert_int_equal(world->blob_bytes, world->patch_bytes);
    assert_last_report(world, "complete");
    assert_no_litter(world);
}

static void update__keeps_one_previous_version(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v3));
    assert_link(world, "previous", "v2");
    assert_false(exists(world, "defect/versions/v1"));
}

static void keep__so_many_versions_stay_beside_the_active_one(void **state)
{
    struct world *world = *state;
    struct artifact v4 = world->v1;
    struct artifact v5 = world->v2;

    v4.version = "v4";
    v5.version = "v5";
    world->options.tuning.all.keep = 3;
    install_v1(world);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    assert_int_equal(update_to(world, &v4, false, NULL), OX_OK);
    assert_true(exists(world, "defect/versions/v1"));
    assert_int_equal(update_to(world, &v5, false, NULL), OX_OK);
    assert_true(is_active(world, &v5));
    assert_link(world, "previous", "v4");
    assert_false(exists(world, "defect/versions/v1"));
    assert_true(exists(world, "defect/versions/v2"));
    assert_true(exists(world, "defect/versions/v3"));

    /* Any of them comes back without a download, and is the one to go back from then on. */
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &world->v2, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_link(world, "previous", "v5");
    assert_int_equal(world->blob_requests, 0);
    assert_true(exists(world, "defect/versions/v3"));

    /* Told to keep fewer, it does at the next start. */
    world->options.tuning.all.keep = 1;
    assert_int_equal(update_to(world, &world->v2, false, NULL), OX_OK);
    assert_false(exists(world, "defect/versions/v3"));
    assert_true(exists(world, "defect/versions/v5"));
}

static void keep__a_patch_for_any_version_that_is_kept_does(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    world->blob_bytes = 0;
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK); /* from v1, kept */
    assert_true(is_active(world, &world->v2));
    assert_int_equal(world->blob_bytes, world->patch_bytes);
    assert_last_report(world, "complete");
}

static void update__back_to_the_previous_version_downloads_nothing(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_link(world, "previous", "v2");
    assert_int_equal(world->blob_requests, 0);
}

static void update__same_version_with_other_bytes_gets_a_folder_of_its_own(void **state)
{
    struct world *world = *state;
    struct artifact again = world->v2;

    install_v1(world);
    again.version = "v1";
    assert_int_equal(update_to(world, &again, false, NULL), OX_OK);
    assert_true(is_active(world, &again));
    assert_link(world, "previous", "v1");
}

static void update__several_files_modes_and_copies(void **state)
{
    struct world *world = *state;
    struct artifact folder = {.version = "v1"};
    struct artifact next = {.version = "v2"};
    const struct ox_digest one = put_blob(world, "one", 3);
    const struct ox_digest two = put_blob(world, "two!", 4);
    const struct ox_digest none = put_blob(world, "", 0);
    struct stat st;
    char *path;

    assert_int_equal(ox_manifest_add(&folder.files, "a/run.sh", 3, &one, true, NULL), OX_OK);
    assert_int_equal(ox_manifest_add(&folder.files, "a/b/same", 3, &one, false, NULL), OX_OK);
    assert_int_equal(ox_manifest_add(&folder.files, "empty", 0, &none, false, NULL), OX_OK);
    assert_int_equal(ox_manifest_finish(&folder.files, NULL), OX_OK);
    assert_int_equal(ox_artifact_digest(&folder.files, &folder.digest, NULL), OX_OK);
    assert_int_equal(update_to(world, &folder, false, NULL), OX_OK);
    assert_true(is_active(world, &folder));
    assert_int_equal(world->blob_requests, 1); /* equal bytes come once, empty ones not at all */
    path = at(world, "defect/current/a/run.sh");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0555);
    free(path);
    path = at(world, "defect/current/a/b/same");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    free(path);

    assert_int_equal(ox_manifest_add(&next.files, "a/run.sh", 3, &one, true, NULL), OX_OK);
    assert_int_equal(ox_manifest_add(&next.files, "new", 4, &two, false, NULL), OX_OK);
    assert_int_equal(ox_manifest_finish(&next.files, NULL), OX_OK);
    assert_int_equal(ox_artifact_digest(&next.files, &next.digest, NULL), OX_OK);
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &next, false, NULL), OX_OK);
    assert_true(is_active(world, &next));
    assert_int_equal(world->blob_requests, 1); /* what did not change was copied */
    assert_false(exists(world, "defect/current/empty"));
    ox_manifest_clear(&folder.files);
    ox_manifest_clear(&next.files);
}

/* --- sharing, and who may read --- */

static struct stat look(const struct world *world, const char *relative)
{
    char *path = at(world, relative);
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    free(path);
    return st;
}

/* Two files, of which `common` is the same in each; `own` is as it is told. */
static struct artifact two_files(const char *version, const struct ox_digest *common,
                                 const struct ox_digest *own, bool executable)
{
    struct artifact artifact = {.version = version};

    assert_int_equal(ox_manifest_add(&artifact.files, "a/common", 6, common, executable, NULL),
                     OX_OK);
    assert_int_equal(ox_manifest_add(&artifact.files, "own", 4, own, false, NULL), OX_OK);
    assert_int_equal(ox_manifest_finish(&artifact.files, NULL), OX_OK);
    assert_int_equal(ox_artifact_digest(&artifact.files, &artifact.digest, NULL), OX_OK);
    return artifact;
}

static void reuse__what_did_not_change_is_the_same_file(void **state)
{
    struct world *world = *state;
    const struct ox_digest common = put_blob(world, "common", 6);
    const struct ox_digest first = put_blob(world, "one!", 4);
    const struct ox_digest second = put_blob(world, "two!", 4);
    struct artifact one = two_files("v1", &common, &first, false);
    struct artifact two = two_files("v2", &common, &second, false);
    struct artifact three = two_files("v3", &common, &second, true);

    assert_int_equal(update_to(world, &one, false, NULL), OX_OK);
    assert_int_equal(update_to(world, &two, false, NULL), OX_OK);
    assert_true(is_active(world, &two));
    assert_int_equal(look(world, "defect/versions/v2/a/common").st_ino,
                     look(world, "defect/versions/v1/a/common").st_ino);
    assert_int_equal(look(world, "defect/versions/v2/own").st_nlink, 1);
    assert_int_equal(look(world, "defect/versions/v2/a/common").st_mode & 0777, 0444);

    /* What differs in its mode alone is not fetched either, but is a file of its own. */
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &three, false, NULL), OX_OK);
    assert_int_equal(world->blob_requests, 0);
    assert_int_equal(look(world, "defect/versions/v3/own").st_ino,
                     look(world, "defect/versions/v2/own").st_ino);
    assert_int_equal(look(world, "defect/versions/v3/a/common").st_nlink, 1);
    assert_int_equal(look(world, "defect/versions/v3/a/common").st_mode & 0777, 0555);
    assert_int_equal(look(world, "defect/versions/v2/a/common").st_mode & 0777, 0444);
    ox_manifest_clear(&one.files);
    ox_manifest_clear(&two.files);
    ox_manifest_clear(&three.files);
}

static void reuse__what_is_damaged_is_fetched_and_shared_with_nothing(void **state)
{
    struct world *world = *state;
    const struct ox_digest common = put_blob(world, "common", 6);
    const struct ox_digest first = put_blob(world, "one!", 4);
    const struct ox_digest second = put_blob(world, "two!", 4);
    struct artifact one = two_files("v1", &common, &first, false);
    struct artifact two = two_files("v2", &common, &second, false);

    assert_int_equal(update_to(world, &one, false, NULL), OX_OK);
    write_file(world, "defect/versions/v1/a/common", "rotten");
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &two, false, NULL), OX_OK);
    assert_true(is_active(world, &two));
    assert_int_equal(world->blob_requests, 2);
    assert_int_equal(look(world, "defect/versions/v2/a/common").st_nlink, 1);
    ox_manifest_clear(&one.files);
    ox_manifest_clear(&two.files);
}

static void group__files_and_folders_are_the_groups_alone(void **state)
{
    struct world *world = *state;
    const struct group *own = getgrgid(getegid());

    if (own == NULL) {
        skip();
    }
    world->options.tuning.all.group = own->gr_name;
    install_v1(world);
    assert_int_equal(look(world, "defect/versions/v1/model.bin").st_mode & 07777, 0440);
    assert_int_equal(look(world, "defect/versions/v1").st_mode & 07777, 02750);
    assert_int_equal(look(world, "defect/versions").st_mode & 07777, 02750);
    assert_int_equal(look(world, "defect").st_mode & 07777, 02750);
    assert_int_equal(look(world, "defect").st_gid, getegid());

    world->options.tuning.all.group = NULL;
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(look(world, "defect/versions/v2/model.bin").st_mode & 07777, 0444);
    assert_int_equal(look(world, "defect").st_mode & 07777, 0755);
}

static void group__that_is_none_is_refused_before_anything_is_fetched(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;

    install_v1(world);
    world->options.tuning.all.group = "no-such-group-here";
    assert_int_equal(update_to(world, &world->v2, true, &err), OX_EPERM);
    assert_non_null(strstr(err.msg, "no-such-group-here"));
    assert_int_equal(world->blob_requests, 0);
    assert_true(is_active(world, &world->v1));
    assert_last_report(world, "failed preflight");
    assert_int_equal(failures_of(world, &world->v2), 0);
}

static void symlink__in_a_version_is_not_followed(void **state)
{
    struct world *world = *state;
    const struct ox_digest common = put_blob(world, "common", 6);
    const struct ox_digest first = put_blob(world, "one!", 4);
    const struct ox_digest second = put_blob(world, "two!", 4);
    struct artifact one = two_files("v1", &common, &first, false);
    struct artifact two = two_files("v2", &common, &second, false);
    char *folder = at(world, "defect/versions/v1/a");
    char *aside = at(world, "elsewhere");

    /* The right bytes, but by way of a symlink: they are not taken for the version's. */
    assert_int_equal(update_to(world, &one, false, NULL), OX_OK);
    assert_int_equal(rename(folder, aside), 0);
    assert_int_equal(symlink(aside, folder), 0);
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &two, false, NULL), OX_OK);
    assert_int_equal(world->blob_requests, 2);
    assert_int_equal(look(world, "defect/versions/v2/a/common").st_nlink, 1);
    assert_int_equal(look(world, "elsewhere/common").st_nlink, 1);
    free(folder);
    free(aside);
    ox_manifest_clear(&one.files);
    ox_manifest_clear(&two.files);
}

static void update__long_names_become_shortened_folders(void **state)
{
    struct world *world = *state;
    struct artifact long_one = world->v1;
    char version[257];

    memset(version, 'v', 256);
    version[256] = '\0';
    long_one.version = version;
    assert_int_equal(update_to(world, &long_one, false, NULL), OX_OK);
    assert_true(is_active(world, &long_one));
}

/* --- taking a model away --- */

static void remove__leaves_nothing_of_the_model(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(remove_it(world, &world->v1, NULL), OX_OK);
    assert_false(exists(world, "defect"));
    assert_last_report(world, "complete");
    assert_no_litter(world);
    assert_int_equal(world->blob_requests, 0);
    assert_int_equal(remove_it(world, &world->v1, NULL), OX_OK); /* it is gone already */
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
}

static void keep__0_frees_the_old_version_and_still_knows_there_was_one(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;

    int64_t began_mono_ms;

    world->options.tuning.all.keep = 0;
    world->options.linger_ms = 1000;
    install_v1(world);
    began_mono_ms = ox_clock_system()->mono_ms(NULL);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    /* who read v1 as the switch came had a second more to open its files */
    assert_true(ox_clock_system()->mono_ms(NULL) - began_mono_ms >= 1000);
    assert_true(is_active(world, &world->v2));
    assert_link(world, "previous", NULL);
    assert_false(exists(world, "defect/versions/v1"));
    assert_no_litter(world);
    assert_int_equal(remove_it(world, &world->v2, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "no longer kept"));
    assert_true(is_active(world, &world->v2));
}

static void remove__refuses_another_version_and_one_that_was_not_the_first(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;

    install_v1(world);
    assert_int_equal(remove_it(world, &world->v2, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "version v1 is active"));
    assert_true(is_active(world, &world->v1));
    assert_link(world, "current", "v1");
    assert_last_report(world, "failed remove");
    assert_int_equal(failures_of(world, &world->v2), 0);

    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(remove_it(world, &world->v2, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "v1 is kept"));
    assert_true(is_active(world, &world->v2));
    assert_link(world, "previous", "v1");
    assert_no_litter(world);
}

/* --- when the patch does not do --- */

static void fallback__a_damaged_base_means_full_files(void **state)
{
    struct world *world = *state;

    install_v1(world);
    write_file(world, "defect/versions/v1/model.bin", "bit rot");
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_last_report(world, "complete patch");
}

static void fallback__an_absent_base_means_full_files(void **state)
{
    struct world *world = *state;

    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_last_report(world, "complete patch");
}

static void fallback__an_unknown_patch_format_means_full_files(void **state)
{
    struct world *world = *state;
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    bool pending;

    install_v1(world);
    open_agent(world, &none, &pending);
    journal = assign(world, &world->v2, true);
    journal.assignment.patch.format[5] = '9';
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_update_run(update, NULL), OX_OK);
    ox_update_free(update);
    assert_true(is_active(world, &world->v2));
    assert_last_report(world, "complete patch");
}

/* One update by patch, where the full files are not for it. */
static enum ox_code update_by_patch_only(struct world *world)
{
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    bool pending;
    enum ox_code code;

    open_agent(world, &none, &pending);
    journal = assign(world, &world->v2, true);
    journal.assignment.patch_only = true;
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    code = ox_update_run(update, NULL);
    ox_update_free(update);
    return code;
}

static void fallback__is_left_to_the_server_where_it_says_so(void **state)
{
    struct world *world = *state;

    install_v1(world);
    world->patch = put_blob(world, "OXDL\x02 this is no patch", 23);
    world->patch_bytes = 23;
    assert_int_not_equal(update_by_patch_only(world), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_last_report(world, "failed patch");
    assert_int_equal(world->blob_requests, 1);
    assert_int_equal(failures_of(world, &world->v2), 0); /* no fault of the version's */
    assert_no_litter(world);
}

static void fallback__of_a_damaged_base_is_left_to_the_server_too(void **state)
{
    struct world *world = *state;

    install_v1(world);
    write_file(world, "defect/versions/v1/model.bin", "bit rot");
    assert_int_not_equal(update_by_patch_only(world), OX_OK);
    assert_last_report(world, "failed patch");
    assert_int_equal(world->blob_requests, 0);
}

static void fallback__a_patch_that_is_garbage_means_full_files_once(void **state)
{
    struct world *world = *state;

    install_v1(world);
    world->patch = put_blob(world, "OXDL\x02 this is no patch", 23);
    world->patch_bytes = 23;
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_last_report(world, "complete patch");
    assert_int_equal(world->blob_requests, 2);
    assert_int_equal(failures_of(world, &world->v2), 0);
    assert_no_litter(world);
}

static void fallback__what_a_damaged_patch_has_built_counts_for_nothing(void **state)
{
    struct world *world = *state;
    const struct ox_agent_state *agent_state = &world->agent.state;
    struct ox_journal none = {0};
    bool pending;

    install_v1(world);
    world->blobs[2].bytes[world->patch_bytes - 40] ^=
        0x55; /* the patch's end: frames stand before */
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    open_agent(world, &none, &pending);
    assert_int_equal(agent_state->reports[agent_state->reports_count - 1].state,
                     OX_ROLLOUT_COMPLETE);
    assert_int_equal(agent_state->reports[agent_state->reports_count - 1].bytes_received,
                     MODEL_BYTES + world->patch_bytes);
    close_agent(world);
}

static void fallback__a_patch_for_another_base_means_full_files(void **state)
{
    struct world *world = *state;
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    bool pending;

    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    open_agent(world, &none, &pending);
    journal = assign(world, &world->v2, true);
    /* It is from v1 to v2, and the server says that it is from what we have. */
    free(journal.assignment.base_version);
    assert_int_equal(ox_strdup(&journal.assignment.base_version, "v3", NULL), OX_OK);
    journal.assignment.base_digest = world->v3.digest;
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_update_run(update, NULL), OX_OK);
    ox_update_free(update);
    assert_true(is_active(world, &world->v2));
    assert_last_report(world, "complete patch");
    assert_int_equal(failures_of(world, &world->v2), 0);
}

static void fallback__a_patch_that_is_gone_means_full_files(void **state)
{
    struct world *world = *state;

    install_v1(world);
    world->refuse_status = 404;
    ox_digest_hex(&world->patch, world->refuse_hex);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_last_report(world, "complete patch");
}

/* --- being stopped --- */

struct at_stage {
    struct ox_update *update;
    const char *stage;
    bool withdraw;
};

static void act_at_stage(void *ctx, const char *stage, enum ox_stage_event event)
{
    struct at_stage *action = ctx;

    if (event == OX_STAGE_BEGUN && strcmp(stage, action->stage) == 0) {
        if (action->withdraw) {
            ox_update_withdraw(action->update);
        } else {
            ox_stop_request(&action->update->stop);
        }
    }
}

/* Update to v2 by patch, with a stop or a withdrawal as a stage begins. */
static enum ox_code interrupted(struct world *world, const char *stage, bool withdraw)
{
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct at_stage action = {NULL, stage, withdraw};
    enum ox_code code;
    bool pending;

    open_agent(world, &none, &pending);
    journal = assign(world, &world->v2, true);
    assert_int_equal(ox_update_new(&action.update, &world->agent, &journal, NULL), OX_OK);
    action.update->observer = (struct ox_stage_observer){&action, act_at_stage};
    code = ox_update_run(action.update, NULL);
    ox_update_free(action.update);
    close_agent(world);
    return code;
}

static void stop__before_the_switch_keeps_old_and_journal(void **state)
{
    struct world *world = *state;
    char *journal;

    install_v1(world);
    assert_int_equal(interrupted(world, "rebuild", false), OX_ECANCELED);
    assert_true(is_active(world, &world->v1));
    journal = read_text(world, ".oxide/journal.json"); /* and how long it took so far */
    assert_non_null(strstr(journal, "\"stages_ms\":{\"preflight\":"));
    assert_non_null(strstr(journal, "\"download\":"));
    free(journal);
    assert_int_equal(failures_of(world, &world->v2), 0);
    world->blob_bytes = 0;
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_int_equal(world->blob_bytes, 0); /* the patch was there */
}

static void stop__during_the_check_goes_back_and_finishes_at_the_next_start(void **state)
{
    struct world *world = *state;
    struct ox_journal journal = {0};
    struct ox_update *update = NULL;
    bool pending = false;

    install_v1(world);
    world->options.tuning.all.health_check = "sleep 60";
    assert_int_equal(interrupted(world, "check", false), OX_ECANCELED);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(failures_of(world, &world->v2), 0);
    world->options.tuning.all.health_check = NULL;
    open_agent(world, &journal, &pending);
    assert_true(pending);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_update_run(update, NULL), OX_OK);
    ox_update_free(update);
    assert_true(is_active(world, &world->v2));
    assert_no_litter(world);
}

static void withdrawal__before_the_switch_leaves_the_old_version(void **state)
{
    static const char *const stages[] = {"preflight", "download", "rebuild", "verify", "stage"};
    struct world *world = *state;

    install_v1(world);
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        assert_int_equal(interrupted(world, stages[i], true), OX_ECANCELED);
        assert_true(is_active(world, &world->v1));
        assert_false(exists(world, ".oxide/journal.json"));
        assert_false(exists(world, "defect/versions/v2"));
    }
}

static void withdrawal__after_the_switch_comes_too_late(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(interrupted(world, "activate", true), OX_OK);
    assert_true(is_active(world, &world->v2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(remove__leaves_nothing_of_the_model),
        WITH_WORLD(remove__refuses_another_version_and_one_that_was_not_the_first),
        WITH_WORLD(update__first_install_by_full_files),
        WITH_WORLD(update__by_patch_receives_only_the_patch),
        WITH_WORLD(update__keeps_one_previous_version),
        WITH_WORLD(keep__so_many_versions_stay_beside_the_active_one),
        WITH_WORLD(keep__0_frees_the_old_version_and_still_knows_there_was_one),
        WITH_WORLD(keep__a_patch_for_any_version_that_is_kept_does),
        WITH_WORLD(update__back_to_the_previous_version_downloads_nothing),
        WITH_WORLD(update__same_version_with_other_bytes_gets_a_folder_of_its_own),
        WITH_WORLD(update__several_files_modes_and_copies),
        WITH_WORLD(reuse__what_did_not_change_is_the_same_file),
        WITH_WORLD(reuse__what_is_damaged_is_fetched_and_shared_with_nothing),
        WITH_WORLD(group__files_and_folders_are_the_groups_alone),
        WITH_WORLD(group__that_is_none_is_refused_before_anything_is_fetched),
        WITH_WORLD(symlink__in_a_version_is_not_followed),
        WITH_WORLD(update__long_names_become_shortened_folders),
        WITH_WORLD(fallback__a_damaged_base_means_full_files),
        WITH_WORLD(fallback__an_absent_base_means_full_files),
        WITH_WORLD(fallback__an_unknown_patch_format_means_full_files),
        WITH_WORLD(fallback__is_left_to_the_server_where_it_says_so),
        WITH_WORLD(fallback__of_a_damaged_base_is_left_to_the_server_too),
        WITH_WORLD(fallback__a_patch_that_is_garbage_means_full_files_once),
        WITH_WORLD(fallback__what_a_damaged_patch_has_built_counts_for_nothing),
        WITH_WORLD(fallback__a_patch_for_another_base_means_full_files),
        WITH_WORLD(fallback__a_patch_that_is_gone_means_full_files),
        WITH_WORLD(stop__before_the_switch_keeps_old_and_journal),
        WITH_WORLD(stop__during_the_check_goes_back_and_finishes_at_the_next_start),
        WITH_WORLD(withdrawal__before_the_switch_leaves_the_old_version),
        WITH_WORLD(withdrawal__after_the_switch_comes_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
