#include "simulate_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests at a time: enough that the server commits many with one sync. */
#define AT_ONCE 64

/* One request per device, of which each is a step. */
struct steps {
    struct ox_sim *sim;
    const char *path; /* before the device's id; NULL: registration */
    uint32_t next;    /* device that is to be asked for */
    uint32_t done;
    bool failed;
    struct ox_err err;
    struct lane {
        struct steps *steps;
        struct ox_sim_conn *conn;
        uint32_t number;
        int64_t again_us; /* the server was busy */
        bool idle;
    } lanes[AT_ONCE];
};

static enum ox_code tags_of(const struct ox_sim *sim, uint32_t number, json_t **out,
                            struct ox_err *err)
{
    json_t *tags = json_object();
    enum ox_code code = tags == NULL ? ox_err_nomem(err, "tags") : OX_OK;

    for (size_t i = 0; code == OX_OK && i < sim->options->tags_count; i++) {
        const struct ox_simulate_tag *tag = &sim->options->tags[i];
        const char *value = tag->values;
        uint32_t count = 1;
        uint32_t turn;

        for (const char *at = value; *at != '\0'; at++) {
            count += *at == ',';
        }
        for (turn = number % count; turn > 0; turn--) {
            value = strchr(value, ',') + 1;
        }
        code = ox_json_set(tags, tag->name, json_stringn(value, strcspn(value, ",")), err);
    }
    *out = tags;
    return code;
}

static enum ox_code registration(const struct ox_sim *sim, uint32_t number, char **out,
                                 struct ox_err *err)
{
    char id[OX_SIM_ID_MAX];
    json_t *tags = NULL;
    json_t *json = NULL;
    enum ox_code code = tags_of(sim, number, &tags, err);

    if (code == OX_OK) {
        json = json_pack("{s:s, s:O}", "id", ox_sim_device_id(sim, number, id), "tags", tags);
        code = json == NULL ? ox_err_nomem(err, "a registration") : ox_json_text(json, out, err);
    }
    json_decref(json);
    json_decref(tags);
    return code;
}

static void ask(struct lane *lane);

static void step_ended(void *ctx, struct ox_sim_conn *conn, enum ox_code code, const char *problem)
{
    struct lane *lane = ctx;
    struct steps *steps = lane->steps;
    unsigned status = conn->http.status;

    lane->idle = true;
    if (code != OX_OK) {
        (void)ox_err_set(&steps->err, code, "%s: %s: is 'oxide serve' there?",
                         steps->sim->server->name, problem);
        steps->failed = true;
    } else if (status == 503) {
        lane->idle = false;
        lane->again_us = steps->sim->net.now_us + 100 * 1000;
    } else if (status >= 300) {
        char id[OX_SIM_ID_MAX];

        (void)ox_err_set(&steps->err, status == 404 ? OX_ENOTFOUND : OX_EPROTO,
                         "device %s: the server answers %u: %.200s",
                         ox_sim_device_id(steps->sim, lane->number, id), status,
                         conn->body.data == NULL ? "" : (const char *)conn->body.data);
        steps->failed = true;
    } else {
        steps->done++;
        if (steps->next < steps->sim->agents_count) {
            lane->number = steps->next++;
            ask(lane);
        }
    }
}

static void ask(struct lane *lane)
{
    const struct ox_sim_user user = {lane, NULL, step_ended, NULL};
    struct steps *steps = lane->steps;
    struct ox_sim *sim = steps->sim;
    char id[OX_SIM_ID_MAX];
    char *body = NULL;
    char *line = NULL;
    enum ox_code code;

    lane->again_us = OX_SIM_NEVER;
    lane->idle = false;
    if (lane->conn == NULL) {
        lane->conn = ox_sim_conn_new(&sim->net, sim->server, lane->number);
    }
    code = lane->conn == NULL ? ox_err_nomem(&steps->err, "a connection") : OX_OK;
    if (code == OX_OK && steps->path == NULL) {
        code = registration(sim, lane->number, &body, &steps->err);
    }
    if (code == OX_OK) {
        code = steps->path == NULL
                   ? ox_strf(&line, &steps->err, "POST %s/api/v1/devices", sim->base_path)
                   : ox_strf(&line, &steps->err, "POST %s%s%s", sim->base_path, steps->path,
                             ox_sim_device_id(sim, lane->number, id));
    }
    if (code == OX_OK) {
        ox_sim_conn_call(lane->conn, OX_SIMULATE_REGISTER, &user, line, "", body);
    } else {
        steps->failed = true;
    }
    free(line);
    free(body);
}

/* Returns when something is to be done next. */
static int64_t wake_lanes(struct steps *steps)
{
    int64_t due_us = OX_SIM_NEVER;

    for (size_t i = 0; i < AT_ONCE; i++) {
        struct lane *lane = &steps->lanes[i];

        if (lane->again_us <= steps->sim->net.now_us) {
            ask(lane);
        }
        if (ox_sim_conn_due(lane->conn) <= steps->sim->net.now_us) {
            ox_sim_conn_wake(lane->conn);
        }
        due_us = lane->again_us < due_us ? lane->again_us : due_us;
        due_us = ox_sim_conn_due(lane->conn) < due_us ? ox_sim_conn_due(lane->conn) : due_us;
    }
    return due_us;
}

/* Ask one thing for each device. */
static enum ox_code for_each(struct ox_sim *sim, const char *path, struct ox_stop *stop,
                             const struct ox_simulate_observer *observer, struct ox_err *err)
{
    struct steps *steps = calloc(1, sizeof(*steps));
    int64_t shown_us = sim->net.now_us;
    enum ox_code code = OX_OK;

    if (steps == NULL) {
        return ox_err_nomem(err, "the registration");
    }
    steps->sim = sim;
    steps->path = path;
    for (size_t i = 0; i < AT_ONCE; i++) {
        steps->lanes[i] = (struct lane){.steps = steps, .again_us = OX_SIM_NEVER, .idle = true};
        if (steps->next < sim->agents_count) {
            steps->lanes[i].number = steps->next++;
            steps->lanes[i].again_us = 0;
        }
    }
    while (code == OX_OK && !steps->failed && steps->done < sim->agents_count &&
           !ox_stop_requested(stop)) {
        code = ox_sim_net_round(&sim->net, wake_lanes(steps), err);
        if (sim->net.now_us - shown_us >= 1000000 && observer->registered != NULL) {
            observer->registered(observer->ctx, steps->done, sim->agents_count);
            shown_us = sim->net.now_us;
        }
    }
    if (code == OX_OK && steps->failed) {
        code = steps->err.code;
        if (err != NULL) {
            *err = steps->err;
        }
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        ox_sim_conn_free(steps->lanes[i].conn);
    }
    free(steps);
    return code;
}

/* --- single questions --- */

struct question {
    bool answered;
    enum ox_code code;
    struct ox_err *err;
    unsigned status;
    json_t *json;
};

static void question_ended(void *ctx, struct ox_sim_conn *conn, enum ox_code code,
                           const char *problem)
{
    struct question *question = ctx;

    question->answered = true;
    question->code = code;
    if (code != OX_OK) {
        (void)ox_err_set(question->err, code, "%s: %s: is 'oxide serve' there?", conn->to->name,
                         problem);
        return;
    }
    question->status = conn->http.status;
    question->code =
        ox_json_parse_object(conn->body.data == NULL ? (const uint8_t *)"" : conn->body.data,
                             conn->body.len_bytes, &question->json, question->err);
}

static enum ox_code question(struct ox_sim *sim, const char *line, const char *body,
                             struct ox_stop *stop, unsigned *status, json_t **out,
                             struct ox_err *err)
{
    struct question question = {.err = err};
    const struct ox_sim_user user = {&question, NULL, question_ended, NULL};
    struct ox_sim_conn *conn = ox_sim_conn_new(&sim->net, sim->server, 0);
    enum ox_code code = OX_OK;

    if (conn == NULL) {
        return ox_err_nomem(err, "a connection");
    }
    ox_sim_conn_call(conn, OX_SIMULATE_REGISTER, &user, line, "", body);
    while (code == OX_OK && !question.answered) {
        if (ox_stop_requested(stop)) {
            code = ox_err_set(err, OX_ECANCELED, "stopped");
            break;
        }
        if (ox_sim_conn_due(conn) <= sim->net.now_us) {
            ox_sim_conn_wake(conn);
        } else {
            code = ox_sim_net_round(&sim->net, ox_sim_conn_due(conn), err);
        }
    }
    ox_sim_conn_free(conn);
    if (code == OX_OK) {
        code = question.code;
    }
    *status = question.status;
    *out = question.json;
    return code;
}

static enum ox_code make_fleet(struct ox_sim *sim, struct ox_stop *stop, struct ox_err *err)
{
    json_t *spec = json_pack("{s:s}", "id", sim->options->fleet);
    json_t *json = NULL;
    unsigned status = 0;
    char *body = NULL;
    char *line = NULL;
    enum ox_code code =
        spec == NULL ? ox_err_nomem(err, "a fleet") : ox_json_text(spec, &body, err);

    if (code == OX_OK &&
        (code = ox_strf(&line, err, "POST %s/api/v1/fleets", sim->base_path)) == OX_OK) {
        code = question(sim, line, body, stop, &status, &json, err);
    }
    if (code == OX_OK && status != 201 && status != 409) {
        code = ox_err_set(err, OX_EPROTO, "fleet %s: the server answers %u", sim->options->fleet,
                          status);
    }
    json_decref(json);
    json_decref(spec);
    free(body);
    free(line);
    return code;
}

/* Every agent runs the version that the options name. */
static enum ox_code find_version(struct ox_sim *sim, struct ox_stop *stop, struct ox_err *err)
{
    const struct ox_simulate_options *options = sim->options;
    struct ox_digest digest;
    const char *hex = NULL;
    json_t *json = NULL;
    unsigned status = 0;
    uint32_t release;
    char *line = NULL;
    enum ox_code code = ox_strf(&line, err, "GET %s/api/v1/models/%s/versions/%s/meta",
                                sim->base_path, options->model, options->model_version);

    if (code == OX_OK) {
        code = question(sim, line, NULL, stop, &status, &json, err);
    }
    if (code == OX_OK && status != 200) {
        code = ox_err_set(err, OX_ENOTFOUND,
                          "the server does not hold %s@%s: push it, or leave --model out",
                          options->model, options->model_version);
    }
    if (code == OX_OK && (code = ox_json_get_str(json, "sha256", &hex, err)) == OX_OK &&
        (code = ox_digest_parse(hex, &digest, err)) == OX_OK) {
        release = ox_sim_release(sim, options->model, options->model_version, &digest);
        code = release == OX_SIM_NONE ? ox_err_nomem(err, "a version") : OX_OK;
        for (uint32_t i = 0; code == OX_OK && i < sim->agents_count; i++) {
            sim->agents[i].models[0] = (struct ox_sim_running){release, OX_SIM_NONE};
            sim->agents[i].models_count = 1;
        }
    }
    json_decref(json);
    free(line);
    return code;
}

enum ox_code ox_sim_setup(struct ox_sim *sim, struct ox_stop *stop,
                          const struct ox_simulate_observer *observer, struct ox_err *err)
{
    char *path = NULL;
    enum ox_code code = OX_OK;

    if (sim->options->model != NULL) {
        code = find_version(sim, stop, err);
    }
    if (code == OX_OK && !sim->options->registered) {
        code = for_each(sim, NULL, stop, observer, err);
    }
    if (code == OX_OK && sim->options->fleet != NULL &&
        (code = make_fleet(sim, stop, err)) == OX_OK &&
        (code = ox_strf(&path, err, "/api/v1/fleets/%s/devices/", sim->options->fleet)) == OX_OK) {
        code = for_each(sim, path, stop, observer, err);
    }
    free(path);
    return code;
}
