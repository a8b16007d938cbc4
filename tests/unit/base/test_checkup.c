#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/checkup.h"

static void find(struct ox_checkup *checkup, enum ox_severity severity, const char *what)
{
    ox_checkup_find(checkup, severity, "a place", "do it", "%s", what);
}

static void checkup__counts_findings_by_severity(void **state)
{
    struct ox_checkup checkup = {.quick = false};

    (void)state;
    ox_checkup_begin(&checkup, "a", "the first");
    find(&checkup, OX_SEVERITY_ERROR, "one");
    ox_checkup_begin(&checkup, "b", "the second");
    find(&checkup, OX_SEVERITY_WARNING, "two");
    find(&checkup, OX_SEVERITY_ERROR, "three");
    assert_int_equal(ox_checkup_found(&checkup, OX_SEVERITY_ERROR), 2);
    assert_int_equal(ox_checkup_found(&checkup, OX_SEVERITY_WARNING), 1);
    assert_int_equal(checkup.sections[0].found[OX_SEVERITY_ERROR], 1);
    assert_int_equal(checkup.findings[2].section, 1);
    assert_true(ox_checkup_section_is_bad(&checkup));
    assert_int_equal(ox_checkup_state(&checkup, NULL), OX_OK);
    ox_checkup_clear(&checkup);
}

static void checkup__marks_as_mended_what_came_since(void **state)
{
    struct ox_checkup checkup = {.fix = true};
    struct ox_checkup mark;

    (void)state;
    ox_checkup_begin(&checkup, "a", "the first");
    find(&checkup, OX_SEVERITY_ERROR, "stays");
    mark = checkup;
    find(&checkup, OX_SEVERITY_ERROR, "goes");
    find(&checkup, OX_SEVERITY_NOTE, "goes");
    ox_checkup_mend(&checkup, &mark);
    assert_int_equal(ox_checkup_found(&checkup, OX_SEVERITY_ERROR), 1);
    assert_int_equal(ox_checkup_found(&checkup, OX_SEVERITY_NOTE), 0);
    assert_int_equal(ox_checkup_fixed(&checkup), 2);
    assert_false(checkup.findings[0].fixed);
    assert_true(checkup.findings[1].fixed);
    assert_null(checkup.findings[1].hint);
    ox_checkup_clear(&checkup);
}

static void checkup__takes_back_what_came_since(void **state)
{
    struct ox_checkup checkup = {.quick = false};
    struct ox_checkup mark;

    (void)state;
    ox_checkup_begin(&checkup, "a", "the first");
    find(&checkup, OX_SEVERITY_ERROR, "stays");
    mark = checkup;
    for (int i = 0; i < 100; i++) { /* the array moves */
        find(&checkup, OX_SEVERITY_ERROR, "goes");
    }
    ox_checkup_undo(&checkup, &mark);
    assert_int_equal(checkup.count, 1);
    assert_int_equal(ox_checkup_found(&checkup, OX_SEVERITY_ERROR), 1);
    assert_string_equal(checkup.findings[0].what, "stays");
    ox_checkup_clear(&checkup);
}

static void checkup__keeps_only_so_many_of_a_section(void **state)
{
    struct ox_checkup checkup = {.quick = false};

    (void)state;
    ox_checkup_begin(&checkup, "a", "the first");
    for (int i = 0; i < OX_SECTION_ROWS_MAX + 7; i++) {
        find(&checkup, OX_SEVERITY_ERROR, "again");
    }
    ox_checkup_begin(&checkup, "b", "the second");
    find(&checkup, OX_SEVERITY_ERROR, "has room");
    assert_int_equal(checkup.count, OX_SECTION_ROWS_MAX + 1);
    assert_int_equal(checkup.sections[0].left_out, 7);
    assert_int_equal(ox_checkup_found(&checkup, OX_SEVERITY_ERROR), OX_SECTION_ROWS_MAX + 8);
    ox_checkup_clear(&checkup);
}

static void checkup__makes_text_fit_to_show(void **state)
{
    struct ox_checkup checkup = {.quick = false};

    (void)state;
    ox_checkup_begin(&checkup, "a", "the first");
    ox_checkup_find(&checkup, OX_SEVERITY_NOTE, "a\033[31m", NULL, "b\n%s", "\377");
    assert_string_equal(checkup.findings[0].where, "a [31m");
    assert_string_equal(checkup.findings[0].what, "b ?");
    ox_checkup_clear(&checkup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkup__counts_findings_by_severity),
        cmocka_unit_test(checkup__marks_as_mended_what_came_since),
        cmocka_unit_test(checkup__takes_back_what_came_since),
        cmocka_unit_test(checkup__keeps_only_so_many_of_a_section),
        cmocka_unit_test(checkup__makes_text_fit_to_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
