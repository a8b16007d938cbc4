/* What is checked before an update begins, and after its switch. */
#include "helpers.h"

#include "oxide/base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    world->options.tuning.all.health_check = "echo first; printf 'too hot \\377\\n'; exit 3";
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

    world->options.tuning.all.health_check = "exit 1";
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
    world->options.tuning.all.health_check = command;
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
    world->options.tuning.all.health_check = "sleep 60";
    world->options.tuning.all.health_timeout_ms = 1000;
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
    world->options.tuning.all.health_check = "exit 1";
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_EFAILED);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_EFAILED);
    assert_int_equal(failures_of(world, &world->v2), 2);
    world->options.tuning.all.health_check = NULL;
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(failures_of(world, &world->v2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
