/* Where consumers find the active version: each layout, and going from one to another. */
#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_layout(struct world *world, enum ox_model_layout layout)
{
    world->options.tuning.all.layout = layout;
}

static void make_folder(const struct world *world, const char *relative)
{
    char *path = at(world, relative);

    assert_int_equal(ox_dir_make(path, 0755, NULL), OX_OK);
    free(path);
}

static ino_t inode_of(const struct world *world, const char *relative)
{
    char *path = at(world, relative);
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    free(path);
    return st.st_ino;
}

/* Start the agent, which settles, and stop it. */
static void start(struct world *world)
{
    struct ox_journal none = {0};
    bool pending = false;

    open_agent(world, &none, &pending);
    assert_false(pending);
    ox_journal_clear(&none);
    close_agent(world);
}

/* --- every layout --- */

static void layout__updates_rolls_back_reverts_and_removes(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(world->blob_bytes, world->patch_bytes);
    assert_true(is_active(world, &world->v2));
    assert_link(world, "previous", "v1");

    world->options.tuning.all.health_check = "exit 1";
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_EFAILED);
    assert_true(is_active(world, &world->v2));
    assert_link(world, "current", "v2");
    assert_false(has_version(world, "v3"));

    world->options.tuning.all.health_check = NULL;
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(world->blob_requests, 0);
    assert_true(is_active(world, &world->v1));
    assert_link(world, "previous", "v2");
    assert_no_litter(world);
}

static void layout__a_first_install_that_fails_leaves_nothing(void **state)
{
    struct world *world = *state;

    world->options.tuning.all.health_check = "exit 1";
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_EFAILED);
    assert_false(exists(world, "defect"));
    assert_false(exists(world, ".kept"));
    world->options.tuning.all.health_check = NULL;
    install_v1(world);
    assert_int_equal(remove_it(world, &world->v1, NULL), OX_OK);
    assert_false(exists(world, "defect"));
    assert_false(exists(world, ".kept"));
    assert_no_litter(world);
}

static void layout__the_check_sees_what_consumers_see(void **state)
{
    struct world *world = *state;

    world->options.tuning.all.health_check = "test -s \"$OXIDE_MODEL_PATH\"";
    if (world->options.tuning.all.layout == OX_MODEL_TRITON) {
        world->options.tuning.all.health_check =
            "case $OXIDE_MODEL_PATH in */models/defect/1/model.bin) ;; *) exit 1 ;; esac";
    }
    install_v1(world);
}

static void keep__holds_in_each_layout(void **state)
{
    static const size_t keeps[] = {0, 1, 3};
    struct world *world = *state;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        world->options.tuning.all.keep = keeps[i];
        install_v1(world);
        assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
        assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
        assert_true(is_active(world, &world->v3));
        assert_int_equal(has_version(world, "v2"), keeps[i] >= 1);
        assert_int_equal(has_version(world, "v1"), keeps[i] >= 3);
        if (world->options.tuning.all.layout == OX_MODEL_TRITON) {
            assert_int_equal(highest_number(world), 3);
            assert_int_equal(exists(world, "defect/2"), keeps[i] >= 1);
            assert_int_equal(exists(world, "defect/1"), keeps[i] >= 3);
        }
        assert_no_litter(world);
    }
}

static void group__reads_what_consumers_see(void **state)
{
    struct world *world = *state;
    const struct group *own = getgrgid(getegid());
    char *relative;
    char *path;
    struct stat st;

    if (own == NULL) {
        skip();
    }
    world->options.tuning.all.group = own->gr_name;
    install_v1(world);
    relative = seen(world);
    path = at(world, relative);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 02750);
    free(path);
    path = at(world, "defect");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 02750);
    free(path);
    free(relative);
    assert_true(is_active(world, &world->v1));
}

/* --- read all the time --- */

enum { ACTIVATIONS = 210 };

struct reader {
    struct world *world;
    atomic_bool over;
    unsigned reads;
    unsigned torn;
};

/* Of two files that change together, each says which version it is of. */
static bool is_whole(int dir)
{
    static const char *const names[] = {"one", "deep/two"};
    char texts[2][8] = {"", ""};

    for (size_t i = 0; i < 2; i++) {
        int fd = openat(dir, names[i], O_RDONLY);
        ssize_t got = fd < 0 ? -1 : read(fd, texts[i], sizeof(texts[i]) - 1);

        if (fd >= 0) {
            (void)close(fd);
        }
        if (got != 6) {
            return false;
        }
    }
    return strcmp(texts[0] + 3, texts[1] + 3) == 0; /* "one-v1" and "two-v1" */
}

static void *read_always(void *arg)
{
    struct reader *reader = arg;

    while (!atomic_load(&reader->over)) {
        char *relative = seen(reader->world);
        char *path = relative == NULL ? NULL : at(reader->world, relative);
        int dir = path == NULL ? -1 : open(path, O_RDONLY | O_DIRECTORY);

        reader->torn += dir < 0 || !is_whole(dir);
        reader->reads++;
        if (dir >= 0) {
            (void)close(dir);
        }
        free(path);
        free(relative);
    }
    return NULL;
}

static struct artifact paired(struct world *world, const char *version)
{
    struct artifact artifact = {.version = version};
    char text[8];

    for (size_t i = 0; i < 2; i++) {
        struct ox_digest digest;

        (void)snprintf(text, sizeof(text), "%s-%.2s", i == 0 ? "one" : "two", version);
        digest = put_blob(world, text, 6);
        assert_int_equal(
            ox_manifest_add(&artifact.files, i == 0 ? "one" : "deep/two", 6, &digest, false, NULL),
            OX_OK);
    }
    assert_int_equal(ox_manifest_finish(&artifact.files, NULL), OX_OK);
    assert_int_equal(ox_artifact_digest(&artifact.files, &artifact.digest, NULL), OX_OK);
    return artifact;
}

static void layout__a_reader_never_sees_a_partial_version(void **state)
{
    struct world *world = *state;
    struct artifact artifacts[] = {paired(world, "v4"), paired(world, "v5"), paired(world, "v6"),
                                   paired(world, "v7"), paired(world, "v8"), paired(world, "v9")};
    const size_t count = sizeof(artifacts) / sizeof(artifacts[0]);
    struct reader reader = {.world = world};
    pthread_t thread;

    world->options.tuning.all.keep = 3; /* a slow reader's version stays for that long */
    assert_int_equal(update_to(world, &artifacts[0], false, NULL), OX_OK);
    assert_int_equal(pthread_create(&thread, NULL, read_always, &reader), 0);
    for (size_t i = 1; i <= ACTIVATIONS; i++) {
        assert_int_equal(update_to(world, &artifacts[i % count], false, NULL), OX_OK);
    }
    atomic_store(&reader.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(reader.reads > ACTIVATIONS);
    assert_int_equal(reader.torn, 0);
    assert_true(is_active(world, &artifacts[ACTIVATIONS % count]));
    for (size_t i = 0; i < count; i++) {
        ox_manifest_clear(&artifacts[i].files);
    }
}

/* --- planted symlinks --- */

/* Plant a symlink to a folder of others' at `place`: an update and a start are refused, and what is
 * there is as it was. */
static void refuses_planted(struct world *world, const char *place)
{
    char *outside = NULL;
    char *inside = NULL;
    char *path = at(world, place);
    char *sentinel = NULL;
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
    assert_int_equal(ox_strf(&outside, NULL, "%s/outside", world->dir), OX_OK);
    assert_int_equal(ox_strf(&inside, NULL, "%s/versions/v9", outside), OX_OK);
    assert_int_equal(ox_strf(&sentinel, NULL, "%s/current", outside), OX_OK);
    assert_int_equal(ox_dir_make(inside, 0755, NULL), OX_OK);
    assert_int_equal(symlink("versions/v9", sentinel), 0);
    make_folder(world, "");
    *strrchr(path, '/') = '\0';
    assert_int_equal(ox_dir_make(path, 0755, NULL), OX_OK);
    path[strlen(path)] = '/';
    assert_int_equal(symlink(outside, path), 0);

    assert_true(update_to(world, &world->v1, false, &err) != OX_OK);
    assert_non_null(strstr(err.msg, place));
    assert_last_report(world, "failed preflight");
    assert_int_equal(world->blob_requests, 0);
    start(world);
    assert_true(ox_path_exists(inside));
    assert_true(ox_path_exists(sentinel));
    assert_true(exists(world, place));
    assert_int_equal(ox_remove_tree(outside, NULL), OX_OK);
    free(outside);
    free(inside);
    free(sentinel);
    free(path);
}

static void planted__symlinks_are_refused_and_not_followed(void **state)
{
    struct world *world = *state;

    if (world->options.tuning.all.layout == OX_MODEL_VERSIONS) {
        refuses_planted(world, "defect/versions");
    } else {
        refuses_planted(world, ".kept");
        refuses_planted(world, ".kept/defect");
        refuses_planted(world, ".kept/defect/versions");
    }
    refuses_planted(world, "defect");
}

static void planted__a_symlink_in_place_of_the_home_keeps_no_other_model_from_going_on(void **state)
{
    struct world *world = *state;
    char *home = at(world, world->options.tuning.all.layout == OX_MODEL_VERSIONS ? "defect"
                                                                                 : ".kept/defect");
    char *aside = at(world, "aside");

    install_v1(world);
    assert_int_equal(rename(home, aside), 0);
    assert_int_equal(symlink(aside, home), 0);
    start(world);
    assert_true(exists(world, "aside/versions/v1"));
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_EPERM);
    assert_false(exists(world, "aside/versions/v2"));
    free(home);
    free(aside);
}

/* --- flat --- */

static void flat__the_models_folder_is_a_symlink_that_never_changes(void **state)
{
    struct world *world = *state;
    char *path = at(world, "defect");
    char leads[64] = "";
    ino_t before;

    install_v1(world);
    assert_true(readlink(path, leads, sizeof(leads) - 1) > 0);
    assert_string_equal(leads, ".kept/defect/current");
    before = inode_of(world, "defect");
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(inode_of(world, "defect"), before);
    free(path);
}

static void flat__something_else_in_its_place_is_left_alone(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;

    make_folder(world, "defect/of-others");
    assert_int_equal(update_to(world, &world->v1, false, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "in the way"));
    assert_int_equal(world->blob_requests, 0);
    assert_true(exists(world, "defect/of-others"));
    assert_last_report(world, "failed preflight");
}

/* --- triton --- */

static void triton__numbers_rise_and_are_never_given_twice(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(highest_number(world), 1);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(highest_number(world), 2);
    assert_true(exists(world, "defect/1/model.bin"));
    assert_int_equal(inode_of(world, "defect/2/model.bin"),
                     inode_of(world, ".kept/defect/versions/v2/model.bin"));

    world->options.tuning.all.health_check = "exit 1"; /* 3 is seen for a moment, and goes */
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_EFAILED);
    assert_int_equal(highest_number(world), 2);
    world->options.tuning.all.health_check = NULL;
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    assert_int_equal(highest_number(world), 4);
    assert_false(exists(world, "defect/1"));

    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK); /* sent back: forwards */
    assert_int_equal(highest_number(world), 5);
    assert_true(is_active(world, &world->v2));
    assert_true(exists(world, "defect/4")); /* who reads it still can */
    assert_false(exists(world, "defect/2"));

    world->options.tuning.all.health_check = "exit 1"; /* from one kept version to another */
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_EFAILED);
    assert_int_equal(highest_number(world), 5);
    assert_true(is_active(world, &world->v2));
    assert_true(exists(world, "defect/4"));
    assert_no_litter(world);
}

static void triton__numbers_outlive_the_model(void **state)
{
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(remove_it(world, &world->v1, NULL), OX_OK);
    assert_false(exists(world, "defect"));
    install_v1(world);
    assert_int_equal(highest_number(world), 2);
}

static void triton__what_is_the_operators_stays(void **state)
{
    struct world *world = *state;

    make_folder(world, "defect/7");
    write_file(world, "defect/config.pbtxt", "name: \"defect\"\n");
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(exists(world, "defect/8/model.bin"));
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(update_to(world, &world->v3, false, NULL), OX_OK);
    assert_true(exists(world, "defect/10/model.bin"));
    assert_true(exists(world, "defect/7"));
    assert_true(exists(world, "defect/config.pbtxt"));

    make_folder(world, "defect/20"); /* above ours: what is active gets one above it */
    start(world);
    assert_true(exists(world, "defect/21/model.bin"));
    assert_true(is_active(world, &world->v3));
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_int_equal(highest_number(world), 22);
    assert_true(is_active(world, &world->v2));
    assert_false(exists(world, "defect/9")); /* of the same version */
    assert_true(exists(world, "defect/20"));
}

static void triton__a_first_install_that_goes_leaves_the_configuration(void **state)
{
    struct world *world = *state;

    make_folder(world, "defect");
    write_file(world, "defect/config.pbtxt", "name: \"defect\"\n");
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(remove_it(world, &world->v1, NULL), OX_OK);
    assert_int_equal(highest_number(world), 0);
    assert_true(exists(world, "defect/config.pbtxt"));
}

static void triton__a_number_that_was_removed_is_made_anew_at_the_start(void **state)
{
    struct world *world = *state;
    char *path = at(world, "defect/1");

    install_v1(world);
    assert_int_equal(ox_remove_tree(path, NULL), OX_OK);
    start(world);
    assert_true(exists(world, "defect/2/model.bin"));
    assert_true(is_active(world, &world->v1));
    free(path);
}

/* A number was given and its folder half made; or it is there, and the state does not say so. */
static void triton__killed_between_the_steps_of_a_switch(void **state)
{
    struct world *world = *state;
    char *given = at(world, ".oxide/numbers/defect/2");
    char *half = at(world, ".oxide/fresh");
    char *there = at(world, "defect/3");

    install_v1(world);
    assert_int_equal(symlink("v2", given), 0);
    make_folder(world, ".oxide/fresh/deep");
    start(world);
    assert_true(is_active(world, &world->v1));
    assert_false(ox_path_exists(half));
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
    assert_int_equal(highest_number(world), 3);

    free(given);
    given = at(world, ".oxide/numbers/defect/4");
    assert_int_equal(symlink("v3", given), 0); /* a version that was never checked */
    make_folder(world, "defect/4");
    start(world);
    assert_true(is_active(world, &world->v2));
    assert_int_equal(highest_number(world), 3);
    assert_true(ox_path_exists(there));
    free(given);
    free(half);
    free(there);
}

/* --- from one to another --- */

static void change__keeps_what_is_active_and_what_is_kept(void **state)
{
    static const enum ox_model_layout ways[] = {OX_MODEL_FLAT,     OX_MODEL_TRITON,
                                                OX_MODEL_VERSIONS, OX_MODEL_TRITON,
                                                OX_MODEL_FLAT,     OX_MODEL_VERSIONS};
    struct world *world = *state;

    install_v1(world);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    world->blob_requests = 0;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        set_layout(world, ways[i]);
        start(world);
        assert_true(is_active(world, &world->v2));
        assert_link(world, "current", "v2");
        assert_link(world, "previous", "v1");
        assert_true(has_version(world, "v1"));
        assert_int_equal(exists(world, ".kept"), ways[i] != OX_MODEL_VERSIONS);
        start(world);
        assert_true(is_active(world, &world->v2));
    }
    assert_int_equal(world->blob_requests, 0);
    assert_false(exists(world, "defect/1"));
    assert_no_litter(world);
}

static void change__that_cannot_be_leaves_all_as_it_is(void **state)
{
    struct world *world = *state;

    install_v1(world);
    write_file(world, "defect/config.pbtxt", "name: \"defect\"\n");
    set_layout(world, OX_MODEL_FLAT);
    start(world);
    set_layout(world, OX_MODEL_TRITON);
    assert_true(exists(world, "defect/config.pbtxt"));
    assert_false(exists(world, ".kept"));
    set_layout(world, OX_MODEL_VERSIONS);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    assert_true(is_active(world, &world->v2));
}

/* Versions have moved, and the state does not say so yet. */
static void change__killed_in_the_middle_goes_on_or_back(void **state)
{
    static const enum ox_model_layout ends[] = {OX_MODEL_FLAT, OX_MODEL_TRITON, OX_MODEL_VERSIONS};
    struct world *world = *state;
    char *from = at(world, "defect/versions");
    char *kept = at(world, ".kept/defect");
    char *to = at(world, ".kept/defect/versions");

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
        set_layout(world, OX_MODEL_VERSIONS);
        install_v1(world);
        assert_int_equal(ox_dir_make(kept, 0755, NULL), OX_OK);
        assert_int_equal(rename(from, to), 0);
        set_layout(world, ends[i]);
        start(world);
        assert_true(is_active(world, &world->v1));
        assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
        assert_true(is_active(world, &world->v2));
    }
    free(from);
    free(kept);
    free(to);
}

static void change__what_an_earlier_release_wrote_goes_on(void **state)
{
    struct world *world = *state;
    char *path = at(world, ".oxide/state.json");
    json_t *json;
    json_t *model;

    install_v1(world);
    assert_int_equal(update_to(world, &world->v2, true, NULL), OX_OK);
    json = json_load_file(path, 0, NULL);
    model = json_array_get(json_object_get(json, "models"), 0);
    assert_int_equal(json_object_del(model, "layout"), 0);
    assert_int_equal(json_object_del(model, "older"), 0);
    assert_int_equal(json_object_del(model, "replaced"), 0);
    assert_int_equal(json_dump_file(json, path, 0), 0);
    json_decref(json);
    world->blob_requests = 0;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->blob_requests, 0);
    assert_int_equal(remove_it(world, &world->v1, NULL), OX_ECONFLICT);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAYOUTS(layout__updates_rolls_back_reverts_and_removes),
        WITH_LAYOUTS(layout__a_first_install_that_fails_leaves_nothing),
        WITH_LAYOUTS(layout__the_check_sees_what_consumers_see),
        WITH_LAYOUTS(keep__holds_in_each_layout),
        WITH_LAYOUTS(group__reads_what_consumers_see),
        WITH_LAYOUTS(layout__a_reader_never_sees_a_partial_version),
        WITH_LAYOUTS(planted__symlinks_are_refused_and_not_followed),
        WITH_LAYOUTS(planted__a_symlink_in_place_of_the_home_keeps_no_other_model_from_going_on),
        {"flat__link", flat__the_models_folder_is_a_symlink_that_never_changes, world_setup_flat,
         world_teardown, NULL},
        {"flat__other", flat__something_else_in_its_place_is_left_alone, world_setup_flat,
         world_teardown, NULL},
        {"triton__numbers", triton__numbers_rise_and_are_never_given_twice, world_setup_triton,
         world_teardown, NULL},
        {"triton__outlive", triton__numbers_outlive_the_model, world_setup_triton, world_teardown,
         NULL},
        {"triton__operators", triton__what_is_the_operators_stays, world_setup_triton,
         world_teardown, NULL},
        {"triton__configuration", triton__a_first_install_that_goes_leaves_the_configuration,
         world_setup_triton, world_teardown, NULL},
        {"triton__killed", triton__killed_between_the_steps_of_a_switch, world_setup_triton,
         world_teardown, NULL},
        {"triton__anew", triton__a_number_that_was_removed_is_made_anew_at_the_start,
         world_setup_triton, world_teardown, NULL},
        WITH_WORLD(change__keeps_what_is_active_and_what_is_kept),
        WITH_WORLD(change__that_cannot_be_leaves_all_as_it_is),
        WITH_WORLD(change__killed_in_the_middle_goes_on_or_back),
        WITH_WORLD(change__what_an_earlier_release_wrote_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
