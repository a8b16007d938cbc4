#include "fixture.h"

#include "oxide/base/file.h"

/* Publish a variant of a version; what stands in front of "/" is its name. */
static void variant(struct fixture *fixture, const char *name, unsigned fill, const char *requires)
{
    const char *slash = strchr(name, '/');
    struct ox_publish *upload = NULL;
    json_t *meta = json_object();
    json_t *out = NULL;
    uint8_t *bytes = malloc(MODEL_BYTES);
    bool created = false;

    if (slash != NULL) {
        assert_int_equal(
            json_object_set_new(meta, "variant", json_stringn(name, (size_t)(slash - name))), 0);
    }
    if (requires != NULL) {
        assert_int_equal(json_object_set_new(meta, "requires", json_string(requires)), 0);
    }
    memset(bytes, (int)fill, MODEL_BYTES);
    assert_int_equal(ox_control_publish_begin(fixture->control, "m",
                                              slash == NULL ? name : slash + 1, MODEL_BYTES,
                                              &upload, NULL),
                     OX_OK);
    assert_int_equal(ox_control_publish_meta(upload, meta, NULL), OX_OK);
    assert_int_equal(ox_control_publish_write(upload, bytes, MODEL_BYTES, NULL), OX_OK);
    assert_int_equal(ox_control_publish_finish(upload, &created, &out, NULL), OX_OK);
    assert_true(created);
    json_decref(out);
    free(bytes);
}

static const char *variant_hex(struct fixture *fixture, const char *version, const char *name)
{
    static char hex[OX_DIGEST_HEX_MAX];
    json_t *out = NULL;

    assert_int_equal(ox_control_variant(fixture->control, "m", version, name, &out, NULL), OX_OK);
    (void)snprintf(hex, sizeof(hex), "%s", text_at(out, "sha256"));
    json_decref(out);
    return hex;
}

static json_t *beat_on(struct fixture *fixture, const char *id, const char *arch)
{
    return beat(fixture, id,
                "{" AGENT ",\"status\":\"online\",\"models\":[],\"platform\":{\"arch\":\"%s\","
                "\"os\":\"linux\",\"cpu_count\":4,\"total_memory_bytes\":4000000000}}",
                arch);
}

static void assert_assigned(struct fixture *fixture, const char *id, const char *arch,
                            const char *version, const char *name)
{
    json_t *answer = beat_on(fixture, id, arch);

    assert_string_equal(text_at(answer, "assignments.0.model_version"), version);
    assert_string_equal(text_at(answer, "assignments.0.digest"),
                        variant_hex(fixture, version, name));
    json_decref(answer);
}

#define ARM "platform.arch = \"aarch64\""

static void campaign__sends_each_device_its_own(void **state)
{
    struct fixture *fixture = *state;

    variant(fixture, "v1", 1, NULL);
    variant(fixture, "int8/v1", 2, ARM " and platform.total_memory_bytes < 8000000000");
    fleet(fixture, "f", 3);
    json_decref(beat_on(fixture, "d0", "aarch64"));
    json_decref(beat_on(fixture, "d1", "x86_64"));
    campaign(fixture, "v1", "all_at_once");
    make_deltas(fixture);
    tick(fixture, 10);
    assert_assigned(fixture, "d0", "aarch64", "v1", "int8");
    assert_assigned(fixture, "d1", "x86_64", "v1", "");
    assert_assigned(fixture, "d2", "aarch64", "v1", ""); /* nothing was known of it then */
    json_decref(beat(fixture, "d0",
                     "{" AGENT ",\"models\":[{\"id\":\"m\",\"version\":\"v1\",\"digest\":\"%s\"}]}",
                     variant_hex(fixture, "v1", "int8")));
    json_decref(beat(fixture, "d1",
                     "{" AGENT ",\"models\":[{\"id\":\"m\",\"version\":\"v1\",\"digest\":\"%s\"}]}",
                     variant_hex(fixture, "v1", "")));
    assert_device_state(fixture, "d0", "complete");
    assert_device_state(fixture, "d1", "complete");
}

static void campaign__skips_whom_none_is_for_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    variant(fixture, "q4/v1", 1, ARM);
    fleet(fixture, "f", 2);
    json_decref(beat_on(fixture, "d0", "aarch64"));
    json_decref(beat_on(fixture, "d1", "riscv64"));
    campaign(fixture, "v1", "all_at_once");
    assert_device_state(fixture, "d0", "pending");
    assert_device_state(fixture, "d1", "skipped");
    json = show(fixture);
    for (size_t i = 0; i < 2; i++) {
        const json_t *row = json_array_get(at(json, "devices"), i);

        if (strcmp(text_at(row, "device_id"), "d1") == 0) {
            assert_string_equal(text_at(row, "error"),
                                "no variant of m@v1 is for it: q4 requires " ARM);
        }
    }
    json_decref(json);
}

static void plan__tells_of_variants_and_why_devices_are_skipped(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v1\",\"fleet_id\":\"f\"}");
    json_t *pin = body("{\"reason\":\"under test\"}");
    json_t *plan = NULL;

    variant(fixture, "int8/v1", 2, "platform.arch = \"x86_64\"");
    variant(fixture, "q4/v1", 1, ARM);
    fleet(fixture, "f", 7);
    for (size_t i = 0; i < 7; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        json_decref(beat_on(fixture, id, i == 0 ? "x86_64" : i < 3 ? "aarch64" : "riscv64"));
    }
    for (size_t i = 5; i < 7; i++) {
        json_t *out = NULL;

        assert_int_equal(
            ox_control_device_pin(fixture->control, i == 5 ? "d5" : "d6", pin, &out, NULL), OX_OK);
        json_decref(out);
    }
    assert_int_equal(ox_control_campaign_plan(fixture->control, in, &plan, NULL), OX_OK);
    assert_int_equal(number_at(plan, "devices.to_update"), 3);
    assert_int_equal(number_at(plan, "devices.skipped"), 4);
    assert_int_equal(json_array_size(at(plan, "skips")), 2);
    assert_int_equal(number_at(plan, "skips.0.devices"), 2);
    assert_string_equal(text_at(plan, "skips.0.device_id"), "d3");
    assert_non_null(strstr(text_at(plan, "skips.0.why"), "no variant of m@v1 is for it: "));
    assert_int_equal(number_at(plan, "skips.1.devices"), 2);
    assert_string_equal(text_at(plan, "skips.1.why"), "pinned: under test");
    assert_int_equal(json_array_size(at(plan, "variants")), 2);
    assert_string_equal(text_at(plan, "variants.0.variant"), "q4");
    assert_string_equal(text_at(plan, "variants.0.sha256"), variant_hex(fixture, "v1", "q4"));
    assert_int_equal(number_at(plan, "variants.0.devices"), 2);
    assert_int_equal(number_at(plan, "variants.0.size_bytes"), MODEL_BYTES);
    assert_int_equal(number_at(plan, "variants.0.bytes"), 2 * MODEL_BYTES);
    assert_int_equal(number_at(plan, "variants.0.bytes_full"), 2 * MODEL_BYTES);
    assert_int_equal(number_at(plan, "variants.0.devices_not_known"), 0);
    assert_string_equal(text_at(plan, "variants.1.variant"), "int8");
    assert_int_equal(number_at(plan, "variants.1.devices"), 1);
    assert_string_equal(text_at(plan, "bases.0.variant"), "q4");
    json_decref(plan);
    json_decref(pin);
    json_decref(in);
}

static void campaign__another_variant_of_what_a_device_runs_is_an_update(void **state)
{
    struct fixture *fixture = *state;

    variant(fixture, "v1", 1, NULL);
    fleet(fixture, "f", 1);
    json_decref(beat_on(fixture, "d0", "aarch64"));
    json_decref(beat_running(fixture, "d0", "v1"));
    variant(fixture, "int8/v1", 2, ARM);
    campaign(fixture, "v1", "all_at_once");
    assert_device_state(fixture, "d0", "pending");
}

static void campaign__late_devices_get_their_own_too(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    variant(fixture, "v1", 1, "platform.arch = \"x86_64\"");
    variant(fixture, "int8/v1", 2, ARM);
    fleet(fixture, "f", 1);
    json_decref(beat_on(fixture, "d0", "x86_64"));
    campaign(fixture, "v1", "all_at_once");
    tick(fixture, 10);
    json_decref(beat(fixture, "d0",
                     "{" AGENT ",\"models\":[{\"id\":\"m\",\"version\":\"v1\",\"digest\":\"%s\"}]}",
                     variant_hex(fixture, "v1", "")));
    assert_campaign(fixture, "state", "complete");
    device(fixture, "arm");
    json_decref(beat_on(fixture, "arm", "aarch64"));
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "arm", &out, NULL), OX_OK);
    json_decref(out);
    assert_assigned(fixture, "arm", "aarch64", "v1", "int8");
    device(fixture, "mips");
    json_decref(beat_on(fixture, "mips", "mips"));
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "mips", &out, NULL), OX_OK);
    json_decref(out);
    assert_device_state(fixture, "mips", "skipped");
}

static void campaign__those_who_come_to_pass_a_fleets_filter_get_their_own_too(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"id\":\"f\",\"filter\":\"tag.site = \\\"graz\\\"\"}");
    json_t *out = NULL;
    bool created = false;

    variant(fixture, "v1", 1, "platform.arch = \"x86_64\"");
    variant(fixture, "int8/v1", 2, ARM);
    assert_int_equal(ox_control_fleet_create(fixture->control, in, &out, NULL), OX_OK);
    json_decref(in);
    json_decref(out);
    in = body("{\"id\":\"d0\",\"tags\":{\"site\":\"graz\"}}");
    assert_int_equal(ox_control_device_register(fixture->control, in, &created, &out, NULL), OX_OK);
    json_decref(in);
    json_decref(out);
    json_decref(beat_on(fixture, "d0", "x86_64"));
    campaign(fixture, "v1", "all_at_once");
    tick(fixture, 10);
    json_decref(beat(fixture, "d0",
                     "{" AGENT ",\"models\":[{\"id\":\"m\",\"version\":\"v1\",\"digest\":\"%s\"}]}",
                     variant_hex(fixture, "v1", "")));
    assert_campaign(fixture, "state", "complete");
    for (size_t i = 0; i < 2; i++) {
        const char *const ids[] = {"arm", "mips"};
        const char *const arches[] = {"aarch64", "mips"};

        device(fixture, ids[i]);
        json_decref(beat_on(fixture, ids[i], arches[i]));
        in = body("{\"id\":\"%s\",\"tags\":{\"site\":\"graz\"}}", ids[i]);
        assert_int_equal(ox_control_device_register(fixture->control, in, &created, &out, NULL),
                         OX_OK);
        json_decref(in);
        json_decref(out);
    }
    fixture->now_ms += 60000;
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_assigned(fixture, "arm", "aarch64", "v1", "int8");
    assert_device_state(fixture, "mips", "skipped");
}

static void first_generation__gets_what_stands_for_the_version_or_nothing(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    variant(fixture, "v1", 1, NULL);
    variant(fixture, "int8/v1", 2, "tag.small = \"yes\"");
    fleet(fixture, "f", 1);
    json_decref(beat(fixture, "d0", "{\"status\":\"online\"}"));
    {
        json_t *in = body("{\"id\":\"d0\",\"tags\":{\"small\":\"yes\"}}");
        json_t *out = NULL;
        bool created = false;

        assert_int_equal(ox_control_device_register(fixture->control, in, &created, &out, NULL),
                         OX_OK);
        json_decref(in);
        json_decref(out);
    }
    campaign(fixture, "v1", "all_at_once");
    tick(fixture, 10);
    answer = beat(fixture, "d0", "{\"status\":\"online\"}");
    assert_string_equal(text_at(answer, "assigned_model_version"), "v1");
    json_decref(answer);
    json_decref(beat(fixture, "d0",
                     "{\"current_model\":\"m\",\"current_model_version\":\"v1\","
                     "\"last_update_result\":\"success\"}"));
    assert_device_state(fixture, "d0", "complete");
}

static void requires__is_refused_where_it_does_not_parse_or_is_about_how_devices_do(void **state)
{
    static const char *const texts[] = {"platform.arch =", "", "status = \\\"online\\\"",
                                        "nonsense"};
    struct fixture *fixture = *state;

    variant(fixture, "v1", 1, NULL);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *in = body("{\"requires\":\"%s\"}", texts[i]);
        json_t *out = NULL;
        struct ox_err err = OX_ERR_INIT;

        assert_int_equal(ox_control_version_patch(fixture->control, "m", "v1", in, &out, &err),
                         OX_EINVAL);
        json_decref(in);
    }
}

static void publish__makes_deltas_for_devices_of_the_same_variant(void **state)
{
    struct fixture *fixture = *state;
    struct ox_job_row job;
    struct ox_digest base;
    struct ox_digest target;
    struct ox_tx tx = OX_TX_INIT;

    variant(fixture, "v1", 1, NULL);
    variant(fixture, "int8/v1", 2, ARM);
    device(fixture, "cam");
    json_decref(beat(fixture, "cam",
                     "{" AGENT ",\"models\":[{\"id\":\"m\",\"version\":\"v1\",\"digest\":\"%s\"}]}",
                     variant_hex(fixture, "v1", "int8")));
    variant(fixture, "v2", 3, NULL);
    variant(fixture, "int8/v2", 4, ARM);
    assert_int_equal(ox_digest_parse(variant_hex(fixture, "v1", "int8"), &base, NULL), OX_OK);
    assert_int_equal(ox_digest_parse(variant_hex(fixture, "v2", "int8"), &target, NULL), OX_OK);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_job_get(&tx, &base, &target, "oxdl/2", &job, NULL), OX_OK);
    assert_int_equal(job.waiting, 1);
    assert_int_equal(ox_digest_parse(variant_hex(fixture, "v2", ""), &target, NULL), OX_OK);
    assert_int_equal(ox_registry_job_get(&tx, &base, &target, "oxdl/2", &job, NULL), OX_ENOTFOUND);
    ox_registry_end(&tx);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(campaign__sends_each_device_its_own),
        TEST(campaign__skips_whom_none_is_for_and_says_so),
        TEST(plan__tells_of_variants_and_why_devices_are_skipped),
        TEST(campaign__another_variant_of_what_a_device_runs_is_an_update),
        TEST(campaign__late_devices_get_their_own_too),
        TEST(campaign__those_who_come_to_pass_a_fleets_filter_get_their_own_too),
        TEST(first_generation__gets_what_stands_for_the_version_or_nothing),
        TEST(requires__is_refused_where_it_does_not_parse_or_is_about_how_devices_do),
        TEST(publish__makes_deltas_for_devices_of_the_same_variant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
