#include "oxide/wire/reads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void reads__parses_both_formats_and_operations(void **state)
{
    struct ox_reads reads = {0};

    (void)state;
    assert_int_equal(ox_reads_parse("oxdl/2; ops=1F, oxdl/1", &reads, NULL), OX_OK);
    assert_true(reads.oxdl1);
    assert_true(reads.oxdl2);
    assert_int_equal(reads.oxdl2_ops, 0x1f);
    assert_false(reads.removes);
    assert_int_equal(ox_reads_parse("oxdl/2; ops=1F, remove/1", &reads, NULL), OX_OK);
    assert_true(reads.removes);
}

static void reads__ignores_what_newer_agents_say(void **state)
{
    struct ox_reads reads = {0};

    (void)state;
    assert_int_equal(ox_reads_parse("oxdl/3; ops=zz, oxdl/2;mode=x;ops=3 ,,", &reads, NULL), OX_OK);
    assert_false(reads.oxdl1);
    assert_true(reads.oxdl2);
    assert_int_equal(reads.oxdl2_ops, 3);
}

static void reads__empty_text_reads_nothing(void **state)
{
    struct ox_reads reads = {true, true, 1, 0, false};

    (void)state;
    assert_int_equal(ox_reads_parse("", &reads, NULL), OX_OK);
    assert_false(reads.oxdl1 || reads.oxdl2);
}

static void reads__refuses_operations_that_are_no_number(void **state)
{
    struct ox_reads reads = {0};
    char text[600];

    (void)state;
    assert_int_equal(ox_reads_parse("oxdl/2; ops=", &reads, NULL), OX_EINVAL);
    assert_int_equal(ox_reads_parse("oxdl/2; ops=xyz", &reads, NULL), OX_EINVAL);
    assert_int_equal(ox_reads_parse("oxdl/2; ops=1; chains=", &reads, NULL), OX_EINVAL);
    assert_int_equal(ox_reads_parse("oxdl/2; ops=1; chains=-1", &reads, NULL), OX_EINVAL);
    assert_int_equal(ox_reads_parse("oxdl/2; ops=1; chains=12345", &reads, NULL), OX_EINVAL);
    assert_int_equal(ox_reads_parse("oxdl/2; ops=11112222333344445", &reads, NULL), OX_EINVAL);
    memset(text, ',', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(ox_reads_parse(text, &reads, NULL), OX_EINVAL);
}

static void reads__text_parses_back(void **state)
{
    const struct ox_reads all[] = {
        {true, true, UINT64_MAX, 9999, true}, {false, true, 0x2a, 0, false},
        {false, true, 0x2a, 8, true},         {true, false, 0, 0, false},
        {false, false, 0, 0, false},          {false, false, 0, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char text[OX_READS_TEXT_MAX];
        struct ox_reads back = {0};

        assert_int_equal(ox_reads_parse(ox_reads_text(&all[i], text), &back, NULL), OX_OK);
        assert_int_equal(back.oxdl1, all[i].oxdl1);
        assert_int_equal(back.oxdl2, all[i].oxdl2);
        assert_true(back.oxdl2_ops == all[i].oxdl2_ops);
        assert_int_equal(back.chains, all[i].chains);
        assert_int_equal(back.removes, all[i].removes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads__parses_both_formats_and_operations),
        cmocka_unit_test(reads__ignores_what_newer_agents_say),
        cmocka_unit_test(reads__empty_text_reads_nothing),
        cmocka_unit_test(reads__refuses_operations_that_are_no_number),
        cmocka_unit_test(reads__text_parses_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
