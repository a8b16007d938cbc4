#include "oxide/wire/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static enum ox_code parse(const char *text, struct ox_heartbeat *out)
{
    *out = (struct ox_heartbeat){0};
    return ox_heartbeat_parse(text, strlen(text), out, NULL);
}

static void refuses(const char *text)
{
    struct ox_heartbeat heartbeat;

    assert_int_equal(parse(text, &heartbeat), OX_EINVAL);
}

static void request__empty_body_says_nothing(void **state)
{
    struct ox_heartbeat heartbeat;

    (void)state;
    assert_int_equal(parse("", &heartbeat), OX_OK);
    assert_int_equal(heartbeat.current_model.presence, OX_ABSENT);
    assert_int_equal(heartbeat.models_presence, OX_ABSENT);
    assert_int_equal(heartbeat.protocol, 0);
    assert_int_equal(parse("{}", &heartbeat), OX_OK);
    assert_int_equal(heartbeat.status_presence, OX_ABSENT);
    ox_heartbeat_clear(&heartbeat);
}

static void request__reads_the_first_generation(void **state)
{
    struct ox_heartbeat heartbeat;

    (void)state;
    assert_int_equal(
        parse(
            "{\"current_model\":\"defect\",\"current_model_version\":\"v1\",\"status\":\"online\","
            "\"last_update_result\":{\"failed\":{\"error\":\"no\"}},"
            "\"metrics\":{\"inference_count\":3}}",
            &heartbeat),
        OX_OK);
    assert_string_equal(heartbeat.current_model.value, "defect");
    assert_string_equal(heartbeat.current_version.value, "v1");
    assert_int_equal(heartbeat.status, OX_DEVICE_ONLINE);
    assert_true(heartbeat.result_failed);
    assert_string_equal(heartbeat.result_error, "no");
    assert_non_null(heartbeat.metrics);
    ox_heartbeat_clear(&heartbeat);
}

static void request__null_is_none_and_absent_is_unchanged(void **state)
{
    struct ox_heartbeat heartbeat;

    (void)state;
    assert_int_equal(
        parse("{\"current_model\":null,\"models\":null,\"last_update_result\":null}", &heartbeat),
        OX_OK);
    assert_int_equal(heartbeat.current_model.presence, OX_NULL);
    assert_int_equal(heartbeat.current_version.presence, OX_ABSENT);
    assert_int_equal(heartbeat.models_presence, OX_NULL);
    assert_int_equal(heartbeat.result_presence, OX_NULL);
    ox_heartbeat_clear(&heartbeat);
}

static void request__ignores_unknown_fields(void **state)
{
    struct ox_heartbeat heartbeat;

    (void)state;
    assert_int_equal(parse("{\"mood\":[1,{}],\"protocol\":7}", &heartbeat), OX_OK);
    assert_int_equal(heartbeat.protocol, 7);
    ox_heartbeat_clear(&heartbeat);
}

static void request__refuses_unknown_meanings(void **state)
{
    (void)state;
    refuses("{\"status\":\"sleeping\"}");
    refuses("{\"status\":3}");
    refuses("{\"last_update_result\":\"maybe\"}");
    refuses("{\"last_update_result\":{\"odd\":1}}");
    refuses("{\"current_model\":\"a/b\"}");
    refuses("{\"protocol\":-1}");
    refuses("{\"reads\":\"oxdl/2; ops=q\"}");
    refuses("{\"metrics\":[]}");
    refuses("[]");
    refuses("{\"status\":\"online\"");
}

static void request__refuses_odd_models(void **state)
{
    (void)state;
    refuses("{\"models\":{}}");
    refuses("{\"models\":[3]}");
    refuses("{\"models\":[{\"id\":\"a\",\"version\":\"v\"}]}");
    refuses("{\"models\":[{\"id\":\"a\",\"version\":\"v\",\"digest\":\"12\"}]}");
    refuses("{\"models\":[{\"id\":\"a\",\"version\":\"v\",\"digest\":\"" HEX_A "\"},"
            "{\"id\":\"a\",\"version\":\"w\",\"digest\":\"" HEX_B "\"}]}");
}

static void request__refuses_odd_reports(void **state)
{
    (void)state;
    refuses("{\"reports\":[{\"seq\":0,\"model_id\":\"a\",\"model_version\":\"v\","
            "\"state\":\"failed\"}]}");
    refuses("{\"reports\":[{\"seq\":1,\"model_id\":\"a\",\"model_version\":\"v\","
            "\"state\":\"pending\"}]}");
    refuses("{\"reports\":[{\"seq\":1,\"model_id\":\"a\",\"model_version\":\"v\","
            "\"state\":\"done\"}]}");
    refuses("{\"reports\":[{\"seq\":1,\"model_id\":\"a\",\"model_version\":\"v\","
            "\"state\":\"failed\",\"strategy\":\"magic\"}]}");
    refuses("{\"reports\":[{\"seq\":1,\"model_id\":\"a\",\"model_version\":\"v\","
            "\"state\":\"failed\",\"error\":\"words\"}]}");
    refuses("{\"reports\":[{\"seq\":1,\"state\":\"failed\"}]}");
}

static void request__bounds_its_lists(void **state)
{
    struct ox_buf text = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_buf_printf(&text, NULL, "{\"reports\":["), OX_OK);
    for (int i = 0; i <= OX_HEARTBEAT_REPORTS_MAX; i++) {
        assert_int_equal(ox_buf_printf(&text, NULL,
                                       "%s{\"seq\":%d,\"model_id\":\"a\",\"model_version\":\"v\","
                                       "\"state\":\"complete\"}",
                                       i == 0 ? "" : ",", i + 1),
                         OX_OK);
    }
    assert_int_equal(ox_buf_printf(&text, NULL, "]}"), OX_OK);
    refuses((const char *)text.data);
    ox_buf_clear(&text);
}

#define REPORT "{\"seq\":1,\"model_id\":\"a\",\"model_version\":\"v\",\"state\":\"failed\","

static void request__of_what_a_report_says_beside_the_result(void **state)
{
    static const char *const wrong[] = {
        "\"stage\":3",
        "\"stage\":\"0123456789012345678901234567890123\"",
        "\"sources\":[]",
        "\"sources\":{\"mirror\":-1}",
        "\"stages_ms\":3",
        "\"stages_ms\":{\"check\":-1}",
        "\"stages_ms\":{\"check\":9007199254740993}",
        "\"stages_ms\":{\"check\":\"1\"}",
        "\"stages_ms\":{\"check\":1.5}",
        "\"stages_ms\":{\"0123456789012345678901234567890123\":1}",
        "\"stages_ms\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,"
        "\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}",
    };
    struct ox_heartbeat heartbeat;
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)snprintf(text, sizeof(text), "{\"reports\":[" REPORT "%s}]}", wrong[i]);
        refuses(text);
    }
    /* a source that is not known yet is passed by, and null is not said */
    assert_int_equal(parse("{\"reports\":[" REPORT "\"sources\":{\"peer\":5,\"mirror\":7},"
                           "\"stages_ms\":null,\"stage\":null}]}",
                           &heartbeat),
                     OX_OK);
    assert_int_equal(heartbeat.reports[0].origins[OX_ORIGIN_MIRROR], 7);
    assert_null(heartbeat.reports[0].stages_ms);
    assert_null(heartbeat.reports[0].stage);
    ox_heartbeat_clear(&heartbeat);
}

static void request__round_trip(void **state)
{
    struct ox_device_model model = {(char *)"defect", (char *)"v1", {{0xaa}}};
    struct ox_device_report report = {.seq = 9,
                                      .campaign_id = (char *)"c-1",
                                      .model_id = (char *)"defect",
                                      .version = (char *)"v2",
                                      .state = OX_ROLLOUT_FAILED,
                                      .error_code = (char *)"health",
                                      .error_message = (char *)"status 3",
                                      .strategy = (char *)"delta",
                                      .bytes_received = 1263,
                                      .stage = (char *)"check",
                                      .bytes_full = 2143752,
                                      .origins = {0, 1000, 263, 0},
                                      .duration_ms = 77,
                                      .stages_ms =
                                          json_pack("{s:i, s:i}", "download", 70, "check", 7)};
    struct ox_heartbeat out = {.current_model = {OX_PRESENT, (char *)"defect"},
                               .current_version = {OX_NULL, NULL},
                               .status_presence = OX_PRESENT,
                               .status = OX_DEVICE_UPDATING,
                               .result_presence = OX_PRESENT,
                               .agent = (char *)"oxide/0.1.0",
                               .protocol = OX_PROTOCOL_VERSION,
                               .reads_presence = OX_PRESENT,
                               .reads = {true, true, 0x3f},
                               .models_presence = OX_PRESENT,
                               .models = &model,
                               .models_count = 1,
                               .reports = &report,
                               .reports_count = 1};
    struct ox_heartbeat back;
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_heartbeat_build(&out, &text, NULL), OX_OK);
    assert_int_equal(parse(text, &back), OX_OK);
    assert_string_equal(back.current_model.value, "defect");
    assert_int_equal(back.current_version.presence, OX_NULL);
    assert_int_equal(back.status, OX_DEVICE_UPDATING);
    assert_int_equal(back.result_presence, OX_PRESENT);
    assert_false(back.result_failed);
    assert_string_equal(back.agent, "oxide/0.1.0");
    assert_int_equal(back.reads.oxdl2_ops, 0x3f);
    assert_int_equal(back.models_count, 1);
    assert_true(ox_digest_equal(&back.models[0].digest, &model.digest));
    assert_int_equal(back.reports_count, 1);
    assert_int_equal(back.reports[0].seq, 9);
    assert_string_equal(back.reports[0].campaign_id, "c-1");
    assert_int_equal(back.reports[0].state, OX_ROLLOUT_FAILED);
    assert_string_equal(back.reports[0].error_message, "status 3");
    assert_string_equal(back.reports[0].strategy, "delta");
    assert_int_equal(back.reports[0].bytes_received, 1263);
    assert_int_equal(back.reports[0].duration_ms, 77);
    assert_string_equal(back.reports[0].stage, "check");
    assert_memory_equal(back.reports[0].origins, report.origins, sizeof(report.origins));
    assert_true(json_equal(back.reports[0].stages_ms, report.stages_ms));
    ox_heartbeat_clear(&back);
    json_decref(report.stages_ms);
    free(text);
}

static void request__one_that_says_nothing_is_an_empty_object(void **state)
{
    const struct ox_heartbeat nothing = {0};
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_heartbeat_build(&nothing, &text, NULL), OX_OK);
    assert_string_equal(text, "{}");
    free(text);
}

/* --- the answer --- */

static enum ox_code parse_answer(const char *text, struct ox_heartbeat_answer *out,
                                 struct ox_err *err)
{
    *out = (struct ox_heartbeat_answer){0};
    return ox_heartbeat_answer_parse(text, strlen(text), out, err);
}

static void answer__of_the_first_generation_tells_no_assignments(void **state)
{
    struct ox_heartbeat_answer answer;

    (void)state;
    assert_int_equal(parse_answer("{\"status\":\"ok\",\"assigned_model\":\"m\","
                                  "\"assigned_model_version\":\"v\"}",
                                  &answer, NULL),
                     OX_OK);
    assert_false(answer.assignments_present);
    assert_false(answer.reports_ack_present);
    assert_string_equal(answer.assigned_version, "v");
    ox_heartbeat_answer_clear(&answer);
}

static void fill(struct ox_heartbeat_answer *answer, struct ox_assignment *assignment)
{
    const struct ox_digest file = {{1, 2, 3}};

    *assignment = (struct ox_assignment){.campaign_id = (char *)"c",
                                         .model_id = (char *)"m",
                                         .version = (char *)"v2",
                                         .digest = {{1, 2, 3}},
                                         .base_present = true,
                                         .base_version = (char *)"v1",
                                         .base_digest = {{9}},
                                         .patch = {.present = true,
                                                   .sha256 = {{7}},
                                                   .size_bytes = 99,
                                                   .format = (char *)"oxdl/2",
                                                   .strategy = (char *)"tensor"},
                                         .blob_urls = {(char *)"https://cdn.example/b"},
                                         .blob_urls_count = 1};
    assert_int_equal(ox_manifest_single(&assignment->files, "model.onnx", 1000, &file, NULL),
                     OX_OK);
    *answer = (struct ox_heartbeat_answer){.assigned_model = (char *)"m",
                                           .assigned_version = (char *)"v2",
                                           .assignments = assignment,
                                           .assignments_count = 1,
                                           .reports_ack_present = true,
                                           .reports_ack = 12,
                                           .poll_interval_s = 5};
}

static void answer__round_trip(void **state)
{
    struct ox_heartbeat_answer answer;
    struct ox_heartbeat_answer back;
    struct ox_assignment assignment;
    char *text = NULL;

    (void)state;
    fill(&answer, &assignment);
    assert_int_equal(ox_heartbeat_answer_build(&answer, &text, NULL), OX_OK);
    assert_int_equal(parse_answer(text, &back, NULL), OX_OK);
    assert_int_equal(back.assignments_count, 1);
    assert_string_equal(back.assignments[0].version, "v2");
    assert_string_equal(back.assignments[0].base_version, "v1");
    assert_true(ox_digest_equal(&back.assignments[0].base_digest, &assignment.base_digest));
    assert_true(back.assignments[0].patch.present);
    assert_int_equal(back.assignments[0].patch.size_bytes, 99);
    assert_string_equal(back.assignments[0].blob_urls[0], "https://cdn.example/b");
    assert_int_equal(back.assignments[0].files.count, 1);
    assert_int_equal(back.reports_ack, 12);
    assert_int_equal(back.poll_interval_s, 5);
    ox_heartbeat_answer_clear(&back);
    ox_manifest_clear(&assignment.files);
    free(text);
}

static void answer__what_is_to_go_has_no_files(void **state)
{
    struct ox_assignment assignment = {
        .model_id = (char *)"m", .version = (char *)"v2", .digest = {{1, 2, 3}}, .remove = true};
    const struct ox_heartbeat_answer answer = {.assignments = &assignment, .assignments_count = 1};
    struct ox_heartbeat_answer back;
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_heartbeat_answer_build(&answer, &text, NULL), OX_OK);
    assert_int_equal(parse_answer(text, &back, NULL), OX_OK);
    assert_int_equal(back.assignments_count, 1);
    assert_true(back.assignments[0].remove);
    assert_true(ox_digest_equal(&back.assignments[0].digest, &assignment.digest));
    assert_int_equal(back.assignments[0].files.count, 0);
    ox_heartbeat_answer_clear(&back);
    free(text);
}

static void answer__without_work_still_tells_new_agents_so(void **state)
{
    const struct ox_heartbeat_answer answer = {.reports_ack_present = true};
    struct ox_heartbeat_answer back;
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_heartbeat_answer_build(&answer, &text, NULL), OX_OK);
    assert_int_equal(parse_answer(text, &back, NULL), OX_OK);
    assert_true(back.assignments_present);
    assert_int_equal(back.assignments_count, 0);
    assert_null(back.assigned_model);
    ox_heartbeat_answer_clear(&back);
    free(text);
}

static void answer__refuses_nonsense_as_the_servers_fault(void **state)
{
    static const char *const bad[] = {
        "",
        "<html>",
        "[]",
        "{\"assignments\":{}}",
        "{\"assignments\":[1]}",
        "{\"assignments\":[{}]}",
        "{\"assigned_model\":\"../x\"}",
        "{}",
        "{\"code\":7,\"message\":\"please log in\"}",
        "{\"assignments\":[],\"reports_ack\":-1}",
        "{\"assignments\":[{\"model_id\":\"m\",\"model_version\":\"v\",\"digest\":\"" HEX_A
        "\",\"files\":[{\"path\":\"../up\",\"size\":1,\"sha256\":\"" HEX_A "\"}]}]}",
        "{\"assignments\":[{\"model_id\":\"m\",\"model_version\":\"v\",\"digest\":\"" HEX_A
        "\",\"files\":[{\"path\":\"a\",\"size\":1,\"sha256\":\"" HEX_A
        "\"}],\"blob_urls\":[\"file:///etc\"]}]}",
        "{\"assignments\":[{\"model_id\":\"m\",\"model_version\":\"v\",\"digest\":\"" HEX_A
        "\",\"files\":[{\"path\":\"a\",\"size\":1,\"sha256\":\"" HEX_A
        "\"}],\"patch\":{\"sha256\":\"" HEX_A "\",\"size\":4,\"format\":\"oxdl/2\"}}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_heartbeat_answer answer;
        struct ox_err err = OX_ERR_INIT;

        assert_int_equal(parse_answer(bad[i], &answer, &err), OX_EPROTO);
        assert_int_equal(err.code, OX_EPROTO);
    }
}

/* Any text cut at any byte is refused without reading past its end. */
static void answer__refuses_truncation_at_every_byte(void **state)
{
    struct ox_heartbeat_answer answer;
    struct ox_assignment assignment;
    char *text = NULL;

    (void)state;
    fill(&answer, &assignment);
    assert_int_equal(ox_heartbeat_answer_build(&answer, &text, NULL), OX_OK);
    for (size_t len = 0; len < strlen(text); len++) {
        struct ox_heartbeat_answer back = {0};
        char *exact = malloc(len + 1);

        assert_non_null(exact);
        memcpy(exact, text, len);
        exact = realloc(exact, len == 0 ? 1 : len);
        assert_int_equal(ox_heartbeat_answer_parse(exact, len, &back, NULL), OX_EPROTO);
        free(exact);
    }
    ox_manifest_clear(&assignment.files);
    free(text);
}

/* --- the metrics at a glance --- */

static void span__is_that_of_the_metrics(void **state)
{
    static const struct {
        const char *body;
        const char *metrics; /* NULL: cannot be told; "": none */
    } rows[] = {
        {"", ""},
        {" \n", ""},
        {"{}", ""},
        {" { } ", ""},
        {"{\"status\":\"online\",\"protocol\":1}", ""},
        {"{\"metrics\":{}}", "{}"},
        {"{\"a\":[{\"metrics\":{}}],\"metrics\":{\"b\":\"}\\\"\"},\"c\":1}", "{\"b\":\"}\\\"\"}"},
        {"{\"metrics\":null}", ""},
        {"{\"x\":\"\\\"metrics\\\":{}\"}", ""},
        {"{\"metrics\":{\"a\":{}}}", NULL},
        {"{\"metrics\":{\"a\":[1]}}", NULL},
        {"{\"metrics\":{},\"metrics\":{}}", NULL},
        {"{\"m\\u0065trics\":{}}", NULL},
        {"{\"metrics\":{}", NULL},
        {"{\"metrics\":{}}}", NULL},
        {"{\"metrics\":{\"a}}", NULL},
        {"{\"metrics\"}", NULL},
        {"{\"metrics\":{},}", NULL},
        {"[]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].body);
        char *exact = malloc(len + 1);
        size_t begin = 0;
        size_t end = 0;

        memcpy(exact, rows[i].body, len);
        exact = realloc(exact, len == 0 ? 1 : len);
        assert_int_equal(ox_heartbeat_metrics_span(exact, len, &begin, &end),
                         rows[i].metrics != NULL);
        if (rows[i].metrics != NULL) {
            assert_int_equal(end - begin, strlen(rows[i].metrics));
            assert_memory_equal(exact + begin, rows[i].metrics, end - begin);
            assert_true(end > begin || begin == len);
        }
        free(exact);
    }
}

static void metrics__are_plain_only_where_they_are_valid(void **state)
{
    static const struct {
        const char *metrics;
        bool plain;
    } rows[] = {
        {"{\"a\":1}", true},
        {"{\"a\":0,\"b.c-d_E\":-12.5,\"x\":999999999999999}", true},
        {"{\"a\":0.000}", true},
        {"{}", false}, /* valid, and not plain */
        {"{\"a\": 1}", false},
        {"{\"a\":1e9}", false},
        {"{\"a\":\"x\"}", false},
        {"{\"a\":1234567890123456}", false},
        {"{\"a\":1,\"a\":2}", false}, /* not valid */
        {"{\"a\":01}", false},
        {"{\"a\":-}", false},
        {"{\"a\":1.}", false},
        {"{\"a\":.5}", false},
        {"{\"a\":1,}", false},
        {"{\"a\":1", false},
        {"{\"a\":1}}", false},
        {"{\"a\"1}", false},
        {"{\"a", false},
        {"{\"\":1}", false},
        {"", false},
        {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,"
         "\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}",
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].metrics);
        char *exact = malloc(len + 1);

        memcpy(exact, rows[i].metrics, len);
        exact = realloc(exact, len == 0 ? 1 : len);
        assert_int_equal(ox_heartbeat_metrics_are_plain(exact, len), rows[i].plain);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics__are_plain_only_where_they_are_valid),
        cmocka_unit_test(span__is_that_of_the_metrics),
        cmocka_unit_test(request__empty_body_says_nothing),
        cmocka_unit_test(request__reads_the_first_generation),
        cmocka_unit_test(request__null_is_none_and_absent_is_unchanged),
        cmocka_unit_test(request__ignores_unknown_fields),
        cmocka_unit_test(request__refuses_unknown_meanings),
        cmocka_unit_test(request__refuses_odd_models),
        cmocka_unit_test(request__refuses_odd_reports),
        cmocka_unit_test(request__bounds_its_lists),
        cmocka_unit_test(request__of_what_a_report_says_beside_the_result),
        cmocka_unit_test(request__round_trip),
        cmocka_unit_test(request__one_that_says_nothing_is_an_empty_object),
        cmocka_unit_test(answer__of_the_first_generation_tells_no_assignments),
        cmocka_unit_test(answer__round_trip),
        cmocka_unit_test(answer__what_is_to_go_has_no_files),
        cmocka_unit_test(answer__without_work_still_tells_new_agents_so),
        cmocka_unit_test(answer__refuses_nonsense_as_the_servers_fault),
        cmocka_unit_test(answer__refuses_truncation_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
