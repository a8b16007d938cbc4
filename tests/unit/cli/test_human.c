#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/human.h"
#include "../../../src/cli/progress.h"
#include "../../../src/cli/table.h"

#include <stdlib.h>
#include <string.h>

static void numbers__have_commas(void **state)
{
    char out[OX_HUMAN_MAX];

    (void)state;
    assert_string_equal(ox_human_count(0, out), "0");
    assert_string_equal(ox_human_count(999, out), "999");
    assert_string_equal(ox_human_count(1000, out), "1,000");
    assert_string_equal(ox_human_count(2143752, out), "2,143,752");
    assert_string_equal(ox_human_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
}

static void sizes__keep_one_digit(void **state)
{
    char out[OX_HUMAN_MAX];

    (void)state;
    assert_string_equal(ox_human_size(0, out), "0 B");
    assert_string_equal(ox_human_size(999, out), "999 B");
    assert_string_equal(ox_human_size(1000, out), "1.0 kB");
    assert_string_equal(ox_human_size(2143752, out), "2.1 MB");
    assert_string_equal(ox_human_size(999949, out), "999.9 kB");
    assert_string_equal(ox_human_size(999950, out), "1.0 MB");
    assert_string_equal(ox_human_size(UINT64_MAX, out), "18.4 EB");
    assert_string_equal(ox_human_bytes(1, out), "1 byte");
    assert_string_equal(ox_human_bytes(2143752, out), "2,143,752 bytes (2.1 MB)");
    assert_string_equal(ox_human_bytes(UINT64_MAX, out),
                        "18,446,744,073,709,551,615 bytes (18.4 EB)");
}

static void durations__change_unit(void **state)
{
    char out[OX_HUMAN_MAX];

    (void)state;
    assert_string_equal(ox_human_duration(0, out), "0 ms");
    assert_string_equal(ox_human_duration(999, out), "999 ms");
    assert_string_equal(ox_human_duration(7349, out), "7.3 s");
    assert_string_equal(ox_human_duration(125000, out), "2 min 05 s");
    assert_string_equal(ox_human_duration(12000000, out), "3 h 20 min");
}

static void shapes__are_told_or_cut(void **state)
{
    static const uint64_t shape[] = {512, 3, 7, UINT64_MAX};
    char out[64];

    (void)state;
    assert_string_equal(ox_human_shape(shape, 0, out, sizeof(out)), "scalar");
    assert_string_equal(ox_human_shape(shape, 1, out, sizeof(out)), "512");
    assert_string_equal(ox_human_shape(shape, 3, out, sizeof(out)), "512 x 3 x 7");
    assert_string_equal(ox_human_shape(shape, 4, out, sizeof(out)),
                        "512 x 3 x 7 x 18446744073709551615");
    assert_string_equal(ox_human_shape(shape, 4, out, 32), "512 x 3 x 7");
}

static void cut__leaves_both_ends(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *cut;
    } rows[] = {
        {"short", 5, "short"},
        {"longer", 5, "l...r"},
        {"model.layers.0.weight", 12, "mode...eight"},
        {"\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc", 5, "\u00e4...\u00fc"},
        {"", 5, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%s", rows[i].text);
        ox_human_cut(text, rows[i].columns);
        assert_string_equal(text, rows[i].cut);
    }
}

static void saved__never_rounds_up(void **state)
{
    char out[OX_HUMAN_MAX];

    (void)state;
    assert_string_equal(ox_human_saved(1, 1000000, out), "99.9 %");
    assert_string_equal(ox_human_saved(0, 10, out), "100.0 %");
    assert_string_equal(ox_human_saved(9412, 2143752, out), "99.5 %");
    assert_string_equal(ox_human_saved(10, 10, out), "0.0 %");
    assert_string_equal(ox_human_saved(20, 10, out), "0.0 %");
    assert_string_equal(ox_human_saved(0, 0, out), "0.0 %");
}

static void table__aligns_by_code_points(void **state)
{
    static const struct ox_column columns[] = {{"NAME", OX_LEFT}, {"N", OX_RIGHT}, {"X", OX_LEFT}};
    struct ox_table table;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    ox_table_init(&table, columns, 3);
    ox_table_cell(&table, "Stra\xc3\x9f"
                          "e");
    ox_table_cellf(&table, "%d", 7);
    ox_table_cell(&table, "a");
    ox_table_cell(&table, NULL);
    ox_table_cellf(&table, "%d", 1234);
    ox_table_cell(&table, "bcd");
    assert_int_equal(ox_table_print(&table, out, false, NULL), OX_OK);
    ox_table_clear(&table);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "NAME       N  X\n"
                              "Stra\xc3\x9f"
                              "e     7  a\n"
                              "-       1234  bcd\n");
    free(text);
}

static void table__cleans_what_a_terminal_obeys(void **state)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    struct ox_table table;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    ox_table_init(&table, columns, 2);
    ox_table_cell(&table, "a\x1b[31mb\xc2\x9b\n");
    ox_table_cell(&table, "c\xff");
    assert_int_equal(ox_table_print(&table, out, false, NULL), OX_OK);
    ox_table_clear(&table);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "a [31mb     c?\n");
    free(text);
}

static void table__prints_headings_alone(void **state)
{
    static const struct ox_column columns[] = {{"NAME", OX_LEFT}, {"N", OX_RIGHT}};
    struct ox_table table;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    ox_table_init(&table, columns, 2);
    assert_int_equal(ox_table_print(&table, out, true, NULL), OX_OK);
    ox_table_clear(&table);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "\033[1mNAME  N\033[0m\n");
    free(text);
}

static int64_t fake_mono_ms(void *ctx)
{
    return *(int64_t *)ctx;
}

static char *bar_text(bool terminal, int64_t took_ms, bool success)
{
    int64_t now = 1000;
    const struct ox_clock clock = {&now, fake_mono_ms, fake_mono_ms};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct ox_bar bar;

    ox_bar_start(&bar, "hashing", out, terminal, &clock);
    ox_progress_update(&bar.progress, 0, 4000000);
    now += took_ms / 2;
    ox_progress_update(&bar.progress, 2000000, 4000000);
    now += took_ms / 2;
    ox_progress_update(&bar.progress, 4000000, 4000000);
    ox_bar_end(&bar, success);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void bar__is_silent_when_work_is_short(void **state)
{
    char *text = bar_text(true, 100, true);

    (void)state;
    assert_string_equal(text, "");
    free(text);
}

static void bar__prints_one_line_without_a_terminal(void **state)
{
    char *text = bar_text(false, 4000, true);

    (void)state;
    assert_string_equal(text, "hashing: 4.0 MB in 4.0 s, 1.0 MB/s\n");
    free(text);
    text = bar_text(false, 4000, false);
    assert_string_equal(text, "");
    free(text);
}

static void bar__shows_rate_and_time_left_on_a_terminal(void **state)
{
    char *text = bar_text(true, 4000, true);

    (void)state;
    assert_non_null(strstr(text, " 50 %  2.0 MB of 4.0 MB  1.0 MB/s  left 2.0 s"));
    assert_non_null(strstr(text, "\r\033[Khashing: 4.0 MB in 4.0 s"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers__have_commas),
        cmocka_unit_test(sizes__keep_one_digit),
        cmocka_unit_test(durations__change_unit),
        cmocka_unit_test(shapes__are_told_or_cut),
        cmocka_unit_test(cut__leaves_both_ends),
        cmocka_unit_test(saved__never_rounds_up),
        cmocka_unit_test(table__aligns_by_code_points),
        cmocka_unit_test(table__cleans_what_a_terminal_obeys),
        cmocka_unit_test(table__prints_headings_alone),
        cmocka_unit_test(bar__is_silent_when_work_is_short),
        cmocka_unit_test(bar__prints_one_line_without_a_terminal),
        cmocka_unit_test(bar__shows_rate_and_time_left_on_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
