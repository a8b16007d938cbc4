/* Installations, what ran where, pins, and devices that wait to be accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/file.h"
#include "oxide/registry/device.h"
#include "oxide/registry/history.h"
#include "oxide/registry/instance.h"
#include "oxide/registry/pending.h"
#include "oxide/registry/pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    struct ox_registry *registry;
    struct ox_tx tx; /* a writing one */
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char path[96];

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-registry.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(path, sizeof(path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_registry_open(&fixture->registry, path, NULL), OX_OK);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &fixture->tx, NULL), OX_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_registry_end(&fixture->tx);
    ox_registry_close(fixture->registry);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture);
    return 0;
}

static void add_device(struct ox_tx *tx, const char *id)
{
    bool created = false;

    assert_int_equal(ox_registry_device_put(tx, id, "A name", "{}", 5, &created, NULL), OX_OK);
}

/* --- history --- */

/* The device says that it runs this, at this time. fill 0: no digest is known. */
static void runs(struct ox_tx *tx, const char *id, const char *model, const char *version,
                 uint8_t fill, int64_t now_ms)
{
    struct ox_device_model_row row = {id, model, version, fill != 0, {{0}}};

    memset(row.digest.bytes, fill, sizeof(row.digest.bytes));
    assert_int_equal(ox_registry_device_model_put(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_history_note(tx, id, now_ms, NULL), OX_OK);
}

/* Rows of the history, by the filters that are not NULL. */
static struct ox_history_row *page_of(struct ox_tx *tx, const char *sort, const char *device,
                                      const char *model, const char *version, const char *at,
                                      uint64_t limit, const char *cursor, size_t *count,
                                      const char **next)
{
    struct ox_page_filter filters[4];
    struct ox_page page = {.sort = sort, .cursor = cursor, .limit = limit, .filters = filters};
    const char *const given[][2] = {
        {"device", device}, {"model", model}, {"version", version}, {"at", at}};
    struct ox_history_row *rows = NULL;

    for (size_t i = 0; i < 4; i++) {
        if (given[i][1] != NULL) {
            filters[page.filter_count++] = (struct ox_page_filter){given[i][0], given[i][1]};
        }
    }
    assert_int_equal(ox_registry_history_page(tx, &page, &rows, count, next, NULL), OX_OK);
    return rows;
}

/* The history of a device as "MODEL@VERSION FROM-TO, ...", the newest first. */
static void assert_history(struct ox_tx *tx, const char *id, const char *expected)
{
    const char *next = NULL;
    char text[512] = "";
    size_t count = 0;
    size_t used = 0;
    struct ox_history_row *rows =
        page_of(tx, "-id", id, NULL, NULL, NULL, 100, NULL, &count, &next);

    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s@%s %d-%d",
                                 i == 0 ? "" : ", ", rows[i].model_id, rows[i].version,
                                 (int)rows[i].from_ms, (int)rows[i].to_ms);
    }
    assert_string_equal(text, expected);
}

static void history__has_a_row_for_each_change(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;

    add_device(tx, "cam-01");
    runs(tx, "cam-01", "m", "v1", 1, 10);
    runs(tx, "cam-01", "m", "v1", 1, 20); /* nothing changed */
    runs(tx, "cam-01", "n", "v7", 7, 25);
    runs(tx, "cam-01", "m", "v2", 2, 30);
    runs(tx, "cam-01", "m", "v1", 1, 40);
    assert_history(tx, "cam-01", "m@v1 40-0, m@v2 30-40, n@v7 25-0, m@v1 10-30");
    assert_int_equal(ox_registry_device_models_clear(tx, "cam-01", NULL), OX_OK);
    assert_int_equal(ox_registry_history_note(tx, "cam-01", 50, NULL), OX_OK);
    assert_history(tx, "cam-01", "m@v1 40-50, m@v2 30-40, n@v7 25-50, m@v1 10-30");
}

static void history__other_bytes_under_one_name_are_another_row(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;

    add_device(tx, "cam-01");
    runs(tx, "cam-01", "m", "v1", 1, 10);
    runs(tx, "cam-01", "m", "v1", 2, 20);
    assert_history(tx, "cam-01", "m@v1 20-0, m@v1 10-20");
}

static void history__a_digest_that_becomes_known_is_no_change(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;

    add_device(tx, "old-01");
    runs(tx, "old-01", "m", "v1", 0, 10);
    runs(tx, "old-01", "m", "v1", 1, 20);
    assert_history(tx, "old-01", "m@v1 10-0");
}

static void history__a_clock_that_goes_back_gives_no_negative_time(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;

    add_device(tx, "cam-01");
    runs(tx, "cam-01", "m", "v1", 1, 100);
    runs(tx, "cam-01", "m", "v2", 2, 50);
    assert_history(tx, "cam-01", "m@v2 50-0, m@v1 100-100");
}

static void history__outlives_the_device(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;

    add_device(tx, "cam-01");
    runs(tx, "cam-01", "m", "v1", 1, 10);
    assert_int_equal(ox_registry_device_remove(tx, "cam-01", NULL), OX_OK);
    assert_int_equal(ox_registry_history_note(tx, "cam-01", 20, NULL), OX_OK);
    assert_history(tx, "cam-01", "m@v1 10-20");
}

static void history__is_read_in_pages_and_by_model(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_history_row *rows;
    const char *next = NULL;
    size_t count = 0;

    add_device(tx, "cam-01");
    runs(tx, "cam-01", "m", "v1", 1, 10);
    runs(tx, "cam-01", "n", "v9", 9, 15);
    runs(tx, "cam-01", "m", "v2", 2, 20);
    rows = page_of(tx, "-id", "cam-01", NULL, NULL, NULL, 2, NULL, &count, &next);
    assert_int_equal(count, 2);
    assert_string_equal(rows[1].version, "v9");
    assert_non_null(next);
    rows = page_of(tx, "-id", "cam-01", NULL, NULL, NULL, 2, next, &count, &next);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].version, "v1");
    assert_null(next);
    (void)page_of(tx, "-id", "cam-01", "m", NULL, NULL, 9, NULL, &count, &next);
    assert_int_equal(count, 2);
}

static void previous__is_the_last_one_with_other_bytes(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_history_row row;

    add_device(tx, "cam-01");
    assert_int_equal(ox_registry_device_previous(tx, "cam-01", "m", &row, NULL), OX_ENOTFOUND);
    runs(tx, "cam-01", "m", "v1", 1, 10);
    assert_int_equal(ox_registry_device_previous(tx, "cam-01", "m", &row, NULL), OX_ENOTFOUND);
    runs(tx, "cam-01", "n", "v5", 5, 15);
    runs(tx, "cam-01", "m", "v2", 2, 20);
    assert_int_equal(ox_registry_device_previous(tx, "cam-01", "m", &row, NULL), OX_OK);
    assert_string_equal(row.version, "v1");
    assert_int_equal(row.digest.bytes[0], 1);
    /* It lost the model and got the same version again: that is no previous one. */
    assert_int_equal(ox_registry_device_models_clear(tx, "cam-01", NULL), OX_OK);
    assert_int_equal(ox_registry_history_note(tx, "cam-01", 30, NULL), OX_OK);
    runs(tx, "cam-01", "m", "v2", 2, 40);
    assert_int_equal(ox_registry_device_previous(tx, "cam-01", "m", &row, NULL), OX_OK);
    assert_string_equal(row.version, "v1");
}

static void assert_where(struct ox_tx *tx, const char *version, const char *at_ms,
                         const char *expected)
{
    const char *next = NULL;
    char text[256] = "";
    size_t count = 0;
    size_t used = 0;
    struct ox_history_row *rows =
        page_of(tx, "device", NULL, "m", version, at_ms, 9, NULL, &count, &next);

    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s@%s", i == 0 ? "" : " ",
                                 rows[i].device_id, rows[i].version);
    }
    assert_string_equal(text, expected);
}

static void where__finds_what_ran_at_a_time(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    const struct ox_where where = {"m", NULL, 25};
    struct ox_where_count *counts = NULL;
    size_t count = 0;

    add_device(tx, "a");
    add_device(tx, "b");
    add_device(tx, "c");
    runs(tx, "a", "m", "v1", 1, 10);
    runs(tx, "b", "m", "v1", 1, 10);
    runs(tx, "c", "m", "v2", 2, 15);
    runs(tx, "a", "n", "v1", 1, 15);
    runs(tx, "a", "m", "v2", 2, 20);
    assert_where(tx, NULL, "9", "");
    assert_where(tx, NULL, "10", "a@v1 b@v1");
    assert_where(tx, NULL, "19", "a@v1 b@v1 c@v2");
    assert_where(tx, NULL, "20", "a@v2 b@v1 c@v2"); /* the change belongs to what comes */
    assert_where(tx, "v2", "20", "a@v2 c@v2");
    assert_int_equal(ox_registry_where_counts(tx, &where, &counts, &count, NULL), OX_OK);
    assert_int_equal(count, 2);
    assert_string_equal(counts[0].version, "v2");
    assert_int_equal(counts[0].devices, 2);
    assert_int_equal(counts[1].devices, 1);
}

static void prune__keeps_what_a_revert_needs(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    int64_t last_id = 0;
    bool any = false;

    add_device(tx, "a");
    add_device(tx, "gone");
    runs(tx, "a", "m", "v1", 1, 10);
    runs(tx, "a", "m", "v2", 2, 20);
    runs(tx, "a", "m", "v3", 3, 30);
    runs(tx, "gone", "m", "v1", 1, 10);
    assert_int_equal(ox_registry_device_remove(tx, "gone", NULL), OX_OK);
    assert_int_equal(ox_registry_history_note(tx, "gone", 20, NULL), OX_OK);
    assert_int_equal(ox_registry_history_stale(tx, 0, 100, 20, &last_id, &any, NULL), OX_OK);
    assert_false(any); /* nothing ended before 20 */
    assert_int_equal(ox_registry_history_stale(tx, 0, 2, 100, &last_id, &any, NULL), OX_OK);
    assert_int_equal(last_id, 2);
    assert_true(any);
    assert_int_equal(ox_registry_history_prune(tx, 0, last_id, 100, NULL), OX_OK);
    assert_history(tx, "a", "m@v3 30-0, m@v2 20-30");
    assert_int_equal(ox_registry_history_stale(tx, last_id, 100, 100, &last_id, &any, NULL), OX_OK);
    assert_true(any);
    assert_int_equal(ox_registry_history_prune(tx, 2, last_id, 100, NULL), OX_OK);
    assert_history(tx, "a", "m@v3 30-0, m@v2 20-30");
    assert_history(tx, "gone", "");
    assert_int_equal(ox_registry_history_stale(tx, last_id, 100, 100, &last_id, &any, NULL), OX_OK);
    assert_int_equal(last_id, 0); /* the walk is at its end */
    assert_false(any);
}

/* --- installations --- */

static void instances__are_kept_replaced_and_forgotten(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_instance_row row = {.device_id = "cam-01",
                                  .instance = "b",
                                  .state = "rival",
                                  .first_seen_ms = 10,
                                  .last_seen_ms = 10,
                                  .address = "10.0.0.2"};
    struct ox_instance_row *rows = NULL;
    size_t count = 0;
    bool found = true;

    add_device(tx, "cam-01");
    assert_int_equal(ox_registry_instance_get(tx, "cam-01", "b", &row, &found, NULL), OX_OK);
    assert_false(found);
    assert_int_equal(ox_registry_instance_put(tx, &row, NULL), OX_OK);
    row.instance = "a";
    row.first_seen_ms = row.last_seen_ms = 20;
    assert_int_equal(ox_registry_instance_put(tx, &row, NULL), OX_OK);
    row.instance = "b";
    row.state = "split";
    row.new_id = "cam-02";
    assert_int_equal(ox_registry_instance_put(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_instances(tx, "cam-01", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].instance, "b");
    assert_string_equal(rows[0].new_id, "cam-02");
    assert_int_equal(rows[0].first_seen_ms, 10); /* as it was */
    assert_int_equal(rows[0].last_seen_ms, 20);
    assert_int_equal(ox_registry_instance_remove(tx, "cam-01", "b", NULL), OX_OK);
    assert_int_equal(ox_registry_instance_get(tx, "cam-01", "b", &row, &found, NULL), OX_OK);
    assert_false(found);
    assert_int_equal(ox_registry_device_remove(tx, "cam-01", NULL), OX_OK);
    assert_int_equal(ox_registry_instances(tx, "cam-01", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 0);
}

static void instances__silent_rivals_go_unless_there_is_a_conflict(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_instance_row row = {.instance = "b", .state = "rival", .last_seen_ms = 10};
    bool stale = true;
    bool found = false;

    add_device(tx, "a");
    add_device(tx, "b");
    row.device_id = "a";
    assert_int_equal(ox_registry_instance_put(tx, &row, NULL), OX_OK);
    row.device_id = "b";
    assert_int_equal(ox_registry_instance_put(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_device_set_conflict(tx, "b", 5, NULL), OX_OK);
    assert_int_equal(ox_registry_instances_stale(tx, 10, &stale, NULL), OX_OK);
    assert_false(stale);
    assert_int_equal(ox_registry_instances_stale(tx, 11, &stale, NULL), OX_OK);
    assert_true(stale);
    assert_int_equal(ox_registry_instances_prune(tx, 11, NULL), OX_OK);
    assert_int_equal(ox_registry_instance_get(tx, "a", "b", &row, &found, NULL), OX_OK);
    assert_false(found);
    assert_int_equal(ox_registry_instance_get(tx, "b", "b", &row, &found, NULL), OX_OK);
    assert_true(found);
    assert_int_equal(ox_registry_instances_stale(tx, 11, &stale, NULL), OX_OK);
    assert_false(stale);
}

static void conflict__is_set_and_settled(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_device_row device;

    add_device(tx, "cam-01");
    assert_int_equal(ox_registry_device_get(tx, "cam-01", &device, NULL), OX_OK);
    assert_null(device.instance);
    assert_int_equal(device.utc_offset_s, OX_UTC_OFFSET_UNKNOWN);
    assert_int_equal(ox_registry_device_set_conflict(tx, "cam-01", 5, NULL), OX_OK);
    assert_int_equal(ox_registry_device_set_instance(tx, "cam-01", "b", 6, NULL), OX_OK);
    assert_int_equal(ox_registry_device_get(tx, "cam-01", &device, NULL), OX_OK);
    assert_int_equal(device.conflict_ms, 5);
    assert_string_equal(device.instance, "b");
    assert_int_equal(device.instance_since_ms, 6);
    assert_int_equal(ox_registry_device_set_conflict(tx, "cam-01", 0, NULL), OX_OK);
    assert_int_equal(ox_registry_device_get(tx, "cam-01", &device, NULL), OX_OK);
    assert_int_equal(device.conflict_ms, 0);
}

/* --- pins --- */

static void pin__of_a_model_or_of_all(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_pin_row row = {"cam-01", "m", "a demo", 10};
    struct ox_pin_row out;
    struct ox_pin_row *rows = NULL;
    size_t count = 0;
    bool found = true;

    add_device(tx, "cam-01");
    assert_int_equal(ox_registry_device_pinned(tx, "cam-01", "m", &found, &out, NULL), OX_OK);
    assert_false(found);
    assert_int_equal(ox_registry_pin_put(tx, &row, NULL), OX_OK);
    row.reason = "another demo";
    assert_int_equal(ox_registry_pin_put(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_device_pinned(tx, "cam-01", "m", &found, &out, NULL), OX_OK);
    assert_true(found);
    assert_string_equal(out.reason, "another demo");
    row.reason = NULL; /* once more, without one */
    assert_int_equal(ox_registry_pin_put(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_device_pinned(tx, "cam-01", "m", &found, &out, NULL), OX_OK);
    assert_string_equal(out.reason, "another demo");
    assert_int_equal(ox_registry_device_pinned(tx, "cam-01", "n", &found, &out, NULL), OX_OK);
    assert_false(found);
    row = (struct ox_pin_row){"cam-01", "", NULL, 20};
    assert_int_equal(ox_registry_pin_put(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_device_pinned(tx, "cam-01", "n", &found, &out, NULL), OX_OK);
    assert_true(found);
    assert_null(out.reason);
    assert_int_equal(ox_registry_pins(tx, "cam-01", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 2);
    assert_int_equal(ox_registry_pin_remove(tx, "cam-01", "m", &found, NULL), OX_OK);
    assert_true(found);
    assert_int_equal(ox_registry_pin_remove(tx, "cam-01", "m", &found, NULL), OX_OK);
    assert_false(found);
}

/* --- devices that wait --- */

static void pending__are_listed_by_state_in_pages(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_pending_row row = {.state = "pending", .agent = "oxide/1", .first_seen_ms = 5};
    const struct ox_page_filter filter = {"state", "pending"};
    struct ox_page page = {.limit = 1, .filters = &filter, .filter_count = 1};
    struct ox_pending_row *rows = NULL;
    size_t count = 0;
    bool found = false;

    for (size_t i = 0; i < 3; i++) {
        static const char *const ids[] = {"b", "a", "c"};

        row.id = ids[i];
        row.last_seen_ms = 10;
        assert_int_equal(ox_registry_pending_put(tx, &row, NULL), OX_OK);
    }
    row = (struct ox_pending_row){.id = "b", .state = "rejected", .last_seen_ms = 20};
    assert_int_equal(ox_registry_pending_put(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_pending_page(tx, &page, &rows, &count, &page.cursor, NULL), OX_OK);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, "a");
    assert_int_equal(ox_registry_pending_page(tx, &page, &rows, &count, &page.cursor, NULL), OX_OK);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, "c");
    assert_null(page.cursor);
    assert_int_equal(ox_registry_pending_get(tx, "b", &row, &found, NULL), OX_OK);
    assert_true(found);
    assert_string_equal(row.state, "rejected");
    assert_string_equal(row.agent, "oxide/1"); /* what is not said again stays */
    assert_int_equal(row.first_seen_ms, 5);
    assert_int_equal(ox_registry_pending_remove(tx, "b", NULL), OX_OK);
    assert_int_equal(ox_registry_pending_get(tx, "b", &row, &found, NULL), OX_OK);
    assert_false(found);
}

static void pending__the_silent_make_room_but_not_the_fresh(void **state)
{
    struct ox_tx *tx = &((struct fixture *)*state)->tx;
    struct ox_pending_row row = {.state = "pending"};
    bool found = true;
    bool room = false;

    for (int i = 0; i < OX_PENDING_MAX; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "d%d", i);
        row.id = id;
        row.last_seen_ms = 1000 + i;
        assert_int_equal(ox_registry_pending_make_room(tx, 0, &room, NULL), OX_OK);
        assert_true(room);
        assert_int_equal(ox_registry_pending_put(tx, &row, NULL), OX_OK);
    }
    assert_int_equal(ox_registry_pending_make_room(tx, 1000, &room, NULL), OX_OK);
    assert_false(room);
    assert_int_equal(ox_registry_pending_make_room(tx, 5000, &room, NULL), OX_OK);
    assert_true(room);
    assert_int_equal(ox_registry_pending_get(tx, "d0", &row, &found, NULL), OX_OK);
    assert_false(found);
    assert_int_equal(ox_registry_pending_get(tx, "d1", &row, &found, NULL), OX_OK);
    assert_true(found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(history__has_a_row_for_each_change),
        TEST(history__other_bytes_under_one_name_are_another_row),
        TEST(history__a_digest_that_becomes_known_is_no_change),
        TEST(history__a_clock_that_goes_back_gives_no_negative_time),
        TEST(history__outlives_the_device),
        TEST(history__is_read_in_pages_and_by_model),
        TEST(previous__is_the_last_one_with_other_bytes),
        TEST(where__finds_what_ran_at_a_time),
        TEST(prune__keeps_what_a_revert_needs),
        TEST(instances__are_kept_replaced_and_forgotten),
        TEST(instances__silent_rivals_go_unless_there_is_a_conflict),
        TEST(conflict__is_set_and_settled),
        TEST(pin__of_a_model_or_of_all),
        TEST(pending__are_listed_by_state_in_pages),
        TEST(pending__the_silent_make_room_but_not_the_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
