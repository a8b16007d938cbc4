#include "oxide/wire/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void id__accepts_every_allowed_character(void **state)
{
    (void)state;
    assert_int_equal(ox_id_check("model", "aZ09.-_+", NULL), OX_OK);
    assert_int_equal(ox_id_check("model", "a", NULL), OX_OK);
}

static void id__refuses_what_is_not_of_the_alphabet(void **state)
{
    static const char *const bad[] = {"",    "a b", "a/b",      "..",   "a..b", ".hidden", ".",
                                      "a\n", "a%2", "\xc3\xa4", "a\\b", "a:b",  "a~b"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ox_id_check("model", bad[i], NULL), OX_EINVAL);
    }
    assert_int_equal(ox_id_check("model", NULL, NULL), OX_EINVAL);
}

static void id__has_at_most_256_characters(void **state)
{
    char id[OX_ID_MAX + 2];

    (void)state;
    memset(id, 'a', sizeof(id));
    id[OX_ID_MAX] = '\0';
    assert_int_equal(ox_id_check("model", id, NULL), OX_OK);
    id[OX_ID_MAX] = 'a';
    id[OX_ID_MAX + 1] = '\0';
    assert_int_equal(ox_id_check("model", id, NULL), OX_EINVAL);
}

static void id__error_names_what_is_wrong(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(ox_id_check("version", "a/b", &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id__accepts_every_allowed_character),
        cmocka_unit_test(id__refuses_what_is_not_of_the_alphabet),
        cmocka_unit_test(id__has_at_most_256_characters),
        cmocka_unit_test(id__error_names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
