#include "oxide/base/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void suggest__finds_the_nearest(void **state)
{
    static const char *const words[] = {"register", "list", "status", "remove"};
    static const struct {
        const char *word;
        const char *best;
    } rows[] = {{"regster", "register"}, {"lsit", "list"}, {"stat", "status"},
                {"lists", "list"},       {"fly", NULL},    {"", NULL}};

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct ox_suggestion near = {NULL, 0};

        for (size_t i = 0; i < 4; i++) {
            ox_suggest(&near, rows[r].word, words[i]);
        }
        if (rows[r].best == NULL) {
            assert_null(near.best);
        } else {
            assert_non_null(near.best);
            assert_string_equal(near.best, rows[r].best);
        }
    }
}

static void edit_distance__counts_edits(void **state)
{
    char longest[80];

    (void)state;
    assert_int_equal(ox_edit_distance("push", "push"), 0);
    assert_int_equal(ox_edit_distance("psuh", "push"), 1);
    assert_int_equal(ox_edit_distance("pus", "push"), 1);
    assert_int_equal(ox_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(ox_edit_distance("", "abc"), 3);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_true(ox_edit_distance(longest, "a") == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggest__finds_the_nearest),
        cmocka_unit_test(edit_distance__counts_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
