#include "fixture.h"

#define DEVICES 23

typedef enum ox_code list_fn(struct ox_control *control, const struct ox_list_query *query,
                             json_t **rows, char **next, struct ox_err *err);

/* Devices d0 to d22 in fleet "f", the first ten of them in "g" too; of some, names are the same. */
static void fill(struct fixture *fixture)
{
    json_t *out = NULL;
    bool created = false;

    publish_two(fixture);
    assert_int_equal(publish(fixture, "v3", 7, 0, &created), OX_OK);
    fleet(fixture, "f", DEVICES);
    fleet(fixture, "g", 10);
    for (size_t i = 0; i < DEVICES; i++) {
        json_t *in = body("{\"id\":\"d%zu\",\"name\":\"Name %zu\"}", i, i % 5);

        fixture->now_ms += 1000;
        assert_int_equal(ox_control_device_register(fixture->control, in, &created, &out, NULL),
                         OX_OK);
        json_decref(out);
        json_decref(in);
    }
    for (size_t i = 0; i < 6; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        json_decref(beat_running(fixture, id, i % 2 == 0 ? "v1" : "v2"));
    }
    campaign(fixture, "v2", "all_at_once");
    campaign(fixture, "v3", "canary");
}

/* All rows in pages of `limit`. */
static json_t *walk(struct fixture *fixture, list_fn *list, struct ox_list_query query,
                    uint64_t limit)
{
    json_t *all = json_array();
    char *cursor = NULL;

    do {
        json_t *rows = NULL;
        char *next = NULL;
        struct ox_err err = OX_ERR_INIT;

        query.cursor = cursor;
        query.limit = limit;
        if (list(fixture->control, &query, &rows, &next, &err) != OX_OK) {
            fail_msg("%s", err.msg);
        }
        assert_true(json_array_size(rows) <= limit);
        assert_int_equal(json_array_extend(all, rows), 0);
        json_decref(rows);
        free(cursor);
        cursor = next;
    } while (cursor != NULL);
    return all;
}

static const struct {
    list_fn *list;
    const char *sorts[5]; /* the first is the list's own order */
    const char *filter;   /* that it needs */
    size_t rows;
} lists[] = {
    {ox_control_devices, {"id", "name", "last_seen", "registered"}, NULL, DEVICES},
    {ox_control_fleets, {"id", "name", "created"}, NULL, 2},
    {ox_control_models, {"id", "versions", "size", "uploaded"}, NULL, 1},
    {ox_control_versions, {"uploaded", "version", "size"}, "model", 3},
    {ox_control_campaigns, {"created", "id", "model", "state"}, NULL, 2},
    {ox_control_campaign_devices, {"place", "id", "state", "updated"}, "campaign", DEVICES},
    {ox_control_jobs, {"id", "waiting", "queued", "size"}, NULL, 2},
};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

static struct ox_list_query query_of(const struct fixture *fixture, size_t i, const char *sort)
{
    struct ox_list_query query = {.sort = sort};

    if (lists[i].filter != NULL) {
        query.filters[0].name = lists[i].filter;
        query.filters[0].value = strcmp(lists[i].filter, "model") == 0 ? "m" : fixture->campaign;
        query.filter_count = 1;
    }
    return query;
}

static void lists__are_the_same_in_pages_of_any_size(void **state)
{
    static const uint64_t limits[] = {1, 2, 7, DEVICES, 1000};
    struct fixture *fixture = *state;

    fill(fixture);
    for (size_t i = 0; i < LISTS; i++) {
        for (size_t s = 0; s < 5 && lists[i].sorts[s] != NULL; s++) {
            char falling[32];
            json_t *up = walk(fixture, lists[i].list, query_of(fixture, i, lists[i].sorts[s]), 999);
            json_t *down;

            (void)snprintf(falling, sizeof(falling), "-%s", lists[i].sorts[s]);
            down = walk(fixture, lists[i].list, query_of(fixture, i, falling), 999);
            print_message("list %zu by %s: %zu rows\n", i, lists[i].sorts[s], json_array_size(up));
            assert_true(json_array_size(up) >= lists[i].rows);
            for (size_t r = 0; r < json_array_size(up); r++) {
                assert_true(json_equal(json_array_get(up, r),
                                       json_array_get(down, json_array_size(down) - 1 - r)));
            }
            for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
                json_t *paged = walk(fixture, lists[i].list,
                                     query_of(fixture, i, lists[i].sorts[s]), limits[l]);

                assert_true(json_equal(paged, up));
                json_decref(paged);
                paged = walk(fixture, lists[i].list, query_of(fixture, i, falling), limits[l]);
                assert_true(json_equal(paged, down));
                json_decref(paged);
            }
            json_decref(up);
            json_decref(down);
        }
    }
}

static void lists__are_sorted_by_what_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    json_t *rows;

    fill(fixture);
    rows = walk(fixture, ox_control_devices, (struct ox_list_query){.sort = "name"}, 4);
    assert_string_equal(text_at(rows, "0.name"), "Name 0");
    assert_string_equal(text_at(rows, "0.id"), "d0");
    assert_string_equal(text_at(rows, "1.id"), "d10");
    assert_string_equal(text_at(rows, "22.name"), "Name 4");
    json_decref(rows);
    rows = walk(fixture, ox_control_devices, (struct ox_list_query){.sort = "-last_seen"}, 4);
    assert_non_null(text_at(rows, "5.last_heartbeat"));
    assert_true(json_is_null(at(rows, "6.last_heartbeat")));
    json_decref(rows);
}

static void lists__refuse_sorts_and_cursors_that_are_not_theirs(void **state)
{
    static const char *const cursors[] = {"",
                                          "x",
                                          "AAAA",
                                          "not base 64!",
                                          "bnVsbA",
                                          "W10",
                                          "WyJkZXZpY2VzIl0",
                                          "WyJkZXZpY2VzIiwiaWQiLDEsMl0" /* ["devices","id",1,2] */,
                                          "WyJkZXZpY2VzIiwiaWQiLCJhIiwiYiIsImMiXQ"};
    const struct ox_list_query first = {.limit = 3};
    struct fixture *fixture = *state;
    struct ox_list_query query = {.limit = 3};
    json_t *rows = NULL;
    char *next = NULL;
    char *none = NULL;
    struct ox_err err = OX_ERR_INIT;

    fill(fixture);
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
        query.cursor = cursors[i];
        assert_int_equal(ox_control_devices(fixture->control, &query, &rows, &none, &err),
                         OX_EINVAL);
        assert_non_null(strstr(err.msg, "cursor"));
    }
    assert_int_equal(ox_control_devices(fixture->control, &first, &rows, &next, NULL), OX_OK);
    json_decref(rows);
    rows = NULL;
    query.cursor = next;
    assert_int_equal(ox_control_fleets(fixture->control, &query, &rows, &none, NULL), OX_EINVAL);
    query.sort = "-id";
    assert_int_equal(ox_control_devices(fixture->control, &query, &rows, &none, NULL), OX_EINVAL);
    query.cursor = NULL;
    for (size_t i = 0; i < LISTS; i++) {
        query = query_of(fixture, i, "colour; DROP TABLE devices");
        query.limit = 3;
        assert_int_equal(lists[i].list(fixture->control, &query, &rows, &none, &err), OX_EINVAL);
        assert_non_null(strstr(err.msg, lists[i].sorts[0]));
    }
    assert_null(rows);
    assert_null(none);
    free(next);
}

/* Rows that come and go between two pages neither repeat nor hide others. */
static void lists__go_on_where_the_last_row_was(void **state)
{
    struct ox_list_query query = {.limit = 5};
    struct fixture *fixture = *state;
    json_t *rows = NULL;
    json_t *out = NULL;
    char *next = NULL;
    char *last = NULL;

    fill(fixture);
    assert_int_equal(ox_control_devices(fixture->control, &query, &rows, &next, NULL), OX_OK);
    assert_string_equal(text_at(rows, "4.id"), "d12"); /* d0 d1 d10 d11 d12 */
    json_decref(rows);
    assert_int_equal(ox_control_device_remove(fixture->control, "d12", &out, NULL), OX_OK);
    json_decref(out);
    device(fixture, "d100");
    device(fixture, "d125");
    query.cursor = next;
    assert_int_equal(ox_control_devices(fixture->control, &query, &rows, &last, NULL), OX_OK);
    assert_string_equal(text_at(rows, "0.id"), "d125");
    assert_string_equal(text_at(rows, "1.id"), "d13");
    json_decref(rows);
    free(next);
    free(last);
}

static size_t count(struct fixture *fixture, list_fn *list, const char *name, const char *value)
{
    struct ox_list_query query = {.filters = {{name, value}}, .filter_count = 1};
    json_t *rows = walk(fixture, list, query, 3);
    size_t size = json_array_size(rows);

    json_decref(rows);
    return size;
}

static void devices__are_filtered(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture);
    assert_int_equal(count(fixture, ox_control_devices, "fleet", "f"), DEVICES);
    assert_int_equal(count(fixture, ox_control_devices, "fleet", "g"), 10);
    assert_int_equal(count(fixture, ox_control_devices, "fleet", "none"), 0);
    assert_int_equal(count(fixture, ox_control_devices, "runs", "m"), 6);
    assert_int_equal(count(fixture, ox_control_devices, "runs", "m@v2"), 3);
    assert_int_equal(count(fixture, ox_control_devices, "runs", "m@v3"), 0);
    assert_int_equal(count(fixture, ox_control_fleets, "device", "d3"), 2);
    assert_int_equal(count(fixture, ox_control_fleets, "device", "d20"), 1);
}

/* The status is what is shown: silence counts, and so does what was heard a moment ago. */
static void devices__are_filtered_by_the_status_that_they_show(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture);
    assert_int_equal(count(fixture, ox_control_devices, "status", "online"), 6);
    assert_int_equal(count(fixture, ox_control_devices, "status", "offline"), 0);
    assert_int_equal(count(fixture, ox_control_devices, "status", "unknown"), DEVICES - 6);
    fixture->now_ms += 3600 * 1000;
    assert_int_equal(count(fixture, ox_control_devices, "status", "online"), 0);
    assert_int_equal(count(fixture, ox_control_devices, "status", "offline"), 6);
    json_decref(beat(fixture, "d0", "{}")); /* changes nothing: it is in memory alone */
    assert_int_equal(count(fixture, ox_control_devices, "status", "online"), 1);
    assert_int_equal(count(fixture, ox_control_devices, "status", "offline"), 5);
    json_decref(beat(fixture, "d1", "{\"status\":\"error\"}"));
    assert_int_equal(count(fixture, ox_control_devices, "status", "error"), 1);
}

static void campaigns__are_filtered(void **state)
{
    struct fixture *fixture = *state;
    struct ox_list_query query = {.filters = {{"campaign", NULL}, {"state", "skipped"}},
                                  .filter_count = 2};
    json_t *rows;

    fill(fixture);
    assert_int_equal(count(fixture, ox_control_campaigns, "state", "complete") +
                         count(fixture, ox_control_campaigns, "state", "rolling_out"),
                     2);
    assert_int_equal(count(fixture, ox_control_campaigns, "model", "m"), 2);
    assert_int_equal(count(fixture, ox_control_campaigns, "model", "x"), 0);
    assert_int_equal(count(fixture, ox_control_campaigns, "fleet", "f"), 2);
    assert_int_equal(count(fixture, ox_control_campaigns, "device", "d1"), 2);
    query.filters[0].value = fixture->campaign;
    rows = walk(fixture, ox_control_campaign_devices, query, 3);
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
    query.filters[1].value = "pending";
    rows = walk(fixture, ox_control_campaign_devices, query, 3);
    assert_int_equal(json_array_size(rows), DEVICES);
    json_decref(rows);
}

static void lists__of_what_is_not_there_say_so(void **state)
{
    struct fixture *fixture = *state;
    struct ox_list_query query = {.limit = 3, .filters = {{"model", "no"}}, .filter_count = 1};
    json_t *rows = NULL;
    char *next = NULL;

    assert_int_equal(ox_control_versions(fixture->control, &query, &rows, &next, NULL),
                     OX_ENOTFOUND);
    query.filters[0].name = "campaign";
    assert_int_equal(ox_control_campaign_devices(fixture->control, &query, &rows, &next, NULL),
                     OX_ENOTFOUND);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lists__are_the_same_in_pages_of_any_size),
        TEST(lists__are_sorted_by_what_is_asked_for),
        TEST(lists__refuse_sorts_and_cursors_that_are_not_theirs),
        TEST(lists__go_on_where_the_last_row_was),
        TEST(devices__are_filtered),
        TEST(devices__are_filtered_by_the_status_that_they_show),
        TEST(campaigns__are_filtered),
        TEST(lists__of_what_is_not_there_say_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
