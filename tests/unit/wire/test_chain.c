#include "oxide/wire/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FILES "\"files\":[{\"path\":\"a\",\"size\":1,\"sha256\":\"" HEX_A "\"}]"
#define PATCH "\"sha256\":\"" HEX_A "\",\"size\":4,\"format\":\"oxdl/2\",\"strategy\":\"tensor\""
#define BETWEEN "{" PATCH ",\"model_version\":\"v2\",\"digest\":\"" HEX_A "\"," FILES "}"
#define LAST "{" PATCH "}"
#define ANSWER(base, patches)                                                                      \
    "{\"assignments\":[{\"model_id\":\"m\",\"model_version\":\"v3\",\"digest\":\"" HEX_A           \
    "\"," FILES base ",\"patches\":" patches "}]}"
#define BASE ",\"base\":{\"model_version\":\"v1\",\"digest\":\"" HEX_A "\"}"

static enum ox_code parse(const char *text, struct ox_heartbeat_answer *out)
{
    return ox_heartbeat_answer_parse(text, strlen(text), out, NULL);
}

static void chain__is_told_and_comes_back_as_it_was(void **state)
{
    struct ox_heartbeat_answer answer = {0};
    struct ox_heartbeat_answer back = {0};
    char *text = NULL;
    char *again = NULL;

    (void)state;
    assert_int_equal(parse(ANSWER(BASE, "[" BETWEEN "," LAST "]"), &answer), OX_OK);
    assert_int_equal(answer.assignments[0].chain_count, 2);
    assert_false(answer.assignments[0].patch.present);
    assert_string_equal(answer.assignments[0].chain[0].version, "v2");
    assert_int_equal(answer.assignments[0].chain[0].files.count, 1);
    assert_null(answer.assignments[0].chain[1].version);
    assert_int_equal(answer.assignments[0].chain[1].files.count, 0);
    assert_true(
        ox_digest_equal(&answer.assignments[0].chain[1].digest, &answer.assignments[0].digest));
    assert_int_equal(answer.assignments[0].chain[1].patch.size_bytes, 4);
    assert_int_equal(ox_heartbeat_answer_build(&answer, &text, NULL), OX_OK);
    assert_int_equal(parse(text, &back), OX_OK);
    assert_int_equal(ox_heartbeat_answer_build(&back, &again, NULL), OX_OK);
    assert_string_equal(text, again);
    free(text);
    free(again);
    ox_heartbeat_answer_clear(&answer);
    ox_heartbeat_answer_clear(&back);
}

static void chain__refuses_odd_ones_as_the_servers_fault(void **state)
{
    static const char *const bad[] = {
        ANSWER("", "[" BETWEEN "," LAST "]"), /* without a base */
        ANSWER(BASE ",\"patch\":" LAST, "[" BETWEEN "," LAST "]"),
        ANSWER(BASE, "[" LAST "]"),
        ANSWER(BASE, "[" LAST "," LAST "]"), /* nobody knows what the first rebuilds */
        ANSWER(BASE, "[1,2]"),
        ANSWER(BASE, "{}"),
        ANSWER(BASE, "[" BETWEEN "," BETWEEN "," BETWEEN "," BETWEEN "," BETWEEN "," BETWEEN
                     "," BETWEEN "," BETWEEN "," LAST "]"),
        ANSWER(BASE, "[" BETWEEN ",{\"sha256\":\"" HEX_A "\",\"size\":0,\"format\":\"oxdl/2\"}]"),
        ANSWER(BASE, "[{" PATCH ",\"model_version\":\"v2\",\"digest\":\"" HEX_A
                     "\",\"files\":[{\"path\":\"../up\",\"size\":1,\"sha256\":\"" HEX_A
                     "\"}]}," LAST "]"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_heartbeat_answer answer = {0};

        if (parse(bad[i], &answer) != OX_EPROTO) {
            fail_msg("not refused: %s", bad[i]);
        }
    }
}

static void chain__none_is_as_an_empty_one(void **state)
{
    struct ox_heartbeat_answer answer = {0};

    (void)state;
    assert_int_equal(parse(ANSWER(BASE, "[]"), &answer), OX_OK);
    assert_int_equal(answer.assignments[0].chain_count, 0);
    ox_heartbeat_answer_clear(&answer);
    assert_int_equal(parse(ANSWER(BASE, "null"), &answer), OX_OK);
    assert_int_equal(answer.assignments[0].chain_count, 0);
    ox_heartbeat_answer_clear(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain__is_told_and_comes_back_as_it_was),
        cmocka_unit_test(chain__refuses_odd_ones_as_the_servers_fault),
        cmocka_unit_test(chain__none_is_as_an_empty_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
