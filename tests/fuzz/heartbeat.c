/* uses: wire */
#include "oxide/wire/heartbeat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the span of the metrics is told, it is theirs; where none is, there are none. */
static void check_span(const char *body, size_t len, const struct ox_heartbeat *heartbeat)
{
    json_t *metrics = NULL;
    size_t begin = 0;
    size_t end = 0;

    if (!ox_heartbeat_metrics_span(body, len, &begin, &end)) {
        return;
    }
    if (begin > end || end > len || (end == begin && begin != len) ||
        (end > begin) != (heartbeat->metrics != NULL)) {
        abort();
    }
    if (end > begin && (ox_json_parse_object(body + begin, end - begin, &metrics, NULL) != OX_OK ||
                        !json_equal(metrics, heartbeat->metrics))) {
        abort();
    }
    json_decref(metrics);
}

/* What is plain is valid. */
static void check_plain(const char *text, size_t len)
{
    json_t *json = NULL;

    if (ox_heartbeat_metrics_are_plain(text, len) &&
        ox_json_parse_object(text, len, &json, NULL) != OX_OK) {
        abort();
    }
    json_decref(json);
}

/* What parses builds a text that parses again; the first byte chooses request or answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = NULL;

    if (size == 0) {
        return 0;
    }
    if (data[0] == '?') {
        struct ox_heartbeat heartbeat = {0};
        struct ox_heartbeat again = {0};

        check_plain((const char *)data + 1, size - 1);
        if (ox_heartbeat_parse(data + 1, size - 1, &heartbeat, NULL) == OX_OK) {
            check_span((const char *)data + 1, size - 1, &heartbeat);
            if (ox_heartbeat_build(&heartbeat, &text, NULL) != OX_OK ||
                ox_heartbeat_parse(text, strlen(text), &again, NULL) != OX_OK ||
                again.reports_count != heartbeat.reports_count ||
                again.models_count != heartbeat.models_count ||
                memcmp(&again.installation, &heartbeat.installation, sizeof(again.installation)) !=
                    0) {
                abort();
            }
        }
        ox_heartbeat_clear(&heartbeat);
        ox_heartbeat_clear(&again);
    } else {
        struct ox_heartbeat_answer answer = {0};
        struct ox_heartbeat_answer again = {0};

        if (ox_heartbeat_answer_parse(data + 1, size - 1, &answer, NULL) == OX_OK) {
            if (ox_heartbeat_answer_build(&answer, &text, NULL) != OX_OK ||
                ox_heartbeat_answer_parse(text, strlen(text), &again, NULL) != OX_OK ||
                again.assignments_count != answer.assignments_count) {
                abort();
            }
        }
        ox_heartbeat_answer_clear(&answer);
        ox_heartbeat_answer_clear(&again);
    }
    free(text);
    return 0;
}
