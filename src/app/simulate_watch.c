#include "simulate_world.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_US ((int64_t)1000 * 1000)

/* Take the open stages of the campaigns that our agents are in. */
static void take_list(struct ox_sim *sim, const json_t *json)
{
    const json_t *list = json_object_get(json, "campaigns");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const char *id = json_string_value(json_object_get(row, "id"));
        json_int_t stage = json_integer_value(json_object_get(row, "stage"));

        for (uint32_t j = 0; id != NULL && stage > 0 && j < sim->campaigns_count; j++) {
            if (strcmp(sim->campaigns[j].id, id) == 0) {
                sim->campaigns[j].stage = (unsigned)stage;
            }
        }
    }
}

static void ended(void *ctx, struct ox_sim_conn *conn, enum ox_code code, const char *problem)
{
    struct ox_sim_watch *watch = ctx;
    json_t *json = NULL;

    (void)problem; /* counted already */
    if (code == OX_OK && conn->http.status == 200 && conn->body.len_bytes > 0 &&
        ox_json_parse_object(conn->body.data, conn->body.len_bytes, &json, NULL) == OX_OK) {
        take_list(watch->sim, json);
    }
    json_decref(json);
    watch->next_us = watch->sim->net.now_us + EVERY_US;
}

void ox_sim_watch_wake(struct ox_sim_watch *watch)
{
    const struct ox_sim_user user = {watch, NULL, ended, NULL};
    struct ox_sim *sim = watch->sim;
    char *line = NULL;

    if (ox_sim_conn_due(watch->conn) <= sim->net.now_us) {
        ox_sim_conn_wake(watch->conn);
    }
    if (watch->next_us > sim->net.now_us || (watch->conn != NULL && watch->conn->busy)) {
        return;
    }
    if (watch->conn == NULL) {
        watch->conn = ox_sim_conn_new(&sim->net, sim->server, 0);
    }
    watch->next_us = sim->net.now_us + EVERY_US;
    if (watch->conn != NULL &&
        ox_strf(&line, NULL, "GET %s/api/v1/campaigns", sim->base_path) == OX_OK) {
        ox_sim_conn_call(watch->conn, OX_SIMULATE_WATCH, &user, line, "", NULL);
    }
    free(line);
}
