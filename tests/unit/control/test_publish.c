#include "fixture.h"

#include <unistd.h>

static size_t blob_count;

static enum ox_code count_one(void *ctx, const struct ox_digest *digest, uint64_t size_bytes,
                              struct ox_err *err)
{
    (void)ctx;
    (void)digest;
    (void)size_bytes;
    (void)err;
    blob_count++;
    return OX_OK;
}

static size_t blobs(struct fixture *fixture)
{
    struct ox_store_visitor visitor = {NULL, count_one};

    blob_count = 0;
    assert_int_equal(ox_store_each(fixture->store, &visitor, NULL), OX_OK);
    return blob_count;
}

static void publish__same_bytes_again_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    bool created = false;

    assert_int_equal(publish(fixture, "v1", 1, 0, &created), OX_OK);
    assert_true(created);
    assert_int_equal(publish(fixture, "v1", 1, 0, &created), OX_OK);
    assert_false(created);
    assert_int_equal(blobs(fixture), 1);
}

static void publish__other_bytes_are_a_conflict_and_not_kept(void **state)
{
    struct fixture *fixture = *state;
    bool created = false;

    assert_int_equal(publish(fixture, "v1", 1, 0, &created), OX_OK);
    assert_int_equal(publish(fixture, "v1", 2, 0, &created), OX_ECONFLICT);
    assert_int_equal(blobs(fixture), 1);
}

static void publish__refuses_an_empty_body(void **state)
{
    struct fixture *fixture = *state;
    struct ox_publish *upload = NULL;
    json_t *out = NULL;
    bool created = false;

    assert_int_equal(ox_control_publish_begin(fixture->control, "m", "v1", 0, &upload, NULL),
                     OX_OK);
    assert_int_equal(ox_control_publish_finish(upload, &created, &out, NULL), OX_EINVAL);
    assert_int_equal(blobs(fixture), 0);
}

static void publish__refuses_what_is_no_identifier(void **state)
{
    struct fixture *fixture = *state;
    struct ox_publish *upload = NULL;

    assert_int_equal(ox_control_publish_begin(fixture->control, "m", "..", 1, &upload, NULL),
                     OX_EINVAL);
    assert_int_equal(ox_control_publish_begin(fixture->control, "a/b", "v", 1, &upload, NULL),
                     OX_EINVAL);
}

static void publish__is_there_after_a_restart(void **state)
{
    const struct ox_list_query all = {.limit = 9, .filters = {{"model", "m"}}, .filter_count = 1};
    struct fixture *fixture = *state;
    json_t *out = NULL;
    char *next = NULL;

    publish_two(fixture);
    restart(fixture);
    assert_int_equal(ox_control_versions(fixture->control, &all, &out, &next, NULL), OX_OK);
    assert_string_equal(text_at(out, "0.version"), "v1");
    assert_string_equal(text_at(out, "1.version"), "v2");
    assert_null(next);
    json_decref(out);
}

static void publish__queues_one_delta_against_the_version_before(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    bool made = false;

    publish_two(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    assert_false(download.is_patch);
    assert_true(download.pending);
    (void)close(download.fd);
    assert_int_equal(ox_control_make_delta(fixture->control, &made, NULL), OX_OK);
    assert_true(made);
    assert_int_equal(ox_control_make_delta(fixture->control, &made, NULL), OX_OK);
    assert_false(made); /* asked for twice, queued once */
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    assert_true(download.is_patch);
    assert_false(download.pending);
    assert_true(download.size_bytes < MODEL_BYTES / 10);
    assert_int_equal(download.target_bytes, MODEL_BYTES);
    (void)close(download.fd);
}

static void download__the_first_generation_gets_oxdl_1_once_it_is_made(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    char magic[5] = {0};

    publish_two(fixture);
    make_deltas(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", NULL, &download, NULL),
                     OX_OK);
    assert_true(download.pending); /* asked for now, so queued now */
    (void)close(download.fd);
    make_deltas(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", NULL, &download, NULL),
                     OX_OK);
    assert_true(download.is_patch);
    assert_int_equal(pread(download.fd, magic, 5, 0), 5);
    assert_memory_equal(magic, "OXDL\x01", 5);
    (void)close(download.fd);
}

static void download__operations_that_the_asker_lacks_give_the_whole_file(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;

    publish_two(fixture);
    make_deltas(fixture);
    assert_int_equal(
        ox_control_download(fixture->control, "m", "v2", "v1", "oxdl/2; ops=1", &download, NULL),
        OX_OK);
    assert_false(download.is_patch);
    assert_int_equal(download.size_bytes, MODEL_BYTES);
    (void)close(download.fd);
}

static void download__an_unknown_base_gives_the_whole_file(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;

    publish_two(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v0", NULL, &download, NULL),
                     OX_OK);
    assert_false(download.is_patch);
    assert_false(download.pending);
    (void)close(download.fd);
}

/* Bytes of the delta between two new versions. */
static uint64_t delta_bytes(struct fixture *fixture, const char *from, const char *to,
                            unsigned seed)
{
    struct ox_download download;
    bool created = false;

    assert_int_equal(publish(fixture, from, seed, 0, &created), OX_OK);
    assert_int_equal(publish(fixture, to, seed, MODEL_BYTES / 2, &created), OX_OK);
    make_deltas(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", to, from, "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    assert_true(download.is_patch);
    (void)close(download.fd);
    return download.size_bytes;
}

static void delta__is_smaller_with_more_effort(void **state)
{
    struct fixture *fixture = *state;
    uint64_t fast;
    uint64_t small;

    fixture->delta_effort = 1;
    restart(fixture);
    fast = delta_bytes(fixture, "v1", "v2", 1);
    fixture->delta_effort = 9;
    restart(fixture);
    small = delta_bytes(fixture, "v3", "v4", 2);
    print_message("effort 1: %llu bytes, 9: %llu\n", (unsigned long long)fast,
                  (unsigned long long)small);
    assert_true(small < fast - fast / 100);
}

static void delta__is_useless_where_nothing_is_alike(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    bool created = false;

    assert_int_equal(publish(fixture, "v1", 1, 0, &created), OX_OK);
    assert_int_equal(publish(fixture, "v2", 2, 0, &created), OX_OK);
    make_deltas(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    assert_false(download.is_patch);
    assert_false(download.pending);
    (void)close(download.fd);
    assert_int_equal(blobs(fixture), 2);
}

static void delta__fails_with_its_base_gone_and_the_whole_file_is_served(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    struct ox_digest base;

    publish_two(fixture);
    assert_int_equal(ox_digest_parse(digest_hex(fixture, "v1"), &base, NULL), OX_OK);
    assert_int_equal(ox_store_remove(fixture->store, &base, NULL), OX_OK);
    make_deltas(fixture);
    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    assert_false(download.is_patch);
    assert_false(download.pending);
    (void)close(download.fd);
}

static void delta__one_that_was_running_is_made_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = OX_TX_INIT;
    struct ox_job_row job;
    bool made = false;

    publish_two(fixture);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK);
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_int_equal(ox_control_make_delta(fixture->control, &made, NULL), OX_OK);
    assert_false(made);
    restart(fixture);
    assert_int_equal(ox_control_make_delta(fixture->control, &made, NULL), OX_OK);
    assert_true(made);
}

static void manifest__names_the_first_blob_that_is_not_held(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *out = NULL;
    json_t *in;
    bool created = false;

    publish_two(fixture);
    in = body("{\"files\":[{\"path\":\"a\",\"size\":%zu,\"sha256\":\"%s\"},"
              "{\"path\":\"b\",\"size\":5,\"sha256\":\"%064d\"}]}",
              MODEL_BYTES, digest_hex(fixture, "v1"), 7);
    assert_int_equal(
        ox_control_publish_manifest(fixture->control, "many", "v1", in, &created, &out, &err),
        OX_ENOTFOUND);
    assert_non_null(strstr(err.msg, "00007 (file \"b\")"));
    json_decref(in);
}

static void manifest__publishes_held_blobs_and_refuses_a_whole_download(void **state)
{
    struct fixture *fixture = *state;
    struct ox_download download;
    char first[OX_DIGEST_HEX_MAX];
    json_t *out = NULL;
    json_t *in;
    bool created = false;

    publish_two(fixture);
    (void)snprintf(first, sizeof(first), "%s", digest_hex(fixture, "v1"));
    in = body("{\"files\":[{\"path\":\"a\",\"size\":%zu,\"sha256\":\"%s\"},"
              "{\"path\":\"b/c\",\"size\":%zu,\"sha256\":\"%s\"}]}",
              MODEL_BYTES, first, MODEL_BYTES, digest_hex(fixture, "v2"));
    assert_int_equal(
        ox_control_publish_manifest(fixture->control, "many", "v1", in, &created, &out, NULL),
        OX_OK);
    assert_true(created);
    assert_int_equal(number_at(out, "size_bytes"), 2 * MODEL_BYTES);
    json_decref(out);
    assert_int_equal(
        ox_control_publish_manifest(fixture->control, "many", "v1", in, &created, &out, NULL),
        OX_OK);
    assert_false(created);
    json_decref(out);
    assert_int_equal(
        ox_control_download(fixture->control, "many", "v1", NULL, NULL, &download, NULL),
        OX_ECONFLICT);
    json_decref(in);
}

static void upload__goes_on_and_refuses_another_offset(void **state)
{
    struct fixture *fixture = *state;
    struct ox_upload *upload = NULL;
    struct ox_digest digest;
    uint64_t received = 0;
    json_t *out = NULL;
    bool complete = true;

    /* SHA-256 of "hello" */
    assert_int_equal(
        ox_digest_parse("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", &digest,
                        NULL),
        OX_OK);
    assert_int_equal(
        ox_control_upload_begin(fixture->control, &digest, 0, 5, &upload, &received, NULL), OX_OK);
    assert_int_equal(ox_control_upload_write(upload, "hel", 3, NULL), OX_OK);
    ox_control_upload_abort(upload, true);
    assert_int_equal(
        ox_control_upload_begin(fixture->control, &digest, 2, 5, &upload, &received, NULL),
        OX_ECONFLICT);
    assert_int_equal(received, 3);
    assert_int_equal(
        ox_control_upload_begin(fixture->control, &digest, 3, 5, &upload, &received, NULL), OX_OK);
    assert_int_equal(ox_control_upload_write(upload, "loo", 3, NULL), OX_EINVAL);
    assert_int_equal(ox_control_upload_write(upload, "lo", 2, NULL), OX_OK);
    assert_int_equal(ox_control_upload_finish(upload, &complete, &out, NULL), OX_OK);
    assert_true(complete);
    json_decref(out);
    assert_int_equal(
        ox_control_upload_begin(fixture->control, &digest, 0, 5, &upload, &received, NULL), OX_OK);
    assert_null(upload); /* held */
    assert_int_equal(received, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(publish__same_bytes_again_change_nothing),
        TEST(publish__other_bytes_are_a_conflict_and_not_kept),
        TEST(publish__refuses_an_empty_body),
        TEST(publish__refuses_what_is_no_identifier),
        TEST(publish__is_there_after_a_restart),
        TEST(publish__queues_one_delta_against_the_version_before),
        TEST(download__the_first_generation_gets_oxdl_1_once_it_is_made),
        TEST(download__operations_that_the_asker_lacks_give_the_whole_file),
        TEST(download__an_unknown_base_gives_the_whole_file),
        TEST(delta__is_smaller_with_more_effort),
        TEST(delta__is_useless_where_nothing_is_alike),
        TEST(delta__fails_with_its_base_gone_and_the_whole_file_is_served),
        TEST(delta__one_that_was_running_is_made_after_a_restart),
        TEST(manifest__names_the_first_blob_that_is_not_held),
        TEST(manifest__publishes_held_blobs_and_refuses_a_whole_download),
        TEST(upload__goes_on_and_refuses_another_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
