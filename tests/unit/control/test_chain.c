#include "fixture.h"

#include "../../../src/control/chain.h"

#include "oxide/base/file.h"
#include "oxide/base/random.h"
#include "oxide/control/job.h"
#include "oxide/control/retention.h"

/* --- the search --- */

static struct ox_digest node(unsigned number)
{
    struct ox_digest out = {{(uint8_t)number, (uint8_t)(number >> 8)}};

    return out;
}

static struct ox_patch_row edge(unsigned from, unsigned to, uint64_t bytes)
{
    return (struct ox_patch_row){
        .base = node(from), .target = node(to), .patch_bytes = bytes, .ops = 1};
}

/* The path as text, "0-2" for the patches number 0 and 2; "" if there is none. */
static const char *path(const struct ox_patch_row *patches, size_t count, unsigned from,
                        unsigned to, size_t max_links, uint64_t below)
{
    static char text[128];
    const struct ox_digest base = node(from);
    const struct ox_digest target = node(to);
    size_t links[OX_CHAIN_MAX];
    size_t found = 0;

    assert_int_equal(
        ox_chain_cheapest(patches, count, &base, &target, 1, max_links, below, links, &found, NULL),
        OX_OK);
    text[0] = '\0';
    for (size_t i = 0; i < found; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%zu", i == 0 ? "" : "-",
                       links[i]);
    }
    return text;
}

static void cheapest__is_the_fewest_bytes_whatever_the_order(void **state)
{
    const struct ox_patch_row patches[] = {edge(2, 3, 10), edge(1, 2, 10), edge(1, 4, 1),
                                           edge(4, 3, 18), edge(3, 1, 1)};

    (void)state;
    assert_string_equal(path(patches, 5, 1, 3, 8, 1000), "2-3");
    assert_string_equal(path(patches, 5, 1, 3, 8, 20), "2-3");
    assert_string_equal(path(patches, 5, 1, 3, 8, 19), ""); /* not fewer */
    assert_string_equal(path(patches, 5, 1, 1, 8, 1000), "");
    assert_string_equal(path(patches, 5, 1, 9, 8, 1000), "");
    assert_string_equal(path(patches, 0, 1, 3, 8, 1000), "");
}

static void cheapest__a_direct_patch_is_no_chain(void **state)
{
    const struct ox_patch_row patches[] = {edge(1, 3, 15), edge(1, 2, 10), edge(2, 3, 10)};
    const struct ox_patch_row dear[] = {edge(1, 3, 25), edge(1, 2, 10), edge(2, 3, 10)};

    (void)state;
    assert_string_equal(path(patches, 3, 1, 3, 8, 1000), "");
    assert_string_equal(path(dear, 3, 1, 3, 8, 1000), "1-2");
}

static void cheapest__keeps_to_the_number_of_links(void **state)
{
    const struct ox_patch_row patches[] = {edge(1, 2, 1), edge(2, 3, 1), edge(3, 4, 1),
                                           edge(4, 5, 1), edge(1, 4, 50)};

    (void)state;
    assert_string_equal(path(patches, 5, 1, 5, 4, 1000), "0-1-2-3");
    assert_string_equal(path(patches, 5, 1, 5, 3, 1000), "4-3");
    assert_string_equal(path(patches, 5, 1, 5, 1, 1000), "");
}

static void cheapest__of_equal_ones_takes_the_shorter(void **state)
{
    const struct ox_patch_row patches[] = {edge(1, 2, 1), edge(2, 3, 1), edge(3, 4, 1),
                                           edge(2, 4, 2)};

    (void)state;
    assert_string_equal(path(patches, 4, 1, 4, 8, 1000), "0-3");
}

static void cheapest__leaves_out_what_the_reader_does_not_know(void **state)
{
    struct ox_patch_row patches[] = {edge(1, 2, 1), edge(2, 3, 1), edge(1, 4, 9), edge(4, 3, 9)};

    (void)state;
    patches[0].ops = 3;
    assert_string_equal(path(patches, 4, 1, 3, 8, 1000), "2-3");
}

static void cheapest__agrees_with_trying_all_paths(void **state)
{
    enum { NODES = 6, EDGES = 14 };
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (unsigned round = 0; round < 300; round++) {
        struct ox_patch_row patches[EDGES];
        uint64_t best = UINT64_MAX;
        size_t links[OX_CHAIN_MAX];
        size_t found = 0;
        uint64_t bytes = 0;
        const struct ox_digest base = node(0);
        const struct ox_digest target = node(NODES - 1);

        for (size_t i = 0; i < EDGES; i++) {
            patches[i] = edge((unsigned)ox_rng_below(&rng, NODES),
                              (unsigned)ox_rng_below(&rng, NODES), 1 + ox_rng_below(&rng, 30));
        }
        for (size_t a = 0; a < EDGES; a++) { /* all paths of up to three patches */
            for (size_t b = 0; b <= EDGES; b++) {
                for (size_t c = 0; c <= EDGES; c++) {
                    const size_t walk[3] = {a, b, c};
                    struct ox_digest at_node = base;
                    uint64_t sum = 0;
                    bool whole = !(b == EDGES && c < EDGES);

                    for (size_t i = 0; whole && i < 3 && walk[i] < EDGES; i++) {
                        whole = ox_digest_equal(&patches[walk[i]].base, &at_node);
                        at_node = patches[walk[i]].target;
                        sum += patches[walk[i]].patch_bytes;
                    }
                    if (whole && ox_digest_equal(&at_node, &target) && sum < best) {
                        best = sum;
                    }
                }
            }
        }
        assert_int_equal(ox_chain_cheapest(patches, EDGES, &base, &target, 1, 3, UINT64_MAX, links,
                                           &found, NULL),
                         OX_OK);
        for (size_t i = 0; i < found; i++) {
            bytes += patches[links[i]].patch_bytes;
        }
        if (found > 0) {
            assert_int_equal(bytes, best);
        } else { /* none, or one patch alone is the best */
            bool direct = best == UINT64_MAX;

            for (size_t i = 0; i < EDGES; i++) {
                direct = direct || (ox_digest_equal(&patches[i].base, &base) &&
                                    ox_digest_equal(&patches[i].target, &target) &&
                                    patches[i].patch_bytes == best);
            }
            assert_true(direct);
        }
    }
}

/* --- offers --- */

#define CHAINS                                                                                     \
    "\"agent\":\"oxide/0.1.0\",\"protocol\":1,\"reads\":\"oxdl/2; ops=ffffffff; chains=8\""

static json_t *beat_chains(struct fixture *fixture, const char *id, const char *version)
{
    return beat(fixture, id,
                "{" CHAINS ",\"status\":\"online\",\"models\":[{\"id\":\"m\",\"version\":\"%s\","
                "\"digest\":\"%s\"}]}",
                version, digest_hex(fixture, version));
}

/* v1, v2 and v3, each with the patch from the one before, and d0 that runs v1. */
static void three_versions(struct fixture *fixture)
{
    bool created = false;

    for (unsigned i = 1; i <= 3; i++) {
        char version[8];

        (void)snprintf(version, sizeof(version), "v%u", i);
        assert_int_equal(publish(fixture, version, 1, i * 10, &created), OX_OK);
    }
    make_deltas(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_chains(fixture, "d0", "v1"));
}

/* The job from v1 to v3, made when a campaign begins. */
#define DIRECT_JOB 3

static void job(struct fixture *fixture, enum ox_job_action action)
{
    json_t *out = NULL;

    assert_int_equal(ox_control_job_act(fixture->control, DIRECT_JOB, action, &out, NULL), OX_OK);
    json_decref(out);
}

static void offer__a_direct_patch_that_is_smaller_is_taken(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    three_versions(fixture);
    campaign(fixture, "v3", "all_at_once");
    make_deltas(fixture);
    tick(fixture, 10);
    answer = beat_chains(fixture, "d0", "v1");
    assert_true(json_is_object(at(answer, "assignments.0.patch")));
    assert_null(at(answer, "assignments.0.patches"));
    json_decref(answer);
}

static void offer__without_one_the_chain_is_taken_and_told(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    three_versions(fixture);
    campaign(fixture, "v3", "all_at_once");
    job(fixture, OX_JOB_CANCEL);
    tick(fixture, 10);
    answer = beat_chains(fixture, "d0", "v1");
    assert_true(json_is_null(at(answer, "assignments.0.patch")));
    assert_int_equal(json_array_size(at(answer, "assignments.0.patches")), 2);
    assert_string_equal(text_at(answer, "assignments.0.base.model_version"), "v1");
    assert_string_equal(text_at(answer, "assignments.0.patches.0.model_version"), "v2");
    assert_string_equal(text_at(answer, "assignments.0.patches.0.digest"),
                        digest_hex(fixture, "v2"));
    assert_int_equal(json_array_size(at(answer, "assignments.0.patches.0.files")), 1);
    assert_null(at(answer, "assignments.0.patches.1.files"));
    json_decref(answer);
}

static void offer__agents_that_know_no_chains_get_none(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    three_versions(fixture);
    json_decref(beat_running(fixture, "d0", "v1")); /* reads no chains */
    campaign(fixture, "v3", "all_at_once");
    job(fixture, OX_JOB_CANCEL);
    tick(fixture, 10);
    answer = beat_running(fixture, "d0", "v1");
    assert_true(json_is_null(at(answer, "assignments.0.patch")));
    assert_null(at(answer, "assignments.0.patches"));
    json_decref(answer);
}

static void offer__follows_patches_that_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    three_versions(fixture);
    campaign(fixture, "v3", "all_at_once");
    job(fixture, OX_JOB_CANCEL);
    tick(fixture, 10);
    answer = beat_chains(fixture, "d0", "v1");
    assert_int_equal(json_array_size(at(answer, "assignments.0.patches")), 2);
    json_decref(answer);
    job(fixture, OX_JOB_RETRY); /* it is asked from memory now, which has to notice */
    make_deltas(fixture);
    answer = beat_chains(fixture, "d0", "v1");
    assert_true(json_is_object(at(answer, "assignments.0.patch")));
    json_decref(answer);
}

static void offer__a_version_in_between_that_is_removed_is_no_way(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;
    json_t *out = NULL;

    three_versions(fixture);
    campaign(fixture, "v3", "all_at_once");
    job(fixture, OX_JOB_CANCEL);
    tick(fixture, 10);
    json_decref(beat_chains(fixture, "d0", "v1"));
    assert_int_equal(ox_control_version_remove(fixture->control, "m", "v2", NULL, &out, NULL),
                     OX_OK);
    json_decref(out);
    answer = beat_chains(fixture, "d0", "v1");
    assert_null(at(answer, "assignments.0.patches"));
    json_decref(answer);
}

static void offer__bytes_of_a_chain_count_for_its_campaign(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest patch;
    json_t *answer;

    three_versions(fixture);
    campaign(fixture, "v3", "all_at_once");
    job(fixture, OX_JOB_CANCEL);
    tick(fixture, 10);
    answer = beat_chains(fixture, "d0", "v1");
    assert_int_equal(
        ox_digest_parse(text_at(answer, "assignments.0.patches.0.sha256"), &patch, NULL), OX_OK);
    json_decref(answer);
    ox_control_served(fixture->control, "d0", &patch, 0, 1234);
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 1234);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cheapest__is_the_fewest_bytes_whatever_the_order),
        cmocka_unit_test(cheapest__a_direct_patch_is_no_chain),
        cmocka_unit_test(cheapest__keeps_to_the_number_of_links),
        cmocka_unit_test(cheapest__of_equal_ones_takes_the_shorter),
        cmocka_unit_test(cheapest__leaves_out_what_the_reader_does_not_know),
        cmocka_unit_test(cheapest__agrees_with_trying_all_paths),
        TEST(offer__a_direct_patch_that_is_smaller_is_taken),
        TEST(offer__without_one_the_chain_is_taken_and_told),
        TEST(offer__agents_that_know_no_chains_get_none),
        TEST(offer__follows_patches_that_come_and_go),
        TEST(offer__a_version_in_between_that_is_removed_is_no_way),
        TEST(offer__bytes_of_a_chain_count_for_its_campaign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
