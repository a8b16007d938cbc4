#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/file.h"
#include "oxide/registry/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    char dir[64];
    char path[96];
    struct ox_registry *registry;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-events.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_registry_close(fixture->registry);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture);
    return 0;
}

static struct ox_tx begin(struct fixture *fixture, enum ox_tx_kind kind)
{
    struct ox_tx tx = OX_TX_INIT;

    assert_int_equal(ox_registry_begin(fixture->registry, kind, &tx, NULL), OX_OK);
    return tx;
}

static void commit(struct ox_tx *tx)
{
    assert_int_equal(ox_registry_commit(tx, NULL), OX_OK);
    ox_registry_end(tx);
}

/* Events that happened at 10, 20, 30 ... ms: kinds a.x, a.y, b.x in turn; devices d0, d1 in turn;
 * every fifth is of campaign c. */
static void add(struct fixture *fixture, size_t count)
{
    static const char *const kinds[] = {"a.x", "a.y", "b.x"};
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_event_bounds bounds;

    assert_int_equal(ox_registry_events_bounds(&tx, &bounds, NULL), OX_OK);
    for (int64_t i = bounds.newest; i < bounds.newest + (int64_t)count; i++) {
        struct ox_event_row row = {.at_ms = (i + 1) * 10,
                                   .kind = kinds[i % 3],
                                   .device_id = i % 2 == 0 ? "d0" : "d1",
                                   .campaign_id = i % 5 == 0 ? "c" : NULL,
                                   .data = "{}"};

        assert_int_equal(ox_registry_event_add(&tx, &row, NULL), OX_OK);
    }
    commit(&tx);
}

/* The ids that match, as text; *next goes on. */
static void assert_ids(struct fixture *fixture, struct ox_event_filter filter, int64_t after,
                       size_t limit, const char *expected, int64_t expected_next)
{
    struct ox_tx tx = begin(fixture, OX_TX_READ);
    struct ox_event_row *rows = NULL;
    size_t count = 0;
    int64_t next = -1;
    char ids[256] = "";

    assert_int_equal(ox_registry_events(&tx, &filter, after, limit, &rows, &count, &next, NULL),
                     OX_OK);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s%lld", i == 0 ? "" : " ",
                       (long long)rows[i].id);
    }
    ox_registry_end(&tx);
    assert_string_equal(ids, expected);
    assert_int_equal(next, expected_next);
}

static int64_t before_last(struct fixture *fixture, struct ox_event_filter filter, size_t count)
{
    struct ox_tx tx = begin(fixture, OX_TX_READ);
    int64_t after = -1;

    assert_int_equal(ox_registry_events_before_last(&tx, &filter, count, &after, NULL), OX_OK);
    ox_registry_end(&tx);
    return after;
}

static int64_t since(struct fixture *fixture, int64_t at_ms)
{
    struct ox_tx tx = begin(fixture, OX_TX_READ);
    int64_t after = -1;

    assert_int_equal(ox_registry_events_since(&tx, at_ms, &after, NULL), OX_OK);
    ox_registry_end(&tx);
    return after;
}

static struct ox_event_bounds bounds_of(struct fixture *fixture)
{
    struct ox_tx tx = begin(fixture, OX_TX_READ);
    struct ox_event_bounds bounds;

    assert_int_equal(ox_registry_events_bounds(&tx, &bounds, NULL), OX_OK);
    ox_registry_end(&tx);
    return bounds;
}

/* Returns how many calls it took. */
static int trim(struct fixture *fixture, uint64_t keep, int64_t before_ms, size_t max)
{
    bool more = true;
    int calls = 0;

    for (; more; calls++) {
        struct ox_tx tx = begin(fixture, OX_TX_WRITE);

        assert_int_equal(ox_registry_events_trim(&tx, keep, before_ms, max, &more, NULL), OX_OK);
        commit(&tx);
    }
    return calls;
}

/* --- tests --- */

static void events__of_an_empty_log(void **state)
{
    assert_ids(*state, (struct ox_event_filter){NULL, NULL, NULL}, 0, 10, "", 0);
    assert_ids(*state, (struct ox_event_filter){NULL, NULL, NULL}, 7, 10, "", 7);
    assert_int_equal(before_last(*state, (struct ox_event_filter){NULL, NULL, NULL}, 5), 0);
    assert_int_equal(since(*state, 5), 0);
    assert_int_equal(bounds_of(*state).oldest, 1);
    assert_int_equal(bounds_of(*state).newest, 0);
}

static void events__match_their_filter(void **state)
{
    add(*state, 12);
    assert_ids(*state, (struct ox_event_filter){NULL, NULL, NULL}, 9, 10, "10 11 12", 12);
    assert_ids(*state, (struct ox_event_filter){NULL, NULL, NULL}, 0, 2, "1 2", 2);
    assert_ids(*state, (struct ox_event_filter){"a", NULL, NULL}, 0, 3, "1 2 4", 4);
    assert_ids(*state, (struct ox_event_filter){"a.y", NULL, NULL}, 0, 9, "2 5 8 11", 12);
    assert_ids(*state, (struct ox_event_filter){"b.x,z,a.y", NULL, NULL}, 0, 4, "2 3 5 6", 6);
    assert_ids(*state, (struct ox_event_filter){NULL, "d1", NULL}, 3, 3, "4 6 8", 8);
    assert_ids(*state, (struct ox_event_filter){"b", "d1", NULL}, 0, 9, "6 12", 12);
    assert_ids(*state, (struct ox_event_filter){NULL, NULL, "c"}, 1, 9, "6 11", 12);
    assert_ids(*state, (struct ox_event_filter){NULL, "d0", "c"}, 0, 9, "1 11", 12);
    assert_ids(*state, (struct ox_event_filter){"a.x", "d1", "c"}, 0, 9, "", 12);
    assert_ids(*state, (struct ox_event_filter){NULL, "d9", NULL}, 0, 9, "", 12);
}

static void kinds__match_whole_words(void **state)
{
    (void)state;
    assert_true(ox_event_kind_matches(NULL, "a.x"));
    assert_true(ox_event_kind_matches("a", "a.x"));
    assert_true(ox_event_kind_matches("a.x", "a.x"));
    assert_true(ox_event_kind_matches("b,a.x", "a.x"));
    assert_true(ox_event_kind_matches(",,a", "a.x"));
    assert_false(ox_event_kind_matches("", "a.x"));
    assert_false(ox_event_kind_matches(",", "a.x"));
    assert_false(ox_event_kind_matches("a.", "a.x"));
    assert_false(ox_event_kind_matches("a.x.y", "a.x"));
    assert_false(ox_event_kind_matches("a.x", "a.xy"));
    assert_false(ox_event_kind_matches("b,c", "a.x"));
}

static void events__columns_come_back(void **state)
{
    struct ox_event_row in = {.at_ms = 42,
                              .kind = "k",
                              .device_id = "d",
                              .campaign_id = "c",
                              .model_id = "m",
                              .actor = "192.0.2.1",
                              .request_id = "r",
                              .data = "{\"x\":1}"};
    struct ox_event_filter all = {NULL, NULL, NULL};
    struct ox_event_row *rows = NULL;
    size_t count = 0;
    int64_t next = 0;
    struct ox_tx tx = begin(*state, OX_TX_WRITE);

    assert_int_equal(ox_registry_event_add(&tx, &in, NULL), OX_OK);
    commit(&tx);
    tx = begin(*state, OX_TX_READ);
    assert_int_equal(ox_registry_events(&tx, &all, 0, 1, &rows, &count, &next, NULL), OX_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, 1);
    assert_int_equal(rows[0].at_ms, 42);
    assert_string_equal(rows[0].kind, "k");
    assert_string_equal(rows[0].device_id, "d");
    assert_string_equal(rows[0].campaign_id, "c");
    assert_string_equal(rows[0].model_id, "m");
    assert_string_equal(rows[0].actor, "192.0.2.1");
    assert_string_equal(rows[0].request_id, "r");
    assert_string_equal(rows[0].data, "{\"x\":1}");
    ox_registry_end(&tx);
}

static void events__walk_a_large_log_in_bounded_steps(void **state)
{
    struct ox_event_filter rare = {.kinds = "z"};
    int64_t after = 0;
    int steps = 0;

    add(*state, 20000);
    while (after < 20000) {
        struct ox_tx tx = begin(*state, OX_TX_READ);
        struct ox_event_row *rows = NULL;
        size_t count = 9;
        int64_t next = 0;

        assert_int_equal(ox_registry_events(&tx, &rare, after, 5, &rows, &count, &next, NULL),
                         OX_OK);
        ox_registry_end(&tx);
        assert_int_equal(count, 0);
        assert_true(next > after);
        after = next;
        steps++;
    }
    assert_int_equal(after, 20000);
    assert_true(steps > 1);
}

static void before_last__counts_matching_ones(void **state)
{
    add(*state, 12);
    assert_int_equal(before_last(*state, (struct ox_event_filter){NULL, NULL, NULL}, 3), 9);
    assert_int_equal(before_last(*state, (struct ox_event_filter){NULL, NULL, NULL}, 0), 12);
    assert_int_equal(before_last(*state, (struct ox_event_filter){NULL, NULL, NULL}, 99), 0);
    assert_int_equal(before_last(*state, (struct ox_event_filter){"b", NULL, NULL}, 2), 8);
    assert_int_equal(before_last(*state, (struct ox_event_filter){NULL, "d1", NULL}, 2), 9);
    assert_int_equal(before_last(*state, (struct ox_event_filter){NULL, NULL, "c"}, 2), 5);
    assert_int_equal(before_last(*state, (struct ox_event_filter){NULL, "d0", "c"}, 1), 10);
    assert_int_equal(before_last(*state, (struct ox_event_filter){"z", NULL, NULL}, 1), 12);
}

static void since__finds_the_first_that_is_not_older(void **state)
{
    add(*state, 12);
    assert_int_equal(since(*state, 0), 0);
    assert_int_equal(since(*state, 10), 0);
    assert_int_equal(since(*state, 11), 1);
    assert_int_equal(since(*state, 70), 6);
    assert_int_equal(since(*state, 120), 11);
    assert_int_equal(since(*state, 121), 12);
    assert_int_equal(trim(*state, 5, 0, 100), 2);
    assert_int_equal(since(*state, 0), 7);
    assert_int_equal(since(*state, 90), 8);
}

static void trim__keeps_the_last_ones_in_small_steps(void **state)
{
    add(*state, 12);
    assert_int_equal(trim(*state, 20, 0, 3), 1);
    assert_int_equal(bounds_of(*state).oldest, 1);
    assert_int_equal(trim(*state, 5, 0, 3), 4); /* 3, 3, 1 and none */
    assert_int_equal(bounds_of(*state).oldest, 8);
    assert_ids(*state, (struct ox_event_filter){NULL, NULL, NULL}, 0, 10, "8 9 10 11 12", 12);
}

static void trim__drops_what_is_old(void **state)
{
    add(*state, 12);
    (void)trim(*state, 100, 91, 5);
    assert_int_equal(bounds_of(*state).oldest, 10);
    assert_int_equal(bounds_of(*state).oldest_ms, 100);
}

static void ids__are_never_used_again(void **state)
{
    struct fixture *fixture = *state;

    add(fixture, 3);
    (void)trim(fixture, 0, 0, 100);
    assert_int_equal(bounds_of(fixture).oldest, 4);
    assert_int_equal(bounds_of(fixture).newest, 3);
    ox_registry_close(fixture->registry);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    add(fixture, 1);
    assert_ids(fixture, (struct ox_event_filter){NULL, NULL, NULL}, 0, 10, "4", 4);
}

static void count_wake(void *ctx)
{
    ++*(int *)ctx;
}

static void watch__tells_of_commits_not_of_what_was_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct ox_event_row row = {.kind = "k", .data = "{}"};
    struct ox_tx tx;
    int wakes = 0;

    ox_registry_events_watch(fixture->registry, count_wake, &wakes);
    tx = begin(fixture, OX_TX_WRITE);
    assert_int_equal(ox_registry_event_add(&tx, &row, NULL), OX_OK);
    assert_int_equal(wakes, 0);
    ox_registry_end(&tx);
    assert_int_equal(wakes, 0);
    add(fixture, 2);
    assert_int_equal(wakes, 1);
    tx = begin(fixture, OX_TX_WRITE);
    commit(&tx);
    assert_int_equal(wakes, 1);
    ox_registry_events_watch(fixture->registry, NULL, NULL);
    add(fixture, 1);
    assert_int_equal(wakes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events__of_an_empty_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events__match_their_filter, set_up, tear_down),
        cmocka_unit_test(kinds__match_whole_words),
        cmocka_unit_test_setup_teardown(events__columns_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events__walk_a_large_log_in_bounded_steps, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(before_last__counts_matching_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(since__finds_the_first_that_is_not_older, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(trim__keeps_the_last_ones_in_small_steps, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(trim__drops_what_is_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids__are_never_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watch__tells_of_commits_not_of_what_was_dropped, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
