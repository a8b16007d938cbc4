#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/random.h"
#include "oxide/crypto/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_hex(const struct ox_digest *digest, const char *want)
{
    char hex[OX_DIGEST_HEX_MAX];

    assert_string_equal(ox_digest_hex(digest, hex), want);
}

/* FIPS 180-4 example vectors (NIST, "SHA256.pdf"), and the empty message. */
static const struct {
    const char *text, *hex;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
     "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void bytes__give_the_published_digests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct ox_digest digest;

        assert_int_equal(ox_sha256_bytes(vectors[i].text, strlen(vectors[i].text), &digest, NULL),
                         OX_OK);
        assert_hex(&digest, vectors[i].hex);
    }
}

static void stream__of_a_million_gives_the_published_digest(void **state)
{
    struct ox_sha256 hash = {NULL};
    struct ox_digest digest;
    char block[1000];

    (void)state;
    memset(block, 'a', sizeof(block));
    assert_int_equal(ox_sha256_init(&hash, NULL), OX_OK);
    for (int i = 0; i < 1000; i++) {
        ox_sha256_update(&hash, block, sizeof(block));
    }
    ox_sha256_final(&hash, &digest);
    assert_hex(&digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    ox_sha256_clear(&hash); /* after final it is fine, and does nothing */
}

static void stream__in_every_split_equals_one_shot(void **state)
{
    uint8_t bytes[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 0; len <= sizeof(bytes); len += 13) {
        struct ox_digest whole;

        assert_int_equal(ox_sha256_bytes(bytes, len, &whole, NULL), OX_OK);
        for (size_t cut = 0; cut <= len; cut++) {
            struct ox_sha256 hash = {NULL};
            struct ox_digest digest;

            assert_int_equal(ox_sha256_init(&hash, NULL), OX_OK);
            ox_sha256_update(&hash, bytes, cut);
            ox_sha256_update(&hash, bytes + cut, len - cut);
            ox_sha256_final(&hash, &digest);
            assert_true(ox_digest_equal(&digest, &whole));
        }
    }
}

static void peek__shows_and_goes_on(void **state)
{
    struct ox_sha256 hash = {NULL};
    struct ox_digest digest;

    (void)state;
    assert_int_equal(ox_sha256_init(&hash, NULL), OX_OK);
    assert_int_equal(ox_sha256_peek(&hash, &digest, NULL), OX_OK);
    assert_hex(&digest, vectors[0].hex);
    ox_sha256_update(&hash, "abc", 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ox_sha256_peek(&hash, &digest, NULL), OX_OK);
        assert_hex(&digest, vectors[1].hex);
    }
    ox_sha256_update(&hash, vectors[2].text + 3, strlen(vectors[2].text) - 3);
    ox_sha256_final(&hash, &digest);
    assert_hex(&digest, vectors[2].hex);
}

static void clear__of_a_running_hash_frees_it(void **state)
{
    struct ox_sha256 hash = {NULL};

    (void)state;
    ox_sha256_clear(&hash);
    assert_int_equal(ox_sha256_init(&hash, NULL), OX_OK);
    ox_sha256_update(&hash, "abc", 3);
    ox_sha256_clear(&hash);
    assert_null(hash.ctx);
}

struct watch {
    struct ox_stop *stop_at_once;
    uint64_t last, total;
    int calls;
};

static void watch_update(void *ctx, uint64_t done, uint64_t total)
{
    struct watch *watch = ctx;

    assert_true(done > watch->last && done <= total);
    watch->last = done;
    watch->total = total;
    watch->calls++;
    if (watch->stop_at_once != NULL) {
        ox_stop_request(watch->stop_at_once);
    }
}

static void source__is_hashed_in_blocks_with_progress(void **state)
{
    size_t len = 1000000;
    uint8_t *bytes = malloc(len);
    struct ox_memory memory = {bytes, len};
    struct ox_source source = ox_memory_source(&memory);
    struct watch watch = {NULL, 0, 0, 0};
    struct ox_progress progress = {&watch, watch_update};
    struct ox_digest digest;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'a', len);
    assert_int_equal(ox_sha256_source(&source, NULL, &progress, &digest, NULL), OX_OK);
    assert_hex(&digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(watch.last, len);
    assert_int_equal(watch.total, len);
    assert_true(watch.calls > 1);
    free(bytes);
}

static void source__stops_on_request(void **state)
{
    uint8_t *bytes = calloc(1, 1000000);
    struct ox_memory memory = {bytes, 1000000};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_stop stop;
    struct watch watch = {&stop, 0, 0, 0};
    struct ox_progress progress = {&watch, watch_update};
    struct ox_digest digest = {{9}};

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    assert_int_equal(ox_sha256_source(&source, &stop, &progress, &digest, NULL), OX_ECANCELED);
    assert_int_equal(watch.calls, 1);
    assert_int_equal(digest.bytes[0], 9);
    ox_stop_clear(&stop);
    free(bytes);
}

static enum ox_code broken_read(void *ctx, uint64_t offset, void *out, size_t len,
                                struct ox_err *err)
{
    (void)ctx;
    (void)out;
    (void)len;
    return offset == 0 ? OX_OK : ox_err_set(err, OX_EIO, "broken");
}

static void source__passes_errors_on(void **state)
{
    struct ox_source source = {NULL, 1 << 20, broken_read};
    struct ox_digest digest = {{9}};

    (void)state;
    assert_int_equal(ox_sha256_source(&source, NULL, NULL, &digest, NULL), OX_EIO);
    assert_int_equal(digest.bytes[0], 9);
}

static void file__is_hashed_with_its_size(void **state)
{
    char path[] = "/tmp/oxide-test-XXXXXX";
    int fd = mkstemp(path);
    struct ox_digest digest;
    uint64_t size = 0;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    (void)close(fd);
    assert_int_equal(ox_sha256_file(path, &digest, &size, NULL), OX_OK);
    assert_hex(&digest, vectors[1].hex);
    assert_int_equal(size, 3);
    assert_int_equal(ox_sha256_file(path, &digest, NULL, NULL), OX_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ox_sha256_file(path, &digest, &size, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_sha256_file("/tmp", &digest, &size, NULL), OX_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes__give_the_published_digests),
        cmocka_unit_test(stream__of_a_million_gives_the_published_digest),
        cmocka_unit_test(stream__in_every_split_equals_one_shot),
        cmocka_unit_test(peek__shows_and_goes_on),
        cmocka_unit_test(clear__of_a_running_hash_frees_it),
        cmocka_unit_test(source__is_hashed_in_blocks_with_progress),
        cmocka_unit_test(source__stops_on_request),
        cmocka_unit_test(source__passes_errors_on),
        cmocka_unit_test(file__is_hashed_with_its_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
