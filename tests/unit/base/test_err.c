#include "helpers.h"

#include <errno.h>
#include <stdio.h>

static void set__keeps_code_and_message(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(ox_err_set(&err, OX_ECORRUPT, "byte %d of %s", 7, "x"), OX_ECORRUPT);
    assert_int_equal(err.code, OX_ECORRUPT);
    assert_int_equal(err.sys_errno, 0);
    assert_string_equal(err.msg, "byte 7 of x");
}

static void set__may_quote_the_message_it_replaces(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    (void)ox_err_set(&err, OX_EIO, "inner");
    (void)ox_err_set(&err, OX_ECORRUPT, "outer (%s)", err.msg);
    assert_string_equal(err.msg, "outer (inner)");
}

static void sys__may_quote_the_message_it_replaces(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    (void)ox_err_set(&err, OX_EIO, "inner");
    (void)ox_err_sys(&err, ENOENT, "outer (%s)", err.msg);
    assert_string_equal(err.msg, "outer (inner): No such file or directory");
}

static void sys__takes_the_code_from_errno(void **state)
{
    static const struct {
        int sys_errno;
        enum ox_code code;
    } rows[] = {
        {ENOENT, OX_ENOTFOUND},    {ENOTDIR, OX_ENOTFOUND},
        {ENOSPC, OX_ENOSPC},       {EDQUOT, OX_ENOSPC},
        {EACCES, OX_EPERM},        {EROFS, OX_EPERM},
        {EEXIST, OX_ECONFLICT},    {ENOTEMPTY, OX_ECONFLICT},
        {EADDRINUSE, OX_EBUSY},    {EFBIG, OX_ETOOBIG},
        {ENAMETOOLONG, OX_EINVAL}, {EISDIR, OX_EINVAL},
        {ENOMEM, OX_ENOMEM},       {EIO, OX_EIO},
        {EBADF, OX_EIO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_err err = OX_ERR_INIT;

        assert_int_equal(ox_err_sys(&err, rows[i].sys_errno, "opening x"), rows[i].code);
        assert_int_equal(err.code, rows[i].code);
        assert_int_equal(err.sys_errno, rows[i].sys_errno);
        assert_memory_equal(err.msg, "opening x: ", 11);
        assert_true(strlen(err.msg) > 11);
    }
}

static void context__goes_in_front_outermost_first(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    (void)ox_err_set(&err, OX_EBASE, "base digest differs");
    assert_int_equal(ox_err_context(&err, "patch from %s", "v1"), OX_EBASE);
    assert_int_equal(ox_err_context(&err, "publish %s", "yolo@v2"), OX_EBASE);
    assert_string_equal(err.msg, "publish yolo@v2: patch from v1: base digest differs");
}

static void context__may_quote_the_message(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    (void)ox_err_set(&err, OX_EIO, "inner");
    (void)ox_err_context(&err, "<%s>", err.msg);
    assert_string_equal(err.msg, "<inner>: inner");
}

static void messages__are_cut_at_the_maximum(void **state)
{
    char longest[2 * OX_ERR_MSG_MAX];
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    (void)ox_err_set(&err, OX_EIO, "%s", longest);
    assert_int_equal(strlen(err.msg), OX_ERR_MSG_MAX - 1);
    (void)ox_err_context(&err, "front");
    assert_int_equal(strlen(err.msg), OX_ERR_MSG_MAX - 1);
    assert_memory_equal(err.msg, "front: xxx", 10);
    (void)ox_err_context(&err, "%s", longest);
    assert_int_equal(strlen(err.msg), OX_ERR_MSG_MAX - 1);
    (void)ox_err_sys(&err, EIO, "%s", longest);
    assert_int_equal(strlen(err.msg), OX_ERR_MSG_MAX - 1);
}

static void null__is_fine_everywhere(void **state)
{
    (void)state;
    assert_int_equal(ox_err_set(NULL, OX_EINVAL, "x"), OX_EINVAL);
    assert_int_equal(ox_err_sys(NULL, ENOENT, "x"), OX_ENOTFOUND);
    assert_int_equal(ox_err_nomem(NULL, "x"), OX_ENOMEM);
    (void)ox_err_context(NULL, "x");
    ox_err_clear(NULL);
}

static void clear__goes_back_to_success(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    (void)ox_err_sys(&err, ENOENT, "x");
    ox_err_clear(&err);
    assert_int_equal(err.code, OX_OK);
    assert_int_equal(err.sys_errno, 0);
    assert_string_equal(err.msg, "");
}

static void codes__have_pinned_numbers_and_words(void **state)
{
    static const char *const words[] = {"ok",
                                        "invalid_request",
                                        "not_found",
                                        "conflict",
                                        "io_error",
                                        "out_of_memory",
                                        "no_space",
                                        "corrupt",
                                        "unsupported",
                                        "too_large",
                                        "timeout",
                                        "canceled",
                                        "busy",
                                        "network_error",
                                        "protocol_error",
                                        "base_mismatch",
                                        "permission_denied",
                                        "internal_error",
                                        "range_not_satisfiable",
                                        "method_not_allowed",
                                        "length_required",
                                        "unsupported_media_type",
                                        "failed",
                                        "digest_mismatch"};

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_string_equal(ox_code_word((enum ox_code)i), words[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set__keeps_code_and_message),
        cmocka_unit_test(set__may_quote_the_message_it_replaces),
        cmocka_unit_test(sys__may_quote_the_message_it_replaces),
        cmocka_unit_test(sys__takes_the_code_from_errno),
        cmocka_unit_test(context__goes_in_front_outermost_first),
        cmocka_unit_test(context__may_quote_the_message),
        cmocka_unit_test(messages__are_cut_at_the_maximum),
        cmocka_unit_test(null__is_fine_everywhere),
        cmocka_unit_test(clear__goes_back_to_success),
        cmocka_unit_test(codes__have_pinned_numbers_and_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
