/* uses: app */
#include "../../src/app/agent_config_inner.h"
#include "fuzz.h"

/* What is taken is within its bounds, and read again it is the same; what is not has a problem that
 * names the file and a line of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ox_agent_config *config = calloc(1, sizeof(*config));
    struct ox_config_problems problems = {.count = 0};

    must(config != NULL);
    must(ox_agent_config_read(config, "f", data, size, &problems, NULL) == OX_OK);
    for (size_t i = 0; i < problems.count && i < OX_CONFIG_PROBLEMS_MAX; i++) {
        must(strncmp(problems.lines[i], "f:", 2) == 0 && problems.lines[i][2] >= '1' &&
             problems.lines[i][2] <= '9');
    }
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];
        const struct ox_setting_value *value = &config->values[i];
        struct ox_setting_value again = {.source = OX_SETTING_FILE};

        if (value->source != OX_SETTING_FILE) {
            must(value->text == NULL);
            continue;
        }
        must(value->line > 0 && value->line <= size);
        must(value->windows_count <= OX_SETTING_ENTRIES_MAX);
        must(row->kind != OX_SETTING_DURATION || value->text == NULL ||
             (value->number >= row->min && value->number <= row->max));
        must(ox_setting_parse(row, value->text == NULL ? "" : value->text, &again, NULL) == OX_OK);
        must(again.number == value->number && again.windows_count == value->windows_count);
        ox_setting_value_clear(&again);
    }
    ox_config_problems_clear(&problems);
    ox_agent_config_free(config);
    return 0;
}
