/* uses: registry */
#include "fuzz.h"

#include "oxide/registry/fleet.h"
#include "oxide/registry/select.h"

#include <stdio.h>

#define NOW_MS ((int64_t)1700000000000)

/* A registry in memory, of which only the writer's database exists; made once. */
static struct ox_tx *devices(void)
{
    static const char *const tags[] = {"{}", "{\"a\":\"1\",\"site\":\"graz\"}",
                                       "{\"a\":\"v2-rc1\",\"b\":\"\"}"};
    static const char *const platforms[] = {NULL, "{\"arch\":\"x\",\"n\":4,\"t\":true}",
                                            "{\"arch\":\"6.1\",\"n\":\"many\",\"o\":{\"p\":0.5}}"};
    static struct ox_registry *registry;
    static struct ox_tx tx;

    if (registry == NULL) {
        const struct ox_fleet_row list = {
            .id = "list", .name = "l", .default_strategy = "rolling", .tags = "{}"};
        const struct ox_fleet_row passing = {.id = "f",
                                             .name = "f",
                                             .default_strategy = "rolling",
                                             .tags = "{}",
                                             .filter = "tag.a exists or fleet = list"};

        must(ox_registry_open(&registry, ":memory:", NULL) == OX_OK);
        must(ox_registry_begin(registry, OX_TX_WRITE, &tx, NULL) == OX_OK);
        must(ox_registry_fleet_add(&tx, &list, NULL) == OX_OK);
        must(ox_registry_fleet_add(&tx, &passing, NULL) == OX_OK);
        for (size_t i = 0; i < 3; i++) {
            struct ox_device_row row = {.status = i == 0 ? "online" : "error",
                                        .last_heartbeat_ms = NOW_MS - (int64_t)i * 100000,
                                        .platform = platforms[i],
                                        .agent = i == 0 ? NULL : "oxide/0.1.0"};
            struct ox_device_model_row model = {.model_id = "m", .version = i == 1 ? "v1" : "2.0"};
            char id[2] = {(char)('a' + i), '\0'};
            bool created;

            row.id = id;
            model.device_id = id;
            must(ox_registry_device_put(&tx, id, id, tags[i], NOW_MS, &created, NULL) == OX_OK);
            must(ox_registry_device_update(&tx, &row, NULL) == OX_OK);
            must(i == 0 || ox_registry_device_model_put(&tx, &model, NULL) == OX_OK);
        }
        must(ox_registry_fleet_join(&tx, "list", "b", NOW_MS, NULL) == OX_OK);
    }
    return &tx;
}

static bool count(struct ox_tx *tx, const char *text, uint64_t *out)
{
    struct ox_filter *filter = NULL;
    struct ox_selection which = {.now_ms = NOW_MS};
    struct ox_err err = OX_ERR_INIT;
    uint64_t singly = 0;
    enum ox_code code = ox_filter_parse(&filter, text, &err);

    if (code != OX_OK) {
        must(code == OX_EINVAL && strncmp(err.msg, "the filter at column ", 21) == 0);
        return false;
    }
    which.filter = filter;
    code = ox_registry_selected_count(tx, &which, out, &err);
    must(code == OX_OK || code == OX_EINVAL); /* a fleet that does not exist */
    for (char id[2] = "a"; code == OX_OK && id[0] <= 'c'; id[0]++) {
        bool has = false;

        must(ox_registry_selected_has(tx, &which, id, &has, NULL) == OX_OK);
        singly += has;
    }
    must(code != OX_OK || singly == *out);
    ox_filter_free(filter);
    return code == OX_OK;
}

/* What parses is SQL that runs; one by one the devices answer as all do; and "not" selects exactly
 * the others. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[OX_FILTER_MAX + 16];
    char opposite[OX_FILTER_MAX + 32];
    struct ox_tx *tx = devices();
    uint64_t pass = 0;
    uint64_t others = 0;

    if (size > OX_FILTER_MAX + 1) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (count(tx, text, &pass)) {
        (void)snprintf(opposite, sizeof(opposite), "not (%s)", text);
        must(!count(tx, opposite, &others) || pass + others == 3);
    }
    return 0;
}
