/* What is checked before an update begins, and after its switch. */
#include "helpers.h"

#include "../../../src/agent/space.h"
#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* --- room --- */

/* An artifact of a file that the device may hold, and of one that no disk has room for. */
static struct artifact held_and_huge(const struct artifact *held)
{
    struct artifact artifact = {.version = "v9"};
    const struct ox_digest none = {{7}};

    assert_int_equal(
        ox_manifest_add(&artifact.files, "held", MODEL_BYTES, &held->digest, false, NULL), OX_OK);
    assert_int_equal(
        ox_manifest_add(&artifact.files, "held too", MODEL_BYTES, &held->digest, false, NULL),
        OX_OK);
    assert_int_equal(
        ox_manifest_add(&artifact.files, "huge", (uint64_t)1 << 58, &none, false, NULL), OX_OK);
    assert_int_equal(ox_manifest_finish(&artifact.files, NULL), OX_OK);
    assert_int_equal(ox_artifact_digest(&artifact.files, &artifact.digest, NULL), OX_OK);
    return artifact;
}

static void room__what_is_linked_takes_none_and_what_has_arrived_counts(void **state)
{
    struct world *world = *state;
    struct artifact artifact = held_and_huge(&world->v1);
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    bool pending;

    install_v1(world);
    open_agent(world, &none, &pending);
    journal = assign(world, &artifact, false);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_stage_preflight(update, NULL), OX_ENOSPC);
    assert_int_equal(ox_space_needed(update), (uint64_t)1 << 58);
    write_file(world,
               ".oxide/download/"
               "0700000000000000000000000000000000000000000000000000000000000000.part",
               "12345");
    assert_int_equal(ox_space_needed(update), ((uint64_t)1 << 58) - 5);
    ox_update_free(update);
    close_agent(world);
    ox_manifest_clear(&artifact.files);
}

static void room__that_lacks_is_told_with_who_holds_removed_files(void **state)
{
    struct world *world = *state;
    struct artifact artifact = held_and_huge(&world->v1);
    struct ox_err err = OX_ERR_INIT;
    char pid_text[48];
    char own_name[16];
    char *path = at(world, "was-removed");
    FILE *name;
    int said[2];
    char byte;
    pid_t pid;

    install_v1(world);
    write_file(world, "was-removed", "a few bytes");
    assert_int_equal(pipe(said), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(path, O_RDONLY);
        const char *map = mmap(NULL, 11, PROT_READ, MAP_SHARED, fd, 0);

        (void)close(fd); /* mapped, and no longer open */
        _exit(map == MAP_FAILED || unlink(path) != 0 || write(said[1], "x", 1) != 1 ||
              pause() == 0);
    }
    assert_int_equal(read(said[0], &byte, 1), 1);
    assert_int_equal(update_to(world, &artifact, false, &err), OX_ENOSPC);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_non_null(strstr(err.msg, "bytes lack: the update needs 288,230,376,1"));
    name = fopen("/proc/self/comm", "r"); /* in an emulator it is the emulator's */
    assert_non_null(name);
    assert_int_equal(fscanf(name, "%15s", own_name), 1);
    (void)fclose(name);
    (void)snprintf(pid_text, sizeof(pid_text), "process %d (%s", (int)pid, own_name);
    assert_non_null(strstr(err.msg, pid_text));
    assert_non_null(strstr(err.msg, "still holds "));
    assert_int_equal(world->blob_requests, 0);
    assert_last_report(world, "failed disk");
    assert_int_equal(failures_of(world, &artifact), 0);
    assert_int_equal(update_to(world, &artifact, false, &err), OX_ENOSPC);
    assert_null(strstr(err.msg, "still holds"));
    (void)close(said[0]);
    (void)close(said[1]);
    free(path);
    ox_manifest_clear(&artifact.files);
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
        WITH_WORLD(room__what_is_linked_takes_none_and_what_has_arrived_counts),
        WITH_WORLD(room__that_lacks_is_told_with_who_holds_removed_files),
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
