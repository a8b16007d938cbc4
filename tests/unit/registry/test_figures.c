/* Figures of what the registry holds, out of what it has counted already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/file.h"
#include "oxide/registry/device.h"
#include "oxide/registry/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* heard_ms 0: never. */
static void add_device(struct ox_tx *tx, const char *id, int64_t heard_ms, uint64_t poll_interval_s)
{
    struct ox_device_row row;
    bool created = false;

    assert_int_equal(ox_registry_device_put(tx, id, id, "{}", 5, &created, NULL), OX_OK);
    assert_int_equal(ox_registry_device_get(tx, id, &row, NULL), OX_OK);
    row.last_heartbeat_ms = heard_ms;
    row.poll_interval_s = poll_interval_s;
    row.status = "online";
    if (heard_ms != 0) {
        assert_int_equal(ox_registry_device_update(tx, &row, NULL), OX_OK);
    }
}

struct seen {
    size_t count;
    int64_t heard_ms;
    uint64_t poll_interval_s;
};

static void see(void *ctx, const struct ox_standing_row *row)
{
    struct seen *seen = ctx;

    seen->count++;
    seen->heard_ms += row->last_heartbeat_ms;
    seen->poll_interval_s += row->poll_interval_s;
    assert_int_equal(row->last_heartbeat_ms == 0, strcmp(row->id, "never") == 0);
    assert_string_equal(row->status, row->last_heartbeat_ms == 0 ? "unknown" : "online");
    assert_int_equal(row->conflict_ms, 0);
}

static void standings__are_told_of_every_device(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0, 0, 0};

    assert_int_equal(ox_registry_standings(&fixture->tx, see, &seen, NULL), OX_OK);
    assert_int_equal(seen.count, 0);
    add_device(&fixture->tx, "never", 0, 0);
    add_device(&fixture->tx, "a", 1000, 100);
    add_device(&fixture->tx, "b", 20, 0);
    assert_int_equal(ox_registry_standings(&fixture->tx, see, &seen, NULL), OX_OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.heard_ms, 1020);
    assert_int_equal(seen.poll_interval_s, 100);
}

static void empty__registry_has_figures_too(void **state)
{
    struct fixture *fixture = *state;
    struct ox_state_count *states = NULL;
    struct ox_place_count *places = NULL;
    size_t count = 1;
    uint64_t number = 1;
    uint64_t wal = 0;

    assert_int_equal(ox_registry_campaign_states(&fixture->tx, &states, &count, NULL), OX_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ox_registry_job_states(&fixture->tx, &states, &count, NULL), OX_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ox_registry_place_counts(&fixture->tx, 10, &places, &count, NULL), OX_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ox_registry_saved_bytes(&fixture->tx, &number, NULL), OX_OK);
    assert_int_equal(number, 0);
    assert_int_equal(ox_registry_pending_waiting(&fixture->tx, &number, NULL), OX_OK);
    assert_int_equal(number, 0);
    ox_registry_file_bytes(fixture->registry, &number, &wal);
    assert_true(number + wal > 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(standings__are_told_of_every_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty__registry_has_figures_too, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
