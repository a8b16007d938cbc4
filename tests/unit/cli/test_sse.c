#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    char text[1024];
    enum ox_code refuse;
};

static enum ox_code note(void *ctx, const char *event, const char *data, struct ox_err *err)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);

    (void)err;
    (void)snprintf(seen->text + len, sizeof(seen->text) - len, "<%s|%s>", event, data);
    return seen->refuse;
}

static void assert_read(const char *text, const char *expected, const char *last_id)
{
    size_t len = strlen(text);

    for (size_t piece = 1; piece <= len; piece++) { /* cut everywhere */
        struct seen seen = {.text = ""};
        struct ox_sse sse = {.event = note, .ctx = &seen};

        for (size_t at = 0; at < len; at += piece) {
            assert_int_equal(
                ox_sse_feed(&sse, text + at, at + piece < len ? piece : len - at, NULL), OX_OK);
        }
        assert_string_equal(seen.text, expected);
        assert_string_equal(sse.last_id, last_id);
        ox_sse_clear(&sse);
    }
}

static void feed__gives_blocks(void **state)
{
    (void)state;
    assert_read("id: 1\ndata: a\n\nid: 2\nevent: gap\ndata: b\n\n", "<|a><gap|b>", "2");
    assert_read("data: a\ndata:  b\ndata\n\n", "<|a\n b\n>", "");
    assert_read("data:a\r\n\r\ndata:b\r\rdata:c\n\n", "<|a><|b><|c>", "");
}

static void feed__takes_an_id_without_data(void **state)
{
    (void)state;
    assert_read(": keep-alive\nid: 7\n\n", "", "7");
    assert_read("retry: 5\n\nevent: x\n\ndata: a\n\n", "<|a>", "");
}

static void feed__gives_no_half_block(void **state)
{
    struct seen seen = {.text = ""};
    struct ox_sse sse = {.event = note, .ctx = &seen};

    (void)state;
    assert_int_equal(ox_sse_feed(&sse, "id: 3\ndata: a\n\nid: 4\ndata: b\nda", 31, NULL), OX_OK);
    ox_sse_reset(&sse);
    assert_int_equal(ox_sse_feed(&sse, "data: c\n\n", 9, NULL), OX_OK);
    assert_string_equal(seen.text, "<|a><|c>");
    ox_sse_clear(&sse);
}

static void feed__hands_on_errors(void **state)
{
    struct seen seen = {.text = "", .refuse = OX_ENOSPC};
    struct ox_sse sse = {.event = note, .ctx = &seen};

    (void)state;
    assert_int_equal(ox_sse_feed(&sse, "data: a\n\ndata: b\n\n", 18, NULL), OX_ENOSPC);
    assert_string_equal(seen.text, "<|a>");
    ox_sse_clear(&sse);
}

static void feed__bounds_a_line(void **state)
{
    char *block = malloc(OX_SSE_LINE_MAX);
    struct seen seen = {.text = ""};
    struct ox_sse sse = {.event = note, .ctx = &seen};

    (void)state;
    assert_non_null(block);
    memset(block, 'x', OX_SSE_LINE_MAX);
    assert_int_equal(ox_sse_feed(&sse, block, OX_SSE_LINE_MAX, NULL), OX_OK);
    assert_int_equal(ox_sse_feed(&sse, block, 1, NULL), OX_EPROTO);
    ox_sse_clear(&sse);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feed__gives_blocks),
        cmocka_unit_test(feed__takes_an_id_without_data),
        cmocka_unit_test(feed__gives_no_half_block),
        cmocka_unit_test(feed__hands_on_errors),
        cmocka_unit_test(feed__bounds_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
