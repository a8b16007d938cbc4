#include "../../../src/app/ini_file.h"

#include "oxide/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was told, a line each: "2[name]", "3name.key=value", "4!what" up to its colon. */
static enum ox_code on_section(void *ctx, const char *name, unsigned line, struct ox_err *err)
{
    return ox_buf_printf(ctx, err, "%u[%s]\n", line, name);
}

static enum ox_code on_entry(void *ctx, const char *section, const char *key, const char *value,
                             unsigned line, struct ox_err *err)
{
    return ox_buf_printf(ctx, err, "%u%s.%s=%s\n", line, section, key, value);
}

static enum ox_code on_problem(void *ctx, unsigned line, const char *what, struct ox_err *err)
{
    return ox_buf_printf(ctx, err, "%u!%.*s\n", line, (int)strcspn(what, ":"), what);
}

static void reads_bytes(const void *bytes, size_t len, const char *told)
{
    struct ox_buf out = OX_BUF_INIT;
    const struct ox_ini_sink sink = {&out, on_section, on_entry, on_problem};
    char *exact = malloc(len == 0 ? 1 : len); /* so that a sanitizer sees a byte too far */

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    assert_int_equal(ox_ini_read(exact, len, &sink, NULL), OX_OK);
    assert_string_equal(out.data == NULL ? "" : (const char *)out.data, told);
    ox_buf_clear(&out);
    free(exact);
}

static void reads(const char *text, const char *told)
{
    reads_bytes(text, strlen(text), told);
}

static void file__has_sections_keys_and_comments(void **state)
{
    (void)state;
    reads("", "");
    reads("a = 1", "1.a=1\n");
    reads("# one\n; two\n\n[s]\nkey=value\n  \n[t]\nk : v\n", "4[s]\n5s.key=value\n7[t]\n8t.k=v\n");
    reads("\xef\xbb\xbf[s]\r\n k = v \r\n", "1[s]\n2s.k=v\n");
    reads("[s]\nempty =\n", "1[s]\n2s.empty=\n");
}

static void file__a_semicolon_in_a_value_stays(void **state)
{
    (void)state;
    reads("[s]\ncmd = a ; b # c ;d\n", "1[s]\n2s.cmd=a ; b # c ;d\n");
    reads("[a ;b]\nc ;d = e\n", "1[a ;b]\n2a ;b.c ;d=e\n");
}

static void file__an_indented_line_goes_on_with_a_value(void **state)
{
    (void)state;
    reads("[s]\nk = one\n  two\n\n  # no\n\tthree ; four\nl = x\n",
          "1[s]\n2s.k=one\ntwo\nthree ; four\n7s.l=x\n");
    reads("[s]\nk =\n  one\n  two\n", "1[s]\n2s.k=one\ntwo\n");
    reads("[s]\nk = one\n[t]\n  l = two\n", "1[s]\n2s.k=one\n3[t]\n4t.l=two\n");
}

static void file__long_lines_are_whole(void **state)
{
    char text[OX_INI_LINE_MAX + 64];
    char told[OX_INI_LINE_MAX + 64];

    (void)state;
    for (size_t len = 150; len < OX_INI_LINE_MAX - 4; len += len < 420 ? 1 : 511) {
        memcpy(text, "k = ", 4);
        for (size_t i = 0; i < len; i++) {
            text[4 + i] = "word; #word\xc3\xa4 "[i % 14];
        }
        text[4 + len - 1] = 'e';
        text[4 + len] = '\0';
        (void)snprintf(told, sizeof(told), "1.k=%.4096s\n", text + 4);
        if (len % 14 != 13) { /* else it ends in half a character */
            reads(text, told);
        }
    }
    memset(text, 'x', sizeof(text));
    memcpy(text, "k = ", 4);
    text[OX_INI_LINE_MAX] = '\n';
    text[sizeof(text) - 1] = '\0';
    text[OX_INI_LINE_MAX + 1] = '#';
    (void)snprintf(told, sizeof(told), "1.k=%.*s\n", OX_INI_LINE_MAX - 4, text + 4);
    reads(text, told);
    text[OX_INI_LINE_MAX] = 'x';
    reads(text, "1!is too long\n");
}

static void file__long_names_of_sections_are_whole(void **state)
{
    char name[OX_INI_NAME_MAX + 2];
    char text[OX_INI_NAME_MAX + 16];
    char told[OX_INI_NAME_MAX * 3];

    (void)state;
    memset(name, 'm', sizeof(name));
    name[OX_INI_NAME_MAX] = '\0';
    (void)snprintf(text, sizeof(text), "[%s]\nk=v\n", name);
    (void)snprintf(told, sizeof(told), "1[%s]\n2%s.k=v\n", name, name);
    reads(text, told);
    name[OX_INI_NAME_MAX] = 'm';
    name[OX_INI_NAME_MAX + 1] = '\0';
    (void)snprintf(text, sizeof(text), "[%s]\n", name);
    reads(text, "1!is no section\n");
}

static void file__what_is_wrong_has_its_line(void **state)
{
    static const char nul[] = "[s]\nk = a\0b\nl = c\n";
    char blanks[600];

    (void)state;
    reads_bytes(nul, sizeof(nul) - 1, "1[s]\n2!has a NUL byte\n3s.l=c\n");
    reads("k = \x1b[31m\n", "1!has a control character\n");
    reads("k = \xff\n", "1!is not valid UTF-8\n");
    reads("k = \xc3", "1!is not valid UTF-8\n");
    reads("[s\n[]\n[s] x\nnothing\n= v\n",
          "1!is no section\n2!is no section\n3!is no section\n4!is not understood\n"
          "5!is not understood\n");
    (void)snprintf(blanks, sizeof(blanks), "k = a%400sb\nl = 1\n", "");
    reads(blanks, "1!has too many blanks in a row\n2.l=1\n");
}

static void file__a_value_has_a_bound(void **state)
{
    static char text[OX_INI_VALUE_MAX + 8192];
    struct ox_buf out = OX_BUF_INIT;
    const struct ox_ini_sink sink = {&out, on_section, on_entry, on_problem};
    size_t len = 4;

    (void)state;
    memcpy(text, "k = ", 4);
    while (len < OX_INI_VALUE_MAX + 4096) {
        memcpy(text + len, " 0123456789012345678901234567890\n", 33);
        len += 33;
    }
    assert_int_equal(ox_ini_read(text, len, &sink, NULL), OX_OK);
    assert_non_null(strstr((const char *)out.data, "!makes the value too long\n"));
    ox_buf_clear(&out);
}

static enum ox_code refuse_entry(void *ctx, const char *section, const char *key, const char *value,
                                 unsigned line, struct ox_err *err)
{
    (void)section;
    (void)key;
    (void)value;
    (void)line;
    ++*(int *)ctx;
    return ox_err_set(err, OX_ENOMEM, "no");
}

static void sink__ends_the_reading_by_an_error(void **state)
{
    int count = 0;
    const struct ox_ini_sink sink = {&count, on_section, refuse_entry, on_problem};

    (void)state;
    assert_int_equal(ox_ini_read("a=1\nb=2\nc=3\n", 12, &sink, NULL), OX_ENOMEM);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__has_sections_keys_and_comments),
        cmocka_unit_test(file__a_semicolon_in_a_value_stays),
        cmocka_unit_test(file__an_indented_line_goes_on_with_a_value),
        cmocka_unit_test(file__long_lines_are_whole),
        cmocka_unit_test(file__long_names_of_sections_are_whole),
        cmocka_unit_test(file__what_is_wrong_has_its_line),
        cmocka_unit_test(file__a_value_has_a_bound),
        cmocka_unit_test(sink__ends_the_reading_by_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
