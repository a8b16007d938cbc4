#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/crypto/hmac.h"

#include <string.h>

static void assert_hmac(const void *key, size_t key_bytes, const void *message,
                        size_t message_bytes, const char *expected)
{
    struct ox_digest digest;
    char hex[OX_DIGEST_HEX_MAX];

    assert_int_equal(ox_hmac_sha256(key, key_bytes, message, message_bytes, &digest, NULL), OX_OK);
    assert_string_equal(ox_digest_hex(&digest, hex), expected);
}

/* RFC 4231, section 4; case 5 is about truncation. */
static void hmac__is_that_of_rfc_4231(void **state)
{
    static const char *const what = "what do ya want for nothing?";
    static const char *const hi = "Hi There";
    static const char *const large = "Test Using Larger Than Block-Size Key - Hash Key First";
    static const char *const both =
        "This is a test using a larger than block-size key and a larger than block-size data. The "
        "key needs to be hashed before being used by the HMAC algorithm.";
    uint8_t key[131];
    uint8_t data[50];

    (void)state;
    memset(key, 0x0b, sizeof(key));
    assert_hmac(key, 20, hi, strlen(hi),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac("Jefe", 4, what, strlen(what),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    memset(data, 0xdd, sizeof(data));
    assert_hmac(key, 20, data, sizeof(data),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (uint8_t i = 0; i < 25; i++) {
        key[i] = (uint8_t)(i + 1);
    }
    memset(data, 0xcd, sizeof(data));
    assert_hmac(key, 25, data, sizeof(data),
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    memset(key, 0xaa, sizeof(key));
    assert_hmac(key, 131, large, strlen(large),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hmac(key, 131, both, strlen(both),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* The key's length at which it is hashed, and nothing at all. */
static void hmac__of_edges(void **state)
{
    uint8_t key[65];

    (void)state;
    memset(key, 'k', sizeof(key));
    assert_hmac("", 0, "", 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_hmac(key, 64, "m", 1,
                "3b7a8d453e76edb519238a515105a57508d0f169f480ebeee120a9e7803289fa");
    assert_hmac(key, 65, "m", 1,
                "c2d7d4c2256ddb097409ec0c67e1d58fa1a007fc6932cac0d892a525d08af7cc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac__is_that_of_rfc_4231),
        cmocka_unit_test(hmac__of_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
