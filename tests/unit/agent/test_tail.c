/* What came of a patch behind its last mark, over runs that are killed. */
#include "../../../src/agent/tail.h"

#include "oxide/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* the above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static char path[96];
static const uint8_t bytes[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/oxide-tail-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/x.tail", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(ox_remove_tree(dir, NULL), OX_OK);
    return 0;
}

/* Is what lies there from `marked` on the patch's bytes up to `end`? The patch is `bytes`. */
static void assert_tail(uint64_t marked, uint64_t end)
{
    struct ox_tail tail;
    uint8_t out[sizeof(bytes)];

    ox_tail_init(&tail, path);
    assert_true(ox_tail_open(&tail, marked, 36));
    assert_int_equal(tail.end, end);
    assert_int_equal(ox_tail_read(&tail, marked, out, (size_t)(end - marked), NULL), OX_OK);
    assert_memory_equal(out, bytes + marked, (size_t)(end - marked));
    ox_tail_close(&tail);
}

static void assert_no_tail(uint64_t marked, uint64_t patch_bytes)
{
    struct ox_tail tail;

    ox_tail_init(&tail, path);
    assert_false(ox_tail_open(&tail, marked, patch_bytes));
    ox_tail_close(&tail);
}

static void keep(struct ox_tail *tail, uint64_t at, size_t len, uint64_t marked)
{
    ox_tail_keep(tail, at, bytes + at, len, marked);
}

static void tail__begins_at_the_mark_and_grows(void **state)
{
    struct ox_tail tail;

    (void)state;
    ox_tail_init(&tail, path);
    keep(&tail, 0, 10, 4); /* a frame ended at 4 */
    assert_tail(4, 10);
    keep(&tail, 10, 5, 4);
    assert_tail(4, 15);
    assert_tail(8, 15); /* a mark within it, which came without its bytes */
    keep(&tail, 15, 10, 22);
    assert_tail(22, 25);
    keep(&tail, 25, 11, 22);
    assert_tail(22, 36); /* up to the patch's end */
    ox_tail_close(&tail);
}

static void tail__is_gone_on_with(void **state)
{
    struct ox_tail tail;

    (void)state;
    ox_tail_init(&tail, path);
    keep(&tail, 0, 10, 4);
    ox_tail_close(&tail);
    assert_true(ox_tail_open(&tail, 4, 36));
    keep(&tail, 10, 6, 4);
    assert_tail(4, 16);
    ox_tail_close(&tail);
}

static void tail__without_the_bytes_between_is_none(void **state)
{
    struct ox_tail tail;

    (void)state;
    ox_tail_init(&tail, path);
    keep(&tail, 10, 5, 4); /* from 4 to 10 they are not here */
    assert_false(ox_path_exists(path));
    keep(&tail, 15, 5, 20); /* all is marked */
    keep(&tail, 20, 5, 20);
    assert_tail(20, 25);
    keep(&tail, 30, 2, 20);
    assert_tail(20, 25);
    ox_tail_close(&tail);
}

static void write_file(const void *content, size_t len)
{
    assert_int_equal(ox_file_replace(path, content, len, 0600, NULL), OX_OK);
}

static void tail__of_something_else_is_dropped(void **state)
{
    const uint8_t huge[] = {255, 255, 255, 255, 255, 255, 255, 255, 1, 2};
    const uint8_t at_5[] = {5, 0, 0, 0, 0, 0, 0, 0, 1, 2};
    static const size_t lens[] = {0, 7, 8};

    (void)state;
    assert_no_tail(0, 36);
    for (size_t i = 0; i < 3; i++) {
        write_file(at_5, lens[i]);
        assert_no_tail(5, 36);
        assert_false(ox_path_exists(path));
    }
    write_file(huge, sizeof(huge));
    assert_no_tail(UINT64_MAX, UINT64_MAX);
    write_file(at_5, sizeof(at_5));
    assert_no_tail(4, 36); /* the byte between is not in it */
    write_file(at_5, sizeof(at_5));
    assert_no_tail(7, 36);
    write_file(at_5, sizeof(at_5));
    assert_no_tail(5, 6); /* behind the patch's end */
}

static void tail__follows_no_symlink(void **state)
{
    char target[96];
    struct ox_tail tail;
    struct ox_buf text = OX_BUF_INIT;

    (void)state;
    (void)snprintf(target, sizeof(target), "%s/else", dir);
    assert_int_equal(ox_file_replace(target, "something else", 14, 0600, NULL), OX_OK);
    assert_int_equal(symlink(target, path), 0);
    assert_no_tail(0, 36);
    ox_tail_init(&tail, path);
    keep(&tail, 0, 10, 4);
    assert_int_equal(ox_file_read_all(target, 100, &text, NULL), OX_OK);
    assert_int_equal(text.len_bytes, 14);
    ox_buf_clear(&text);
    ox_tail_close(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tail__begins_at_the_mark_and_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(tail__is_gone_on_with, setup, teardown),
        cmocka_unit_test_setup_teardown(tail__without_the_bytes_between_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(tail__of_something_else_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(tail__follows_no_symlink, setup, teardown),
    };
    return cmocka_run_group_tests_name("agent/tail", tests, NULL, NULL);
}
