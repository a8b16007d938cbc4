#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/crypto/artifact.h"
#include "oxide/crypto/sha256.h"

#include <stdlib.h>
#include <string.h>

static const struct ox_digest ones = {{1}};
static const struct ox_digest twos = {{2}};

static struct ox_digest digest_of(const struct ox_manifest *manifest)
{
    struct ox_digest digest;

    assert_int_equal(ox_artifact_digest(manifest, &digest, NULL), OX_OK);
    return digest;
}

static void digest__of_one_file_is_that_files(void **state)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_digest digest;

    (void)state;
    assert_int_equal(ox_manifest_add(&manifest, "any.name", 5, &twos, true, NULL), OX_OK);
    digest = digest_of(&manifest);
    assert_true(ox_digest_equal(&digest, &twos));
    ox_manifest_clear(&manifest);
}

static struct ox_manifest two_files(const char *second, uint64_t size, bool executable)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;

    assert_int_equal(ox_manifest_add(&manifest, "a", 5, &ones, false, NULL), OX_OK);
    assert_int_equal(ox_manifest_add(&manifest, second, size, &twos, executable, NULL), OX_OK);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    return manifest;
}

static void digest__of_several_is_that_of_the_canonical_text(void **state)
{
    struct ox_manifest manifest = two_files("b", 6, false);
    static const char text[] =
        "{\"files\":["
        "{\"mode\":\"0644\",\"path\":\"a\",\"sha256\":"
        "\"0100000000000000000000000000000000000000000000000000000000000000\",\"size\":5},"
        "{\"mode\":\"0644\",\"path\":\"b\",\"sha256\":"
        "\"0200000000000000000000000000000000000000000000000000000000000000\",\"size\":6}]}";
    struct ox_digest want;
    struct ox_digest digest = digest_of(&manifest);

    (void)state;
    assert_int_equal(ox_sha256_bytes(text, strlen(text), &want, NULL), OX_OK);
    assert_true(ox_digest_equal(&digest, &want));
    ox_manifest_clear(&manifest);
}

static void digest__depends_on_path_size_and_mode(void **state)
{
    struct ox_manifest manifests[] = {two_files("b", 6, false), two_files("c", 6, false),
                                      two_files("b", 7, false), two_files("b", 6, true)};
    struct ox_digest first = digest_of(&manifests[0]);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct ox_digest digest = digest_of(&manifests[i]);

        assert_int_equal(ox_digest_equal(&digest, &first), i == 0);
        ox_manifest_clear(&manifests[i]);
    }
}

static void digest__of_nothing_is_refused(void **state)
{
    struct ox_manifest none = OX_MANIFEST_INIT;
    struct ox_digest digest = {{9}};

    (void)state;
    assert_int_equal(ox_artifact_digest(&none, &digest, NULL), OX_EINVAL);
    assert_int_equal(digest.bytes[0], 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest__of_one_file_is_that_files),
        cmocka_unit_test(digest__of_several_is_that_of_the_canonical_text),
        cmocka_unit_test(digest__depends_on_path_size_and_mode),
        cmocka_unit_test(digest__of_nothing_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
