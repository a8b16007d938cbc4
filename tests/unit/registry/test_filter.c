#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/buf.h"
#include "oxide/base/file.h"
#include "oxide/registry/filter.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ox_code parse(const char *text, struct ox_err *err)
{
    struct ox_filter *filter = NULL;
    enum ox_code code = ox_filter_parse(&filter, text, err);

    ox_filter_free(filter);
    return code;
}

static void assert_bad(const char *text, size_t column, const char *message)
{
    struct ox_err err = OX_ERR_INIT;
    char wanted[OX_ERR_MSG_MAX];

    (void)snprintf(wanted, sizeof(wanted), "the filter at column %zu: %s", column, message);
    assert_int_equal(parse(text, &err), OX_EINVAL);
    assert_int_equal(err.code, OX_EINVAL);
    if (strncmp(err.msg, wanted, strlen(wanted)) != 0) {
        fail_msg("'%s': '%s', not '%s'", text, err.msg, wanted);
    }
}

/* --- golden files: lines --- */

typedef void line_fn(char *line, void *ctx);

static void each_line(const char *kind, line_fn *visit, void *ctx)
{
    char folder[512];
    struct dirent *entry;
    size_t lines = 0;
    DIR *dir;

    (void)snprintf(folder, sizeof(folder), OX_TESTS_DIR "/golden/filter/%s", kind);
    dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[1024];
        char *line = NULL;
        size_t room = 0;
        ssize_t len;
        FILE *file;

        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        file = fopen(path, "r");
        assert_non_null(file);
        while ((len = getline(&line, &room, file)) > 0) {
            line[len - 1] = '\0'; /* the line feed */
            visit(line, ctx);
            lines++;
        }
        free(line);
        (void)fclose(file);
    }
    (void)closedir(dir);
    assert_true(lines > 0);
}

static void line_is_good(char *line, void *ctx)
{
    struct ox_err err = OX_ERR_INIT;

    (void)ctx;
    if (parse(line, &err) != OX_OK) {
        fail_msg("'%s': %s", line, err.msg);
    }
}

static void filter__takes_golden_good_lines(void **state)
{
    (void)state;
    each_line("good", line_is_good, NULL);
}

/* A filter, then a line with a caret where it is wrong, and the message behind it. */
static void line_is_bad(char *line, void *ctx)
{
    char **filter = ctx;
    const char *caret = line + strspn(line, " ");

    if (*filter == NULL) {
        assert_int_equal(ox_strdup(filter, line, NULL), OX_OK);
        return;
    }
    assert_int_equal(*caret, '^');
    assert_bad(*filter, (size_t)(caret - line) + 1, caret + 2);
    free(*filter);
    *filter = NULL;
}

static void filter__refuses_golden_bad_lines(void **state)
{
    char *filter = NULL;

    (void)state;
    each_line("bad", line_is_bad, &filter);
    assert_null(filter);
}

/* --- limits --- */

static void filter__has_a_length(void **state)
{
    char text[OX_FILTER_MAX + 2];

    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text, "id = a", 6);
    text[OX_FILTER_MAX] = '\0';
    assert_int_equal(parse(text, NULL), OX_OK);
    text[OX_FILTER_MAX] = ' ';
    text[OX_FILTER_MAX + 1] = '\0';
    assert_bad(text, OX_FILTER_MAX + 1, "a filter has at most 4096 bytes");
}

static void filter__is_bounded_in_depth(void **state)
{
    char text[OX_FILTER_MAX];

    (void)state;
    for (size_t depth = OX_FILTER_DEPTH_MAX; depth <= OX_FILTER_DEPTH_MAX + 1; depth++) {
        memset(text, '(', depth);
        memcpy(text + depth, "id=a", 4);
        memset(text + depth + 4, ')', depth);
        text[2 * depth + 4] = '\0';
        if (depth == OX_FILTER_DEPTH_MAX) {
            assert_int_equal(parse(text, NULL), OX_OK);
        } else {
            assert_bad(text, depth, "parentheses and nots stand at most 32 deep");
        }
    }
    text[0] = '\0';
    for (size_t i = 0; i <= OX_FILTER_DEPTH_MAX; i++) {
        strcat(text, "not ");
    }
    strcat(text, "id = a");
    assert_bad(text, 4 * OX_FILTER_DEPTH_MAX + 1, "parentheses and nots stand at most 32 deep");
    (void)snprintf(text, sizeof(text), "((id=a)) and ((id=b)) and (((id=c)))");
    assert_int_equal(parse(text, NULL), OX_OK); /* one beside another is not deeper */
}

static void filter__is_bounded_in_tests(void **state)
{
    char text[OX_FILTER_MAX];
    size_t used = 0;

    (void)state;
    for (size_t i = 0; i < OX_FILTER_TESTS_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%sid=a", i == 0 ? "" : " or ");
    }
    assert_int_equal(parse(text, NULL), OX_OK);
    (void)snprintf(text + used, sizeof(text) - used, " or id=a");
    assert_bad(text, used + 5, "a filter has at most 64 comparisons");
}

static void filter__is_bounded_in_values(void **state)
{
    char text[OX_FILTER_MAX];
    size_t used = (size_t)snprintf(text, sizeof(text), "id in (a");

    (void)state;
    for (size_t i = 1; i < OX_FILTER_VALUES_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, ",a");
    }
    (void)snprintf(text + used, sizeof(text) - used, ")");
    assert_int_equal(parse(text, NULL), OX_OK);
    (void)snprintf(text + used, sizeof(text) - used, ",a)");
    assert_bad(text, used + 2, "a filter has at most 512 values");
}

static void filter__is_refused_at_every_cut(void **state)
{
    static const char whole[] =
        "((id = \"a\" and tag.\"k\" in (b, c)) or not last_seen < 7d ago and status != online)";
    char text[sizeof(whole)];

    (void)state;
    assert_int_equal(parse(whole, NULL), OX_OK);
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        struct ox_err err = OX_ERR_INIT;

        memcpy(text, whole, len);
        text[len] = '\0';
        assert_int_equal(parse(text, &err), OX_EINVAL);
        assert_memory_equal(err.msg, "the filter at column ", 21);
    }
}

/* --- what is asked of it --- */

static struct ox_filter *parsed(const char *text)
{
    struct ox_filter *filter = NULL;

    assert_int_equal(ox_filter_parse(&filter, text, NULL), OX_OK);
    return filter;
}

static void filter__knows_whether_it_is_live(void **state)
{
    static const struct {
        const char *text;
        bool live;
    } rows[] = {{"id = a and tag.x exists", false}, {"id = a or status = offline", true},
                {"not last_seen < 1h ago", true},   {"metrics.free_memory_bytes < 1M", true},
                {"registered < 1h ago", false},     {"model.m > 1 or fleet = x", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_filter *filter = parsed(rows[i].text);

        assert_int_equal(ox_filter_is_live(filter), rows[i].live);
        ox_filter_free(filter);
    }
    ox_filter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter__takes_golden_good_lines),
        cmocka_unit_test(filter__refuses_golden_bad_lines),
        cmocka_unit_test(filter__has_a_length),
        cmocka_unit_test(filter__is_bounded_in_depth),
        cmocka_unit_test(filter__is_bounded_in_tests),
        cmocka_unit_test(filter__is_bounded_in_values),
        cmocka_unit_test(filter__is_refused_at_every_cut),
        cmocka_unit_test(filter__knows_whether_it_is_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
