/* The download of an update: resumed, refused, from mirrors. */
#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void download__a_wrong_content_range_is_refused_and_all_of_it_asked_for(void **state)
{
    struct world *world = *state;

    world->cut_after = 70000;
    world->cuts = 1;
    world->lies_about_range = true;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->blob_requests, 3); /* cut, refused, whole */
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
    assert_int_equal(last_bytes_from(world, OX_ORIGIN_MIRROR), MODEL_BYTES);
    assert_int_equal(last_bytes_from(world, OX_ORIGIN_CONTROL_PLANE), 0);
}

static void download__wrong_bytes_of_a_mirror_come_right_from_the_server(void **state)
{
    struct world *world = *state;

    world->mirror_is_wrong = true;
    assert_int_equal(update_by_mirror(world), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->blob_requests, 1);
}

static void download__what_came_from_two_and_is_wrong_is_asked_of_one_alone(void **state)
{
    struct world *world = *state;

    /* The mirror's wrong bytes break off; the rest comes from the server, whose bytes are right. */
    world->mirror_is_wrong = true;
    world->mirror_cut_after = 50000;
    assert_int_equal(update_by_mirror(world), OX_OK);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->blob_requests, 2); /* from 50000 on, and then all of it */
    assert_int_equal(last_bytes_from(world, OX_ORIGIN_MIRROR), 50000);
    assert_int_equal(last_bytes_from(world, OX_ORIGIN_CONTROL_PLANE), 2 * MODEL_BYTES - 50000);
    assert_int_equal(failures_of(world, &world->v1), 0);
}

static void download__who_says_retry_after_is_left_alone(void **state)
{
    struct world *world = *state;
    struct ox_journal none = {0};
    struct ox_journal journal;
    struct ox_update *update = NULL;
    bool pending;

    world->refuse_status = 503;
    world->retry_after = "7200"; /* more than we grant */
    open_agent(world, &none, &pending);
    journal = assign(world, &world->v1, false);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_update_run(update, NULL), OX_ENET);
    assert_int_equal(world->refused, 1);
    assert_true(update->rest_ms > 3500000 && update->rest_ms <= 4320000); /* 1 h and a fifth */
    ox_update_free(update);
    assert_int_equal(failures_of(world, &world->v1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(download__goes_on_where_it_broke_off),
        WITH_WORLD(download__a_lost_network_is_no_failure_and_goes_on_later),
        WITH_WORLD(download__a_part_of_an_earlier_run_is_used),
        WITH_WORLD(download__a_damaged_part_is_fetched_again),
        WITH_WORLD(download__servers_without_ranges_do),
        WITH_WORLD(download__a_wrong_content_range_is_refused_and_all_of_it_asked_for),
        WITH_WORLD(download__wrong_bytes_are_counted_and_nothing_changes),
        WITH_WORLD(download__a_missing_blob_is_reported_not_counted),
        WITH_WORLD(download__mirrors_come_first_and_do_not_learn_who_asks),
        WITH_WORLD(download__wrong_bytes_of_a_mirror_come_right_from_the_server),
        WITH_WORLD(download__what_came_from_two_and_is_wrong_is_asked_of_one_alone),
        WITH_WORLD(download__who_says_retry_after_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
