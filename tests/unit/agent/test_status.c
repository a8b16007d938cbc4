/* What a running agent tells who asks, and the service manager. */
#include "helpers.h"

#include "../../../src/agent/control_socket.h"
#include "oxide/agent/ask.h"
#include "oxide/base/buf.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 5000

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static json_t *ask(const char *model_dir, const char *word)
{
    json_t *request = json_pack("{s:s}", "request", word);
    struct ox_err err = OX_ERR_INIT;
    json_t *answer = NULL;

    if (ox_agent_ask(model_dir, request, PATIENCE_MS, &answer, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    json_decref(request);
    return answer;
}

static enum ox_code refusal(const char *model_dir, const char *word)
{
    json_t *request = word == NULL ? json_object() : json_pack("{s:s}", "request", word);
    json_t *answer = NULL;
    enum ox_code code = ox_agent_ask(model_dir, request, PATIENCE_MS, &answer, NULL);

    json_decref(request);
    assert_null(answer);
    return code;
}

/* --- asking --- */

static void ask__tells_models_and_failures(void **state)
{
    struct world *world = *state;
    struct ox_journal journal = {0};
    struct ox_control_socket *socket = NULL;
    struct ox_assignment failed = {.model_id = (char *)"other", .version = (char *)"v9"};
    char hex[OX_DIGEST_HEX_MAX];
    bool pending = false;
    json_t *answer;
    json_t *model;

    install_v1(world);
    open_agent(world, &journal, &pending);
    assert_int_equal(ox_state_fail(&world->agent.state, &failed, NULL, NULL), OX_OK);
    assert_int_equal(ox_control_socket_open(&socket, &world->agent, NULL), OX_OK);
    answer = ask(world->model_dir, "status");
    assert_true(json_is_null(json_object_get(answer, "update")));
    assert_true(json_is_null(json_object_get(answer, "problem")));
    assert_int_equal(json_integer_value(json_object_get(answer, "pid")), getpid());
    assert_string_equal(text_of(json_object_get(answer, "last_result"), "result"), "complete");
    model = json_array_get(json_object_get(answer, "models"), 0);
    assert_string_equal(text_of(model, "model_id"), "defect");
    assert_string_equal(text_of(model, "version"), world->v1.version);
    assert_string_equal(text_of(model, "digest"), ox_digest_hex(&world->v1.digest, hex));
    assert_int_equal(json_integer_value(json_object_get(model, "size_bytes")), MODEL_BYTES);
    model = json_array_get(json_object_get(answer, "failures"), 0);
    assert_string_equal(text_of(model, "model_id"), "other");
    assert_true(json_is_false(json_object_get(model, "quarantined")));
    json_decref(answer);
    ox_control_socket_close(socket);
    assert_false(exists(world, ".oxide/agent.sock"));
    close_agent(world);
    ox_journal_clear(&journal);
}

static void ask__tells_the_update_under_way(void **state)
{
    struct world *world = *state;
    struct ox_journal journal = {0};
    struct ox_assignment assignment = {.model_id = (char *)"m", .version = (char *)"v2"};
    struct ox_control_socket *socket = NULL;
    bool pending = false;
    json_t *answer;
    json_t *update;

    open_agent(world, &journal, &pending);
    assert_int_equal(ox_control_socket_open(&socket, &world->agent, NULL), OX_OK);
    ox_status_stage(&world->agent.status, &assignment, "download", 0);
    ox_status_progress(&world->agent.status, 450, 1000);
    ox_status_beat(&world->agent.status, "cannot reach it", 30000);
    answer = ask(world->model_dir, "status");
    update = json_object_get(answer, "update");
    assert_string_equal(text_of(update, "stage"), "download");
    assert_string_equal(text_of(update, "version"), "v2");
    assert_int_equal(json_integer_value(json_object_get(update, "percent")), 45);
    assert_string_equal(text_of(answer, "problem"), "cannot reach it");
    assert_true(json_number_value(json_object_get(answer, "next_poll_s")) > 29);
    json_decref(answer);
    ox_status_idle(&world->agent.status);
    answer = ask(world->model_dir, "status");
    assert_true(json_is_null(json_object_get(answer, "update")));
    json_decref(answer);
    ox_control_socket_close(socket);
    close_agent(world);
    ox_journal_clear(&journal);
}

static void ask__refuses_what_is_no_request(void **state)
{
    static const char *const bodies[] = {
        "", "{", "[]", "{}", "{\"request\":1}", "{\"request\":\"status\",\"request\":\"status\"}"};
    struct world *world = *state;
    struct ox_journal journal = {0};
    struct ox_control_socket *socket = NULL;
    bool pending = false;

    assert_int_equal(refusal(world->model_dir, "status"), OX_ENOTFOUND); /* no agent ever ran */
    open_agent(world, &journal, &pending);
    assert_int_equal(refusal(world->model_dir, "status"), OX_ENET); /* none runs now */
    assert_int_equal(ox_control_socket_open(&socket, &world->agent, NULL), OX_OK);
    assert_int_equal(refusal(world->model_dir, "make_coffee"), OX_EUNSUPPORTED);
    assert_int_equal(refusal(world->model_dir, NULL), OX_EINVAL);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        json_t *answer = NULL;

        assert_int_equal(ox_control_socket_answer(&world->agent, bodies[i], strlen(bodies[i]), true,
                                                  &answer, NULL),
                         OX_OK);
        assert_string_equal(text_of(json_object_get(answer, "error"), "code"), "invalid_request");
        json_decref(answer);
    }
    ox_control_socket_close(socket);
    close_agent(world);
    ox_journal_clear(&journal);
}

/* A folder whose path does not fit into an address; and a socket that a kill left. */
static void ask__works_in_a_deep_folder_and_after_a_kill(void **state)
{
    struct world *world = *state;
    struct ox_agent_options options = world->options;
    struct ox_journal journal = {0};
    struct ox_control_socket *socket = NULL;
    struct ox_agent agent;
    struct stat st;
    char *dir = NULL;
    char *left = NULL;
    char *sock = NULL;
    bool pending = false;
    json_t *answer;

    assert_int_equal(ox_strf(&dir, NULL, "%s/%0120d/%0120d", world->dir, 1, 2), OX_OK);
    assert_int_equal(ox_strf(&left, NULL, "%s/.oxide", dir), OX_OK);
    assert_int_equal(ox_strf(&sock, NULL, "%s/agent.sock", left), OX_OK);
    assert_int_equal(ox_dir_make(left, 0755, NULL), OX_OK);
    assert_int_equal(ox_file_replace(sock, "x", 1, 0600, NULL), OX_OK);
    options.model_dir = dir;
    assert_int_equal(ox_agent_open(&agent, &options, &world->stop, world->agent.log, NULL), OX_OK);
    assert_int_equal(ox_agent_recover(&agent, &journal, &pending, NULL), OX_OK);
    assert_int_equal(ox_control_socket_open(&socket, &agent, NULL), OX_OK);
    assert_int_equal(stat(sock, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0660);
    answer = ask(dir, "status");
    assert_int_equal(json_array_size(json_object_get(answer, "models")), 0);
    json_decref(answer);
    ox_control_socket_close(socket);
    ox_agent_close(&agent);
    ox_journal_clear(&journal);
    free(dir);
    free(left);
    free(sock);
}

/* --- the service manager --- */

struct manager {
    char path[128];
    int fd;
};

static void listen_as_manager(struct manager *manager, const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(manager->path, sizeof(manager->path), "%s/notify", world->dir);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", manager->path);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(manager->fd >= 0);
    assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", manager->path, 1), 0);
}

/* The next thing that it was told; "" if nothing. */
static const char *told(const struct manager *manager)
{
    static char text[1024];
    ssize_t len = recv(manager->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[len < 0 ? 0 : len] = '\0';
    return text;
}

static void manager__is_told_how_far_an_update_is(void **state)
{
    struct world *world = *state;
    struct ox_assignment assignment = {.model_id = (char *)"m", .version = (char *)"v2"};
    struct ox_status status = {.updating = false};
    struct manager manager;

    listen_as_manager(&manager, world);
    ox_status_open(&status);
    ox_status_stage(&status, &assignment, "download", 0);
    assert_string_equal(told(&manager), "STATUS=m@v2: download");
    status.told_mono_ms -= 2000;
    status.measured_mono_ms -= 10000;
    ox_status_progress(&status, 0, 1000000);
    status.measured_mono_ms -= 10000;
    status.told_mono_ms -= 2000;
    (void)told(&manager);
    ox_status_progress(&status, 450000, 1000000);
    assert_string_equal(told(&manager), "STATUS=m@v2: download, 45 %, 45.0 kB/s");
    ox_status_progress(&status, 450001, 1000000);
    assert_string_equal(told(&manager), ""); /* not more often than once a second */
    ox_status_idle(&status);
    assert_string_equal(told(&manager), "STATUS=Waiting for work");
    ox_status_beat(&status, "it is away", 1000);
    assert_string_equal(told(&manager), "STATUS=Alone: it is away");
    ox_status_beat(&status, "it is away", 1000);
    assert_string_equal(told(&manager), "");
    ox_status_close(&status);
    (void)close(manager.fd);
    (void)unsetenv("NOTIFY_SOCKET");
}

static void watchdog__is_fed_only_while_something_moves(void **state)
{
    struct world *world = *state;
    struct ox_assignment assignment = {.model_id = (char *)"m", .version = (char *)"v2"};
    struct ox_status status = {.updating = false};
    struct manager manager;

    listen_as_manager(&manager, world);
    ox_status_open(&status);
    for (int i = 0; i < 2; i++) {
        ox_status_feed(&status); /* who waits for work is well */
        assert_string_equal(told(&manager), "WATCHDOG=1");
    }
    ox_status_stage(&status, &assignment, "rebuild", 0);
    (void)told(&manager);
    ox_status_feed(&status);
    assert_string_equal(told(&manager), "WATCHDOG=1");
    ox_status_feed(&status);
    assert_string_equal(told(&manager), "");
    ox_status_progress(&status, 1, 2);
    ox_status_feed(&status);
    assert_string_equal(told(&manager), "WATCHDOG=1");
    ox_status_wait(&status, 60000); /* a command has its time */
    ox_status_feed(&status);
    assert_string_equal(told(&manager), "WATCHDOG=1");
    status.patient_until_mono_ms = 0;
    ox_status_feed(&status);
    assert_string_equal(told(&manager), "");
    ox_status_idle(&status);
    (void)told(&manager);
    ox_status_feed(&status);
    assert_string_equal(told(&manager), "WATCHDOG=1");
    ox_status_close(&status);
    (void)close(manager.fd);
    (void)unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(ask__tells_models_and_failures),
        WITH_WORLD(ask__tells_the_update_under_way),
        WITH_WORLD(ask__refuses_what_is_no_request),
        WITH_WORLD(ask__works_in_a_deep_folder_and_after_a_kill),
        WITH_WORLD(manager__is_told_how_far_an_update_is),
        WITH_WORLD(watchdog__is_fed_only_while_something_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
