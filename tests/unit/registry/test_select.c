#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/file.h"
#include "oxide/registry/fleet.h"
#include "oxide/registry/select.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW_MS ((int64_t)1700000000000)
#define HOUR_MS ((int64_t)3600000)

struct fixture {
    char dir[64];
    char path[96];
    struct ox_registry *registry;
};

/* What is needed is written as SQL: this is about reading. */
static void run_sql(struct fixture *fixture, const char *sql)
{
    sqlite3 *db = NULL;
    char *said = NULL;

    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK) {
        fail_msg("%s: %s", sql, said);
    }
    (void)sqlite3_close(db);
}

static int set_up_empty(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-select.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    *state = fixture;
    return 0;
}

/* Seven devices: a is well known, of g next to nothing is. */
static int set_up(void **state)
{
    (void)set_up_empty(state);
    run_sql(
        *state,
        "INSERT INTO devices (id, name, tags, registered_at, last_heartbeat, status, platform,"
        " metrics, agent) VALUES"
        " ('a', 'East Camera', '{\"site\":\"graz\",\"rev\":\"9\",\"a b\":\"x\"}',"
        "  1690000000000, 1700000000000, 'online',"
        "  '{\"arch\":\"aarch64\",\"cpu_count\":4,\"total_memory_bytes\":4294967296,"
        "   \"kernel\":\"6.1.55\",\"secure_boot\":true,\"gpu\":{\"driver\":\"535.104\"}}',"
        "  '{\"free_memory_bytes\":1000000}', 'oxide/0.10.0'),"
        " ('b', 'West Camera', '{\"site\":\"graz\",\"rev\":\"10\"}', 1690000000000,"
        "  1699999000000, 'online', '{\"arch\":\"x86_64\",\"cpu_count\":8,\"kernel\":\"5.10\"}',"
        "  NULL, 'oxide/0.9.1'),"
        " ('c', 'c', '{\"site\":\"wien\"}', 1699999999000, 1699999990000, 'updating',"
        "  '{\"arch\":\"aarch64\",\"cpu_count\":\"many\"}', NULL, 'oxide/1.0.0-rc1'),"
        " ('d', 'd', '{\"site\":\"\"}', 1690000000000, 1699000000000, 'error', NULL, NULL, '1.0'),"
        " ('e', 'e', '{}', 1690000000000, NULL, 'unknown', NULL, NULL, NULL),"
        " ('f', 'f', '{\"rev\":\"9a\"}', 1690000000000, 1700000000000, 'error', NULL, NULL, NULL),"
        " ('g', 'g', '{}', 1690000000000, 0, 'unknown', NULL, NULL, NULL);"
        "INSERT INTO device_models VALUES ('a', 'yolo', 'v2', NULL), ('b', 'yolo', 'v10', NULL),"
        " ('c', 'yolo', 'v3-rc1', NULL), ('d', 'yolo', '3', NULL), ('a', 'ocr', 'v1', NULL);"
        "UPDATE devices SET disk_free_bytes = 1000000, disk_total_bytes = 8589934592"
        " WHERE id = 'a';"
        "UPDATE devices SET disk_free_bytes = 0, disk_total_bytes = 0 WHERE id = 'b';"
        "INSERT INTO device_pins VALUES ('a', 'yolo', NULL, 0), ('c', '', NULL, 0);"
        "INSERT INTO fleets (id, name, default_strategy, tags, created_at, filter) VALUES"
        " ('list', 'l', 'rolling', '{}', 0, NULL), ('lab', 'l', 'rolling', '{}', 0, NULL),"
        " ('graz', 'g', 'rolling', '{}', 0, 'tag.site = graz'),"
        " ('both', 'g', 'rolling', '{}', 0, 'fleet = graz or fleet = list'),"
        " ('loop', 'g', 'rolling', '{}', 0, 'fleet = pool'),"
        " ('pool', 'g', 'rolling', '{}', 0, 'fleet = loop'),"
        " ('gone', 'g', 'rolling', '{}', 0, 'id = a or fleet = nowhere');"
        "INSERT INTO fleet_devices VALUES ('list', 'e', 1), ('list', 'c', 2), ('lab', 'a', 3);");
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

static struct ox_filter *parsed(const char *text)
{
    struct ox_filter *filter = NULL;
    struct ox_err err = OX_ERR_INIT;

    if (text != NULL && ox_filter_parse(&filter, text, &err) != OX_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return filter;
}

static struct ox_tx begin(struct fixture *fixture, enum ox_tx_kind kind)
{
    struct ox_tx tx = OX_TX_INIT;

    assert_int_equal(ox_registry_begin(fixture->registry, kind, &tx, NULL), OX_OK);
    return tx;
}

static struct ox_selection selection(const char *fleet, const struct ox_filter *filter)
{
    return (struct ox_selection){fleet, filter, NOW_MS};
}

/* The ids of who is selected, one after the other, or the error's message. */
static void select_ids(struct fixture *fixture, const char *fleet, const char *text, char *out,
                       size_t cap)
{
    struct ox_filter *filter = parsed(text);
    struct ox_selection which = selection(fleet, filter);
    struct ox_tx tx = begin(fixture, OX_TX_READ);
    struct ox_err err = OX_ERR_INIT;
    const char **ids = NULL;
    size_t count = 0;
    size_t used = 0;

    out[0] = '\0';
    if (ox_registry_selected_ids(&tx, &which, NULL, 1000, &ids, &count, &err) != OX_OK) {
        (void)snprintf(out, cap, "%s", err.msg);
    }
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(out + used, cap - used, "%s", ids[i]);
    }
    ox_registry_end(&tx);
    ox_filter_free(filter);
}

static void assert_selects(struct fixture *fixture, const char *fleet, const char *text,
                           const char *wanted)
{
    char got[OX_ERR_MSG_MAX];

    select_ids(fixture, fleet, text, got, sizeof(got));
    if (strcmp(got, wanted) != 0) {
        fail_msg("%s: '%s', not '%s'", text == NULL ? fleet : text, got, wanted);
    }
}

static const struct {
    const char *filter;
    const char *ids;
} rows[] = {
    {"id = a", "a"},
    {"id != a", "bcdefg"},
    {"id in (a, c, nobody)", "ac"},
    {"id not in (a, c)", "bdefg"},
    {"id ~ \"[a-c]\"", "abc"},
    {"id < c", "ab"},
    {"name ~ \"*Camera\"", "ab"},
    {"name = 'East Camera'", "a"},
    {"name ~ camera", ""},

    {"tag.site = graz", "ab"},
    {"tag.site != graz", "cdefg"},
    {"tag.site exists", "abcd"},
    {"not tag.site exists", "efg"},
    {"tag.site = ''", "d"},
    {"tag.site in (wien, graz)", "abc"},
    {"tag.\"a b\" = x", "a"},
    {"tag.rev >= 10", "b"},
    {"tag.rev < 10", "af"},
    {"tag.rev = 9", "a"},
    {"not tag.rev < 10", "bcdeg"},
    {"tag.nothing = x", ""},

    {"platform.arch = aarch64", "ac"},
    {"platform.arch != aarch64", "bdefg"},
    {"platform.cpu_count >= 4", "ab"},
    {"platform.cpu_count > 4", "b"},
    {"platform.cpu_count = 4.0", "a"},
    {"platform.cpu_count != 4", "bcdefg"},
    {"platform.cpu_count in (4, 8)", "ab"},
    {"platform.cpu_count in (4, many)", "ac"},
    {"platform.cpu_count exists", "abc"},
    {"platform.total_memory_bytes >= 4G", "a"},
    {"platform.total_memory_bytes > 4g", ""},
    {"platform.kernel >= 6.1", "a"},
    {"platform.kernel < 6", "b"},
    {"platform.kernel >= 5.9.0", "ab"},
    {"platform.kernel ~ \"6.*\"", "a"},
    {"platform.secure_boot = true", "a"},
    {"platform.secure_boot = false", ""},
    {"platform.gpu.driver >= 535", "a"},
    {"platform.gpu.driver = \"535.104\"", "a"},
    {"metrics.free_memory_bytes < 1M", "a"},
    {"metrics.free_memory_bytes exists", "a"},

    {"agent >= 0.10", "acd"},
    {"agent = 0.9.1", "b"},
    {"agent < 1", "abc"},
    {"agent exists", "abcd"},
    {"not agent >= 0.10", "befg"},

    {"model.yolo = v2", "a"},
    {"model.yolo >= \"3\"", "bd"},
    {"model.yolo < 3", "ac"},
    {"not model.yolo >= \"3\"", "acefg"},
    {"model.yolo = 3", "d"},
    {"model.yolo != 3", "abcefg"},
    {"model.yolo exists", "abcd"},
    {"model.yolo exists and model.ocr exists", "a"},
    {"model.yolo ~ \"v*\"", "abc"},
    {"model.yolo in (v2, v10)", "ab"},
    {"model.other exists", ""},

    {"disk.free_bytes < 1M", "a"},
    {"disk.free_bytes >= 1M", ""},
    {"not disk.free_bytes >= 1M", "abcdefg"},
    {"disk.total_bytes = 8G", "a"},
    {"disk.total_bytes in (1, 8G)", "a"},
    {"disk.free_bytes exists", "a"},
    {"pinned", "ac"},
    {"not pinned", "bdefg"},
    {"pinned.yolo", "ac"},
    {"pinned.ocr", "c"},

    {"fleet = list", "ce"},
    {"fleet != list", "abdfg"},
    {"fleet = graz", "ab"},
    {"fleet != graz", "cdefg"},
    {"fleet = both", "abce"},
    {"fleet in (lab, list)", "ace"},
    {"fleet not in (graz, list)", "dfg"},
    {"fleet ~ \"l[ai]*\"", "ace"},
    {"fleet ~ \"gr*\"", "ab"},
    {"fleet ~ \"nothing*\"", ""},
    {"fleet = nowhere", "the filter at column 9: there is no fleet nowhere"},
    {"id = a and fleet not in (lab, nowhere)",
     "the filter at column 31: there is no fleet nowhere"},
    {"fleet = loop", "fleet loop: fleet pool: the filter of fleet pool leads back to fleet loop "
                     "itself: ask for tags there, not for fleets"},
    {"fleet = gone", "fleet gone: the filter at column 19: there is no fleet nowhere"},

    {"status = online", "a"},
    {"status = offline", "bd"},
    {"status = updating", "c"},
    {"status = error", "f"},
    {"status = unknown", "eg"},
    {"status = conflict", ""},
    {"status != online", "bcdefg"},
    {"status in (offline, unknown)", "bdeg"},
    {"last_seen > 1h ago", "abcf"},
    {"last_seen < 1h ago", "d"},
    {"last_seen <= 0s ago", "abcdf"},
    {"not last_seen > 1h ago", "deg"},
    {"last_seen exists", "abcdf"},
    {"last_seen >= 2023-11-14T22:13:20Z", "af"},
    {"last_seen < 2023-11-04", "d"},
    {"registered > 1m ago", "c"},
    {"registered < 2023-08-01", "abdefg"},

    {"tag.site = graz and platform.arch = aarch64 and not model.yolo >= \"3\"", "a"},
    {"id = a or id = b and id = c", "a"},
    {"(id = a or id = b) and id = b", "b"},
    {"not (id = a or id = b)", "cdefg"},
    {"not not id = a", "a"},
    {"not id = a and not id = b", "cdefg"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void select__finds_who_passes(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        assert_selects(*state, NULL, rows[i].filter, rows[i].ids);
    }
    assert_selects(*state, NULL, NULL, "abcdefg");
}

/* One device alone is asked for in another way, with the same answer. */
static void select__says_the_same_of_one_device(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ROWS; i++) {
        struct ox_filter *filter = parsed(rows[i].filter);
        struct ox_selection which = selection(NULL, filter);
        struct ox_tx tx = begin(fixture, OX_TX_READ);

        for (char id[2] = "a"; id[0] <= 'h'; id[0]++) {
            bool has = false;
            enum ox_code code = ox_registry_selected_has(&tx, &which, id, &has, NULL);

            if (strstr(rows[i].ids, "fleet") != NULL) {
                assert_int_equal(code, OX_EINVAL);
            } else if (code != OX_OK || has != (strchr(rows[i].ids, id[0]) != NULL)) {
                fail_msg("%s: device %s", rows[i].filter, id);
            }
        }
        ox_registry_end(&tx);
        ox_filter_free(filter);
    }
}

static void select__asks_fleets_of_both_kinds(void **state)
{
    struct fixture *fixture = *state;

    assert_selects(fixture, "list", NULL, "ce");
    assert_selects(fixture, "lab", NULL, "a");
    assert_selects(fixture, "graz", NULL, "ab");
    assert_selects(fixture, "both", NULL, "abce");
    assert_selects(fixture, "both", "platform.arch = aarch64", "ac");
    assert_selects(fixture, "nowhere", NULL, "there is no fleet nowhere: create it first");
}

static void select__pages_by_id(void **state)
{
    struct fixture *fixture = *state;
    struct ox_filter *filter = parsed("id != c");
    struct ox_selection which = selection(NULL, filter);
    struct ox_tx tx = begin(fixture, OX_TX_READ);
    struct ox_device_row *devices = NULL;
    const char *after = NULL;
    char ids[16] = "";
    size_t count = 0;

    do {
        assert_int_equal(ox_registry_selected(&tx, &which, after, 2, &devices, &count, NULL),
                         OX_OK);
        assert_true(count <= 2);
        for (size_t i = 0; i < count; i++) {
            (void)strcat(ids, devices[i].id);
            after = devices[i].id;
        }
    } while (count > 0);
    assert_string_equal(ids, "abdefg");
    ox_registry_end(&tx);
    ox_filter_free(filter);
}

static void select__counts(void **state)
{
    struct fixture *fixture = *state;
    struct ox_selection which = selection("both", NULL);
    struct ox_selection all = selection(NULL, NULL);
    struct ox_tx tx = begin(fixture, OX_TX_READ);
    struct ox_status_count *statuses = NULL;
    char text[128] = "";
    uint64_t devices = 0;
    size_t count = 0;

    assert_int_equal(ox_registry_selected_count(&tx, &which, &devices, NULL), OX_OK);
    assert_int_equal(devices, 4);
    assert_int_equal(ox_registry_selected_statuses(&tx, &all, &statuses, &count, NULL), OX_OK);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %u;",
                       statuses[i].status, (unsigned)statuses[i].devices);
    }
    assert_string_equal(text, "error 1;offline 2;online 1;unknown 2;updating 1;");
    ox_registry_end(&tx);
}

static void select__tells_what_is_live(void **state)
{
    static const struct {
        const char *fleet;
        const char *filter;
        bool live;
    } questions[] = {{NULL, NULL, false},
                     {"list", NULL, false},
                     {"graz", NULL, false},
                     {NULL, "status = online", true},
                     {"quiet", NULL, true},
                     {NULL, "fleet = quiet", true},
                     {NULL, "fleet ~ \"q*\"", true},
                     {NULL, "fleet ~ \"g*\"", false}};
    struct fixture *fixture = *state;

    run_sql(fixture, "DELETE FROM fleets WHERE id = 'gone';"
                     "INSERT INTO fleets (id, name, default_strategy, tags, created_at, filter)"
                     " VALUES ('quiet', '', 'rolling', '{}', 0, 'last_seen < 7d ago')");
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        struct ox_filter *filter = parsed(questions[i].filter);
        struct ox_selection which = selection(questions[i].fleet, filter);
        struct ox_tx tx = begin(fixture, OX_TX_READ);
        bool live = !questions[i].live;

        assert_int_equal(ox_registry_selection_is_live(&tx, &which, &live, NULL), OX_OK);
        assert_int_equal(live, questions[i].live);
        ox_registry_end(&tx);
        ox_filter_free(filter);
    }
}

static void fleets__are_checked_for_what_cannot_be_asked(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_registry_fleets_check(&tx, &err), OX_EINVAL);
    assert_string_equal(err.msg, "fleet gone: the filter at column 19: there is no fleet nowhere");
    assert_int_equal(ox_registry_fleet_remove(&tx, "gone", NULL), OX_OK);
    assert_int_equal(ox_registry_fleets_check(&tx, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "leads back"));
    assert_int_equal(ox_registry_fleet_remove(&tx, "loop", NULL), OX_OK);
    assert_int_equal(ox_registry_fleets_check(&tx, &err), OX_EINVAL);
    assert_string_equal(err.msg, "fleet pool: the filter at column 9: there is no fleet loop");
    assert_int_equal(ox_registry_fleet_remove(&tx, "pool", NULL), OX_OK);
    assert_int_equal(ox_registry_fleets_check(&tx, &err), OX_OK);
    ox_registry_end(&tx);
}

/* Fleets that ask for fleets: as deep as is allowed, and one deeper. */
static void select__is_bounded_in_nesting(void **state)
{
    struct fixture *fixture = *state;
    char got[OX_ERR_MSG_MAX];

    run_sql(fixture,
            "INSERT INTO fleets (id, name, default_strategy, tags, created_at, filter) VALUES"
            " ('n1', '', 'rolling', '{}', 0, 'id = a'),"
            " ('n2', '', 'rolling', '{}', 0, 'fleet = n1'),"
            " ('n3', '', 'rolling', '{}', 0, 'fleet = n2'),"
            " ('n4', '', 'rolling', '{}', 0, 'fleet = n3'),"
            " ('n5', '', 'rolling', '{}', 0, 'fleet = n4');");
    assert_selects(fixture, "n4", NULL, "a");
    select_ids(fixture, "n5", NULL, got, sizeof(got));
    assert_non_null(strstr(got, "more than 4 deep"));
}

/* The largest filter of each shape is one that SQLite takes, also through fleets. */
static void select__runs_the_largest_filters(void **state)
{
    struct fixture *fixture = *state;
    char text[OX_FILTER_MAX + 1] = "";
    char got[OX_ERR_MSG_MAX];

    for (size_t i = 0; i < OX_FILTER_TESTS_MAX; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%snot platform.a.b > 7",
                       i == 0       ? ""
                       : i % 2 == 0 ? " or "
                                    : " and ");
    }
    assert_selects(fixture, NULL, text, "abcdefg");
    memset(text, '(', OX_FILTER_DEPTH_MAX);
    (void)snprintf(text + OX_FILTER_DEPTH_MAX, 64, "id in (a");
    while (strlen(text) < 1024) {
        (void)strcat(text, ",b");
    }
    memset(text + strlen(text), '\0', 1);
    (void)strcat(text, ")");
    for (size_t i = 0; i < OX_FILTER_DEPTH_MAX; i++) {
        (void)strcat(text, ")");
    }
    assert_selects(fixture, NULL, text, "ab");
    text[0] = '\0';
    for (size_t i = 0; i < OX_FILTER_TESTS_MAX; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sfleet = graz",
                       i == 0 ? "" : " and ");
    }
    assert_selects(fixture, NULL, text, "ab"); /* 64 filters beside one another */
    for (size_t i = 0; i < OX_FILTER_TESTS_MAX; i++) {
        (void)snprintf(text + 16 * i, sizeof(text) - 16 * i, "%sfleet = both",
                       i == 0 ? "    " : " or ");
    }
    assert_selects(fixture, NULL, text, "abce"); /* 64 + 64 * (2 + 1) = 256 comparisons */
    (void)strcat(text, " ");
    run_sql(fixture, "UPDATE fleets SET filter = filter || ' or id = a' WHERE id = 'graz'");
    select_ids(fixture, NULL, text, got, sizeof(got));
    assert_non_null(strstr(got, "more than 256 comparisons together"));
}

static void fleet__is_filled_and_emptied(void **state)
{
    struct fixture *fixture = *state;
    struct ox_selection which = selection("graz", NULL);
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_fleet_row fleet;
    uint64_t listed = 0;

    assert_int_equal(ox_registry_fleet_get(&tx, "graz", &fleet, NULL), OX_OK);
    assert_string_equal(fleet.filter, "tag.site = graz");
    assert_int_equal(ox_registry_fleet_fill(&tx, "graz", &which, NULL), OX_OK);
    fleet.filter = NULL;
    fleet.name = "Graz";
    assert_int_equal(ox_registry_fleet_update(&tx, &fleet, NULL), OX_OK);
    assert_int_equal(ox_registry_fleet_get(&tx, "graz", &fleet, NULL), OX_OK);
    assert_null(fleet.filter);
    assert_string_equal(fleet.name, "Graz");
    assert_int_equal(ox_registry_selected_count(&tx, &which, &listed, NULL), OX_OK);
    assert_int_equal(listed, 2);
    assert_int_equal(ox_registry_fleet_empty(&tx, "graz", NULL), OX_OK);
    assert_int_equal(ox_registry_selected_count(&tx, &which, &listed, NULL), OX_OK);
    assert_int_equal(listed, 0);
    fleet.id = "nowhere";
    assert_int_equal(ox_registry_fleet_update(&tx, &fleet, NULL), OX_ENOTFOUND);
    ox_registry_end(&tx);
}

static void fleet__is_removed_and_its_devices_stay(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    const char *campaign = "";
    struct ox_device_row device;
    struct ox_fleet_row fleet;

    assert_int_equal(ox_registry_fleet_campaign(&tx, "lab", &campaign, NULL), OX_OK);
    assert_null(campaign);
    assert_int_equal(ox_registry_fleet_remove(&tx, "lab", NULL), OX_OK);
    assert_int_equal(ox_registry_fleet_get(&tx, "lab", &fleet, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_registry_device_get(&tx, "a", &device, NULL), OX_OK);
    assert_null(device.fleet_id);
    assert_int_equal(ox_registry_fleet_remove(&tx, "lab", NULL), OX_ENOTFOUND);
    ox_registry_end(&tx);
}

/* --- speed --- */

/* A hundred thousand devices. The bound, of processor time, is far above what it takes (30 to 90
 * ms, and some 50 us for one device), for the sake of sanitizers and old machines; a query that
 * looks at every pair of devices would take minutes. */
#define BOUND_MS 2000

static int64_t cpu_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void select__is_quick_among_many(void **state)
{
    static const struct {
        const char *filter;
        uint64_t devices;
    } questions[] = {
        {"tag.site = graz and platform.arch = aarch64 and not model.yolo >= \"3\"", 3334},
        {"not model.yolo >= \"3\" and not model.ocr = v1", 39999},
        {"fleet = half and platform.cpu_count >= 8", 25000},
        {"status = offline or last_seen < 7d ago", 0},
        {"tag.rack ~ \"r1*\" and model.ocr exists", 35486},
    };
    struct fixture *fixture = *state;

    run_sql(fixture,
            "PRAGMA synchronous = OFF; BEGIN;"
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
            " INSERT INTO devices (id, name, tags, registered_at, status, platform, agent,"
            "  last_heartbeat) SELECT printf('dev-%06d', i * 7919 % 100000), 'n' || i,"
            "  json_object('site', CASE i % 10 WHEN 0 THEN 'graz' ELSE 'wien' END, 'rack',"
            "   'r' || (i % 31)), 0, 'online', json_object('arch',"
            "   CASE i % 3 WHEN 0 THEN 'aarch64' ELSE 'x86_64' END, 'cpu_count', i % 16),"
            "  'oxide/0.1.0', 1700000000000 FROM n;"
            "INSERT INTO device_models SELECT id, 'yolo', 'v' || (rowid % 5), NULL FROM devices;"
            "INSERT INTO device_models SELECT id, 'ocr', 'v' || (rowid % 3), NULL FROM devices;"
            "INSERT INTO fleets (id, name, default_strategy, tags, created_at)"
            " VALUES ('half', '', 'rolling', '{}', 0);"
            "INSERT INTO fleet_devices SELECT 'half', id, 0 FROM devices WHERE rowid % 2 = 0;"
            "COMMIT;");
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        struct ox_filter *filter = parsed(questions[i].filter);
        struct ox_selection which = selection(NULL, filter);
        struct ox_tx tx = begin(fixture, OX_TX_READ);
        int64_t start_ms = cpu_ms();
        struct ox_device_row *page = NULL;
        uint64_t devices = 0;
        size_t count = 0;
        bool has = false;

        assert_int_equal(ox_registry_selected_count(&tx, &which, &devices, NULL), OX_OK);
        print_message("%5d ms: %s: %u devices\n", (int)(cpu_ms() - start_ms), questions[i].filter,
                      (unsigned)devices);
        assert_int_equal(devices, questions[i].devices);
        assert_int_equal(ox_registry_selected(&tx, &which, "dev-05", 50, &page, &count, NULL),
                         OX_OK);
        assert_int_equal(count, devices < 50 ? 0 : 50);
        for (size_t k = 0; k < 1000; k++) {
            assert_int_equal(ox_registry_selected_has(&tx, &which, "dev-012345", &has, NULL),
                             OX_OK);
        }
        assert_in_range(cpu_ms() - start_ms, 0, BOUND_MS);
        ox_registry_end(&tx);
        ox_filter_free(filter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(select__finds_who_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(select__says_the_same_of_one_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(select__asks_fleets_of_both_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(select__pages_by_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(select__counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(select__tells_what_is_live, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fleets__are_checked_for_what_cannot_be_asked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(select__is_bounded_in_nesting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(select__runs_the_largest_filters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fleet__is_filled_and_emptied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fleet__is_removed_and_its_devices_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(select__is_quick_among_many, set_up_empty, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
