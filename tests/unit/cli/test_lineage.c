#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE OX_LINEAGE_NONE

/* Draw, and compare with lines of "drawing" and the version's number. */
static void assert_drawn(const size_t *parents, size_t count, bool utf8, const char *wanted)
{
    struct ox_lineage_line *lines = NULL;
    char text[1024] = "";
    size_t used = 0;

    assert_int_equal(ox_lineage_draw(parents, count, utf8, &lines, NULL), OX_OK);
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%zu\n", lines[i].drawing,
                                 lines[i].version);
    }
    ox_lineage_free(lines, count);
    assert_string_equal(text, wanted);
}

static void draw__nothing_where_there_is_no_lineage(void **state)
{
    (void)state;
    assert_drawn((size_t[]){NONE, NONE}, 2, false, "0\n1\n");
    assert_drawn(NULL, 0, false, "");
}

static void draw__a_line_stays_straight(void **state)
{
    (void)state;
    assert_drawn((size_t[]){NONE, 0, 1}, 3, false, "* 0\n* 1\n* 2\n");
}

static void draw__forks_open_lanes_to_the_right(void **state)
{
    (void)state;
    assert_drawn((size_t[]){NONE, 0, 0, 1}, 4, false, "*-. 0\n* | 1\n| * 2\n* 3\n");
    assert_drawn((size_t[]){NONE, 0, 0, 0}, 4, false, "*-.-. 0\n* | | 1\n  * | 2\n    * 3\n");
    assert_drawn((size_t[]){NONE, 0, 0, 1}, 4, true, "●─┐ 0\n● │ 1\n│ ● 2\n● 3\n");
}

static void draw__a_fork_crosses_what_lies_between(void **state)
{
    (void)state;
    /* 0 forks to 1 and 2; 1 forks to 3 and 4, past the lane of 2 */
    assert_drawn((size_t[]){NONE, 0, 0, 1, 1}, 5, false,
                 "*-. 0\n*-+-. 1\n| * | 2\n*   | 3\n    * 4\n");
}

static void draw__another_root_takes_a_lane_of_its_own(void **state)
{
    (void)state;
    assert_drawn((size_t[]){NONE, NONE, 0, 1}, 4, false, "* 0\n| * 1\n* | 2\n  * 3\n");
}

static void draw__a_parent_that_came_later_stands_first(void **state)
{
    (void)state;
    assert_drawn((size_t[]){1, NONE}, 2, false, "* 1\n* 0\n");
}

static void draw__a_circle_ends(void **state)
{
    (void)state;
    assert_drawn((size_t[]){1, 0}, 2, false, "* 0\n* 1\n");
    assert_drawn((size_t[]){0}, 1, false, "* 0\n");
}

static void utf8__is_what_the_locale_says_of_a_terminal(void **state)
{
    (void)state;
    (void)unsetenv("LC_ALL");
    (void)setenv("LC_CTYPE", "", 1);
    (void)setenv("LANG", "de_AT.UTF-8", 1);
    assert_true(ox_lineage_in_utf8(true));
    assert_false(ox_lineage_in_utf8(false));
    (void)setenv("LC_ALL", "C", 1);
    assert_false(ox_lineage_in_utf8(true));
    (void)setenv("LC_ALL", "C.utf8", 1);
    assert_true(ox_lineage_in_utf8(true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draw__nothing_where_there_is_no_lineage),
        cmocka_unit_test(draw__a_line_stays_straight),
        cmocka_unit_test(draw__forks_open_lanes_to_the_right),
        cmocka_unit_test(draw__a_fork_crosses_what_lies_between),
        cmocka_unit_test(draw__another_root_takes_a_lane_of_its_own),
        cmocka_unit_test(draw__a_parent_that_came_later_stands_first),
        cmocka_unit_test(draw__a_circle_ends),
        cmocka_unit_test(utf8__is_what_the_locale_says_of_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
