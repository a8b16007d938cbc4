#include "helpers.h"

#include "oxide/base/base64.h"

#include <string.h>

static void base64__is_that_of_the_rfc(void **state)
{
    /* RFC 4648, section 10, without padding */
    static const char *const rows[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf text = OX_BUF_INIT;
        struct ox_buf bytes = OX_BUF_INIT;

        assert_int_equal(ox_base64_encode(&text, rows[i][0], strlen(rows[i][0]), NULL), OX_OK);
        assert_int_equal(text.len_bytes, strlen(rows[i][1]));
        assert_true(text.len_bytes == 0 || memcmp(text.data, rows[i][1], text.len_bytes) == 0);
        assert_int_equal(ox_base64_decode(&bytes, rows[i][1], NULL), OX_OK);
        assert_int_equal(bytes.len_bytes, strlen(rows[i][0]));
        assert_true(bytes.len_bytes == 0 || memcmp(bytes.data, rows[i][0], bytes.len_bytes) == 0);
        ox_buf_clear(&text);
        ox_buf_clear(&bytes);
    }
}

static void base64__refuses_what_is_none(void **state)
{
    static const char *const texts[] = {"Z", "Zh", "Zm9", "Zg==", "Zm 8", "+/8", "Zm9vZ", "\xff"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ox_buf bytes = OX_BUF_INIT;

        assert_int_equal(ox_base64_decode(&bytes, texts[i], NULL), OX_EINVAL);
        ox_buf_clear(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64__is_that_of_the_rfc),
        cmocka_unit_test(base64__refuses_what_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
