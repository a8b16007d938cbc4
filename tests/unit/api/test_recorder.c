#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/api/recorder.h"

#include <string.h>

#define BEAT_ROUTE "method=\"POST\",route=\"/api/v1/devices/:id/heartbeat\""

static const struct ox_route *route(const char *name)
{
    for (size_t i = 0; i < ox_routes_count; i++) {
        if (strcmp(ox_routes[i].name, name) == 0) {
            return &ox_routes[i];
        }
    }
    fail_msg("no route %s", name);
    return NULL;
}

/* What it writes; the caller clears it. */
static const char *text_of(struct ox_recorder *recorder, struct ox_prom *prom)
{
    *prom = (struct ox_prom){.name = NULL};
    ox_recorder_write(recorder, prom);
    assert_int_equal(prom->code, OX_OK);
    assert_int_equal(ox_buf_append(&prom->text, "", 1, NULL), OX_OK);
    return (const char *)prom->text.data;
}

static void note__counts_by_route_and_class_of_status(void **state)
{
    struct ox_recorder *recorder = NULL;
    struct ox_prom prom;
    const char *text;

    (void)state;
    assert_int_equal(ox_recorder_new(&recorder, NULL), OX_OK);
    ox_recorder_note(recorder, route("heartbeat"), 200, 20000);
    ox_recorder_note(recorder, route("heartbeat"), 200, 3000000);
    ox_recorder_note(recorder, route("heartbeat"), 404, 1000);
    ox_recorder_note(recorder, route("heartbeat"), 0, 1000);
    ox_recorder_note(recorder, &ox_routes[ox_routes_count - 1], 503, 1);
    text = text_of(recorder, &prom);
    assert_non_null(strstr(text, "_bucket{" BEAT_ROUTE ",status=\"2xx\",le=\"0.0001\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{" BEAT_ROUTE ",status=\"2xx\",le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(text, "_sum{" BEAT_ROUTE ",status=\"2xx\"} 0.00302\n"));
    assert_non_null(strstr(text, "_count{" BEAT_ROUTE ",status=\"4xx\"} 1\n"));
    assert_non_null(strstr(text, "_count{" BEAT_ROUTE ",status=\"none\"} 1\n"));
    assert_null(strstr(text, BEAT_ROUTE ",status=\"5xx\""));
    assert_non_null(strstr(text, "status=\"5xx\"} 1\n"));
    ox_buf_clear(&prom.text);
    ox_recorder_free(recorder);
}

static void note__of_no_route_and_of_odd_statuses_stays_in_bounds(void **state)
{
    struct ox_recorder *recorder = NULL;
    struct ox_prom prom;
    const char *text;

    (void)state;
    assert_int_equal(ox_recorder_new(&recorder, NULL), OX_OK);
    ox_recorder_note(recorder, NULL, 404, 1);
    ox_recorder_note(recorder, NULL, 999, 1);
    ox_recorder_note(recorder, NULL, UINT32_MAX, UINT64_MAX / 2);
    text = text_of(recorder, &prom);
    assert_non_null(strstr(text, "_count{method=\"other\",route=\"other\",status=\"4xx\"} 1\n"));
    assert_non_null(strstr(text, "_count{method=\"other\",route=\"other\",status=\"none\"} 2\n"));
    ox_buf_clear(&prom.text);
    ox_recorder_free(recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(note__counts_by_route_and_class_of_status),
        cmocka_unit_test(note__of_no_route_and_of_odd_statuses_stays_in_bounds),
    };

    return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
