#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void install_v1(struct world *world)
{
    struct ox_err err = OX_ERR_INIT;

    if (update_to(world, &world->v1, false, &err) != OX_OK) {
        fail_msg("installing v1: %s", err.msg);
    }
    assert_true(is_active(world, &world->v1));
    world->blob_requests = 0;
    world->blob_bytes = 0;
}

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
    assert_int_equal(st.st_mode & 0777, 0755);
    free(path);
    path = at(world, "defect/current/a/b/same");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
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

/* --- downloads --- */

static void download__goes_on_where_it_broke_off(void **state)
{
    struct world *world = *state;

    world->cut_after = 70000;
    world->cuts = 3;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->blob_bytes, MODEL_BYTES); /* nothing came twice */
    assert_int_equal(world->ranged_requests, 3);
}

static void download__a_lost_network_is_no_failure_and_goes_on_later(void **state)
{
    struct world *world = *state;

    install_v1(world);
    world->cut_after = 70000;
    world->cuts = 1;
    world->ranged_requests = 0;
    world->refuse_status = 0;
    {
        /* One piece comes, then nothing listens: the whole of fetch's rounds fails. */
        struct ox_agent_options saved = world->options;
        struct ox_err err = OX_ERR_INIT;

        world->options.control_plane = "http://127.0.0.1:1";
        assert_int_equal(update_to(world, &world->v3, false, &err), OX_ENET);
        world->options = saved;
    }
    assert_true(is_active(world, &world->v1));
    assert_true(exists(world, ".oxide/journal.json"));
    assert_int_equal(failures_of(world, &world->v3), 0);
    assert_last_report(world, "downloading");
    world->cuts = 0;
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v3));
    assert_no_litter(world);
}

static void download__a_part_of_an_earlier_run_is_used(void **state)
{
    struct world *world = *state;
    char hex[OX_DIGEST_HEX_MAX];
    char *path;
    char *relative = NULL;
    FILE *file;

    install_v1(world);
    assert_int_equal(
        ox_strf(&relative, NULL, ".oxide/download/%s.part", ox_digest_hex(&world->v3.digest, hex)),
        OX_OK);
    path = at(world, relative);
    /* A journal that names the assignment keeps its parts. */
    {
        struct ox_journal none = {0};
        struct ox_journal journal;
        bool pending;

        open_agent(world, &none, &pending);
        journal = assign(world, &world->v3, false);
        (void)snprintf(journal.stage, sizeof(journal.stage), "download");
        assert_int_equal(ox_journal_save(&journal, world->agent.folders.journal, NULL), OX_OK);
        ox_journal_clear(&journal);
        close_agent(world);
    }
    file = fopen(path, "wb");
    assert_non_null(file);
    memset(world->scratch, 0x33, 100000);
    assert_int_equal(fwrite(world->scratch, 1, 100000, file), 100000);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v3));
    assert_int_equal(world->blob_bytes, MODEL_BYTES - 100000);
    free(relative);
    free(path);
}

static void download__a_damaged_part_is_fetched_again(void **state)
{
    struct world *world = *state;

    /* The same as above, with bytes that are not those of the version. */
    char hex[OX_DIGEST_HEX_MAX];
    char *relative = NULL;
    struct ox_journal none = {0};
    struct ox_journal journal;
    bool pending;

    install_v1(world);
    open_agent(world, &none, &pending);
    journal = assign(world, &world->v3, false);
    (void)snprintf(journal.stage, sizeof(journal.stage), "download");
    assert_int_equal(ox_journal_save(&journal, world->agent.folders.journal, NULL), OX_OK);
    ox_journal_clear(&journal);
    close_agent(world);
    assert_int_equal(
        ox_strf(&relative, NULL, ".oxide/download/%s.part", ox_digest_hex(&world->v3.digest, hex)),
        OX_OK);
    write_file(world, relative, "these bytes are wrong");
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v3));
    free(relative);
}

static void download__servers_without_ranges_do(void **state)
{
    struct world *world = *state;

    world->ignores_ranges = true;
    world->cut_after = 200000;
    world->cuts = 2;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
}

static void download__a_wrong_content_range_is_refused(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;

    world->cut_after = 70000;
    world->cuts = 1;
    world->lies_about_range = true;
    assert_int_equal(update_to(world, &world->v1, false, &err), OX_EPROTO);
    assert_false(exists(world, "defect/current"));
    assert_last_report(world, "failed download");
    assert_int_equal(failures_of(world, &world->v1), 0);
}

static void download__wrong_bytes_are_counted_and_nothing_changes(void **state)
{
    struct world *world = *state;

    install_v1(world);
    memset(world->blobs[3].bytes, 0x44, 10); /* v3's: the digest promises others */
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_EDIGEST);
    assert_true(is_active(world, &world->v1));
    assert_last_report(world, "failed download");
    assert_int_equal(failures_of(world, &world->v3), 1);
    assert_no_litter(world);
}

static void download__a_missing_blob_is_reported_not_counted(void **state)
{
    struct world *world = *state;

    world->refuse_status = 404;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_ENOTFOUND);
    assert_last_report(world, "failed download");
    assert_int_equal(failures_of(world, &world->v1), 0);
    assert_false(exists(world, "defect"));
}

/* Run with the mirror in blob_urls. */
static enum ox_code update_by_mirror(struct world *world)
{
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    enum ox_code code;
    bool pending;

    open_agent(world, &none, &pending);
    journal = assign(world, &world->v1, false);
    assert_int_equal(ox_strf(&journal.assignment.blob_urls[0], NULL, "%s/b", world->mirror.url),
                     OX_OK);
    journal.assignment.blob_urls_count = 1;
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    code = ox_update_run(update, NULL);
    ox_update_free(update);
    return code;
}

static void download__mirrors_come_first_and_do_not_learn_who_asks(void **state)
{
    struct world *world = *state;

    assert_int_equal(update_by_mirror(world), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->mirror_requests, 1);
    assert_false(world->mirror_saw_device);
    assert_int_equal(world->blob_requests, 0);
}

static void download__wrong_bytes_of_a_mirror_come_right_from_the_server(void **state)
{
    struct world *world = *state;

    world->mirror_is_wrong = true;
    assert_int_equal(update_by_mirror(world), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->blob_requests, 1);
}

/* --- preflight --- */

static void preflight__too_little_disk_is_told_in_bytes_and_not_counted(void **state)
{
    struct world *world = *state;
    struct artifact huge = {.version = "v9", .digest = {{9}}};
    struct ox_err err = OX_ERR_INIT;

    install_v1(world);
    assert_int_equal(
        ox_manifest_single(&huge.files, "model.bin", (uint64_t)1 << 61, &huge.digest, NULL), OX_OK);
    assert_int_equal(update_to(world, &huge, false, &err), OX_ENOSPC);
    assert_non_null(strstr(err.msg, "needs 2,305,843,009,"));
    assert_last_report(world, "failed disk");
    assert_int_equal(failures_of(world, &huge), 0);
    assert_true(is_active(world, &world->v1));
    ox_manifest_clear(&huge.files);
}

static void preflight__files_must_be_those_of_the_digest(void **state)
{
    struct world *world = *state;
    struct artifact wrong = world->v1;

    wrong.digest.bytes[0] ^= 1;
    assert_int_equal(update_to(world, &wrong, false, NULL), OX_EPROTO);
    assert_false(exists(world, "defect"));
}

static void preflight__planted_symlinks_are_not_followed(void **state)
{
    struct world *world = *state;
    char *model = at(world, "defect");
    char *outside = NULL;
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_strf(&outside, NULL, "%s/outside", world->dir), OX_OK);
    assert_int_equal(mkdir(outside, 0755), 0);
    assert_int_equal(ox_dir_make(world->model_dir, 0755, NULL), OX_OK);
    assert_int_equal(symlink(outside, model), 0);
    assert_int_equal(update_to(world, &world->v1, false, &err), OX_EPERM);
    assert_non_null(strstr(err.msg, "symlink"));
    assert_int_equal(rmdir(outside), 0); /* nothing was put there */

    assert_int_equal(unlink(model), 0);
    assert_int_equal(mkdir(outside, 0755), 0);
    assert_int_equal(mkdir(model, 0755), 0);
    free(model);
    model = at(world, "defect/versions");
    assert_int_equal(symlink(outside, model), 0);
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_EPERM);
    assert_int_equal(rmdir(outside), 0);
    free(model);
    free(outside);
}

static void preflight__something_else_at_current_is_left_alone(void **state)
{
    struct world *world = *state;
    char *model = at(world, "defect/current");

    assert_int_equal(ox_dir_make(model, 0755, NULL), OX_OK);
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_ECONFLICT);
    assert_true(exists(world, "defect/current"));
    assert_false(exists(world, "defect/versions/v1"));
    free(model);
}

/* --- health --- */

static void health__failure_rolls_back_and_is_counted(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;

    install_v1(world);
    world->options.health_check = "echo first; printf 'too hot \\377\\n'; exit 3";
    assert_int_equal(update_to(world, &world->v2, true, &err), OX_EFAILED);
    assert_non_null(strstr(err.msg, "status 3: too hot"));
    assert_true(is_active(world, &world->v1));
    assert_link(world, "current", "v1");
    assert_false(exists(world, "defect/versions/v2"));
    assert_last_report(world, "failed health");
    assert_int_equal(failures_of(world, &world->v2), 1);
    assert_no_litter(world);
}

static void health__failed_first_install_leaves_nothing_active(void **state)
{
    struct world *world = *state;

    world->options.health_check = "exit 1";
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_EFAILED);
    assert_false(exists(world, "defect"));
    assert_no_litter(world);
}

static void health__command_sees_the_model(void **state)
{
    struct world *world = *state;
    char *command = NULL;
    char *seen;

    assert_int_equal(
        ox_strf(&command, NULL,
                "test -f \"$OXIDE_MODEL_PATH\" && printf '%%s %%s' \"$OXIDE_MODEL_ID\" "
                "\"$OXIDE_MODEL_VERSION\" > %s/seen",
                world->model_dir),
        OX_OK);
    world->options.health_check = command;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    seen = read_text(world, "seen");
    assert_string_equal(seen, "defect v1");
    free(seen);
    free(command);
}

static void health__a_hanging_command_is_a_failure(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;

    install_v1(world);
    world->options.health_check = "sleep 60";
    world->options.health_timeout_ms = 1000;
    assert_int_equal(update_to(world, &world->v2, true, &err), OX_EFAILED);
    assert_non_null(strstr(err.msg, "longer than 1 s"));
    assert_true(is_active(world, &world->v1));
}

static void health__built_in_check_refuses_what_does_not_parse(void **state)
{
    struct world *world = *state;
    struct artifact broken = {.version = "v1", .digest = put_blob(world, "no tensors here", 15)};
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(
        ox_manifest_single(&broken.files, "model.safetensors", 15, &broken.digest, NULL), OX_OK);
    assert_int_equal(update_to(world, &broken, false, &err), OX_EFAILED);
    assert_non_null(strstr(err.msg, "does not parse"));
    assert_false(exists(world, "defect"));
    ox_manifest_clear(&broken.files);
}

static void health__success_after_failures_forgets_them(void **state)
{
    struct world *world = *state;

    install_v1(world);
    world->options.health_check = "exit 1";
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_EFAILED);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_EFAILED);
    assert_int_equal(failures_of(world, &world->v2), 2);
    world->options.health_check = NULL;
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(failures_of(world, &world->v2), 0);
}

/* --- being stopped --- */

struct at_stage {
    struct ox_update *update;
    const char *stage;
    bool withdraw;
};

static void act_at_stage(void *ctx, const char *stage, bool done)
{
    struct at_stage *action = ctx;

    if (!done && strcmp(stage, action->stage) == 0) {
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

    install_v1(world);
    assert_int_equal(interrupted(world, "rebuild", false), OX_ECANCELED);
    assert_true(is_active(world, &world->v1));
    assert_true(exists(world, ".oxide/journal.json"));
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
    world->options.health_check = "sleep 60";
    assert_int_equal(interrupted(world, "check", false), OX_ECANCELED);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(failures_of(world, &world->v2), 0);
    world->options.health_check = NULL;
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
        WITH_WORLD(update__first_install_by_full_files),
        WITH_WORLD(update__by_patch_receives_only_the_patch),
        WITH_WORLD(update__keeps_one_previous_version),
        WITH_WORLD(update__back_to_the_previous_version_downloads_nothing),
        WITH_WORLD(update__same_version_with_other_bytes_gets_a_folder_of_its_own),
        WITH_WORLD(update__several_files_modes_and_copies),
        WITH_WORLD(update__long_names_become_shortened_folders),
        WITH_WORLD(fallback__a_damaged_base_means_full_files),
        WITH_WORLD(fallback__an_absent_base_means_full_files),
        WITH_WORLD(fallback__an_unknown_patch_format_means_full_files),
        WITH_WORLD(fallback__is_left_to_the_server_where_it_says_so),
        WITH_WORLD(fallback__of_a_damaged_base_is_left_to_the_server_too),
        WITH_WORLD(fallback__a_patch_that_is_garbage_means_full_files_once),
        WITH_WORLD(fallback__a_patch_that_is_gone_means_full_files),
        WITH_WORLD(download__goes_on_where_it_broke_off),
        WITH_WORLD(download__a_lost_network_is_no_failure_and_goes_on_later),
        WITH_WORLD(download__a_part_of_an_earlier_run_is_used),
        WITH_WORLD(download__a_damaged_part_is_fetched_again),
        WITH_WORLD(download__servers_without_ranges_do),
        WITH_WORLD(download__a_wrong_content_range_is_refused),
        WITH_WORLD(download__wrong_bytes_are_counted_and_nothing_changes),
        WITH_WORLD(download__a_missing_blob_is_reported_not_counted),
        WITH_WORLD(download__mirrors_come_first_and_do_not_learn_who_asks),
        WITH_WORLD(download__wrong_bytes_of_a_mirror_come_right_from_the_server),
        WITH_WORLD(preflight__too_little_disk_is_told_in_bytes_and_not_counted),
        WITH_WORLD(preflight__files_must_be_those_of_the_digest),
        WITH_WORLD(preflight__planted_symlinks_are_not_followed),
        WITH_WORLD(preflight__something_else_at_current_is_left_alone),
        WITH_WORLD(health__failure_rolls_back_and_is_counted),
        WITH_WORLD(health__failed_first_install_leaves_nothing_active),
        WITH_WORLD(health__command_sees_the_model),
        WITH_WORLD(health__a_hanging_command_is_a_failure),
        WITH_WORLD(health__built_in_check_refuses_what_does_not_parse),
        WITH_WORLD(health__success_after_failures_forgets_them),
        WITH_WORLD(stop__before_the_switch_keeps_old_and_journal),
        WITH_WORLD(stop__during_the_check_goes_back_and_finishes_at_the_next_start),
        WITH_WORLD(withdrawal__before_the_switch_leaves_the_old_version),
        WITH_WORLD(withdrawal__after_the_switch_comes_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
