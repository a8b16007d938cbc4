/* uses: wire */
#include "oxide/wire/heartbeat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

        if (ox_heartbeat_parse(data + 1, size - 1, &heartbeat, NULL) == OX_OK) {
            if (ox_heartbeat_build(&heartbeat, &text, NULL) != OX_OK ||
                ox_heartbeat_parse(text, strlen(text), &again, NULL) != OX_OK ||
                again.reports_count != heartbeat.reports_count ||
                again.models_count != heartbeat.models_count) {
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
