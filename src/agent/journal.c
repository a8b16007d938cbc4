#include "journal.h"

#include "oxide/base/file.h"
#include "shelf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_BYTES_MAX ((size_t)32 << 20) /* two manifests of the longest paths */

void ox_journal_clear(struct ox_journal *journal)
{
    ox_assignment_clear(&journal->assignment);
    free(journal->folder);
    ox_installed_clear(&journal->before);
    json_decref(journal->stages_ms);
    *journal = (struct ox_journal){0};
}

uint64_t ox_way_received(const struct ox_way *way)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < OX_ORIGINS; i++) {
        sum += way->received[i];
    }
    return sum;
}

void ox_journal_add_time(struct ox_journal *journal, const char *stage, uint64_t took_ms)
{
    json_int_t before;

    if (journal->stages_ms == NULL) {
        journal->stages_ms = json_object();
    }
    before = json_integer_value(json_object_get(journal->stages_ms, stage));
    (void)json_object_set_new(journal->stages_ms, stage,
                              json_integer(before + (json_int_t)took_ms));
}

uint64_t ox_journal_time_ms(const struct ox_journal *journal)
{
    const char *stage;
    json_t *value;
    uint64_t sum = 0;

    json_object_foreach(journal->stages_ms, stage, value)
    {
        sum += (uint64_t)json_integer_value(value);
    }
    return sum;
}

/* An assignment has one spelling, that of the heartbeat's answer. */
static enum ox_code assignment_to_json(const struct ox_assignment *assignment, json_t **out,
                                       struct ox_err *err)
{
    struct ox_heartbeat_answer answer = {
        .assignments = (struct ox_assignment *)assignment, /* only read, not owned */
        .assignments_count = 1,
    };
    char *text = NULL;
    enum ox_code code = ox_heartbeat_answer_build(&answer, &text, err);

    if (code == OX_OK) {
        code = ox_json_parse_object(text, strlen(text), out, err);
    }
    free(text);
    return code;
}

enum ox_code ox_journal_save(const struct ox_journal *journal, const char *path, struct ox_err *err)
{
    json_t *json = json_object();
    json_t *assigned = NULL;
    json_t *before = NULL;
    char *text = NULL;
    enum ox_code code;

    if ((code = ox_json_set_u64(json, "format", OX_JOURNAL_FORMAT, err)) == OX_OK &&
        (code = ox_json_set_u64(json, "attempt", journal->attempt, err)) == OX_OK &&
        (code = ox_json_set_str(json, "stage", journal->stage, err)) == OX_OK &&
        (code = ox_json_set(json, "first_gen", json_boolean(journal->first_gen), err)) == OX_OK &&
        (code = ox_json_set_str(json, "folder", journal->folder, err)) == OX_OK &&
        (code = ox_json_set_str(json, "layout", ox_shelf_word(journal->layout), err)) == OX_OK &&
        (code = ox_json_set_str(json, "check_boot", journal->check_boot, err)) == OX_OK &&
        (code = ox_json_set_u64(json, "check_reboots", journal->check_reboots, err)) == OX_OK &&
        (code = ox_json_set_str(json, "strategy", journal->way.strategy, err)) == OX_OK &&
        (code = ox_origins_put(json, "received", journal->way.received, err)) == OX_OK &&
        (code = ox_json_set_str(json, "note", journal->way.note, err)) == OX_OK &&
        (code =
             ox_json_set(json, "stages_ms",
                         journal->stages_ms == NULL ? json_null() : json_incref(journal->stages_ms),
                         err)) == OX_OK &&
        (code = ox_installed_to_json(&journal->before, &before, err)) == OX_OK &&
        (code = ox_json_set(json, "before", before, err)) == OX_OK &&
        (code = assignment_to_json(&journal->assignment, &assigned, err)) == OX_OK &&
        (code = ox_json_set(json, "assigned", assigned, err)) == OX_OK &&
        (code = ox_json_text(json, &text, err)) == OX_OK) {
        code = ox_file_replace(path, text, strlen(text), 0600, err);
    }
    free(text);
    json_decref(json);
    return code;
}

static enum ox_code take_assignment(const json_t *json, struct ox_assignment *out,
                                    struct ox_err *err)
{
    struct ox_heartbeat_answer answer = {0};
    const json_t *assigned = json_object_get(json, "assigned");
    char *text = NULL;
    enum ox_code code;

    if (assigned == NULL) {
        return ox_err_set(err, OX_EINVAL, "\"assigned\" is missing");
    }
    code = ox_json_text(assigned, &text, err);
    if (code == OX_OK) {
        code = ox_heartbeat_answer_parse(text, strlen(text), &answer, err);
    }
    if (code == OX_OK && answer.assignments_count != 1) {
        code = ox_err_set(err, OX_EINVAL, "\"assigned\" must hold one assignment");
    }
    if (code == OX_OK) {
        *out = answer.assignments[0];
        answer.assignments[0] = (struct ox_assignment){0};
    }
    ox_heartbeat_answer_clear(&answer);
    free(text);
    return code;
}

/* Absent, as an earlier release left it, it is not known. */
static enum ox_code take_way(const json_t *json, struct ox_way *out, struct ox_err *err)
{
    const char *strategy = NULL;
    const char *note = "";
    enum ox_code code;

    if ((code = ox_json_opt_str(json, "strategy", &strategy, err)) != OX_OK ||
        /* an earlier release did not tell the origin */
        (code = ox_json_opt_u64(json, "received_bytes", &out->received[OX_ORIGIN_EARLIER], err)) !=
            OX_OK ||
        (code = ox_origins_take(json, "received", out->received, err)) != OX_OK ||
        (code = ox_json_opt_str(json, "note", &note, err)) != OX_OK) {
        return code;
    }
    out->strategy = ox_report_strategy(strategy);
    (void)snprintf(out->note, sizeof(out->note), "%s", note == NULL ? "" : note);
    return OX_OK;
}

static enum ox_code take_all(const json_t *json, struct ox_journal *journal, struct ox_err *err)
{
    uint64_t format = 0;
    const char *stage = NULL;
    const char *folder = NULL;
    const char *layout = NULL;
    const char *boot = "";
    enum ox_code code = ox_json_get_u64(json, "format", &format, err);

    if (code != OX_OK) {
        return code;
    }
    if (format != OX_JOURNAL_FORMAT) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "it is of format %llu, this release reads %d: use a newer release",
                          (unsigned long long)format, OX_JOURNAL_FORMAT);
    }
    if ((code = ox_json_get_u64(json, "attempt", &journal->attempt, err)) != OX_OK ||
        (code = ox_json_get_str(json, "stage", &stage, err)) != OX_OK ||
        (code = ox_json_opt_bool(json, "first_gen", &journal->first_gen, err)) != OX_OK ||
        (code = ox_json_opt_str(json, "folder", &folder, err)) != OX_OK ||
        (code = ox_json_opt_str(json, "layout", &layout, err)) != OX_OK ||
        (code = ox_json_opt_str(json, "check_boot", &boot, err)) != OX_OK ||
        (code = ox_json_opt_u64(json, "check_reboots", &journal->check_reboots, err)) != OX_OK ||
        (code = take_way(json, &journal->way, err)) != OX_OK ||
        (code = ox_stages_ms_take(json, "stages_ms", &journal->stages_ms, err)) != OX_OK ||
        (layout != NULL && (code = ox_shelf_parse(layout, &journal->layout, err)) != OX_OK) ||
        (code = ox_installed_from_json(json_object_get(json, "before"), &journal->before, err)) !=
            OX_OK ||
        (code = take_assignment(json, &journal->assignment, err)) != OX_OK) {
        return code;
    }
    if (strlen(stage) >= sizeof(journal->stage) || journal->attempt == 0 ||
        (folder != NULL && (folder[0] == '\0' || folder[0] == '.' || strchr(folder, '/') != NULL ||
                            strlen(folder) > OX_MANIFEST_COMPONENT_MAX))) {
        return ox_err_set(err, OX_EINVAL, "\"attempt\", \"stage\" or \"folder\" is wrong");
    }
    (void)snprintf(journal->stage, sizeof(journal->stage), "%s", stage);
    (void)snprintf(journal->check_boot, sizeof(journal->check_boot), "%s", boot);
    return ox_strdup(&journal->folder, folder, err);
}

enum ox_code ox_journal_load(struct ox_journal *out, const char *path, struct ox_err *err)
{
    struct ox_journal journal = {0};
    struct ox_buf text = OX_BUF_INIT;
    json_t *json = NULL;
    enum ox_code code = ox_file_read_own(path, JOURNAL_BYTES_MAX, &text, err);

    if (code == OX_OK &&
        (code = ox_json_parse_object(text.data, text.len_bytes, &json, err)) == OX_OK) {
        code = take_all(json, &journal, err);
    }
    json_decref(json);
    ox_buf_clear(&text);
    if (code == OX_OK) {
        *out = journal;
        return OX_OK;
    }
    ox_journal_clear(&journal);
    if (code == OX_EINVAL || code == OX_ETOOBIG || code == OX_EPROTO) {
        code = ox_err_set(err, OX_ECORRUPT, "%s is damaged: %s", path, err == NULL ? "" : err->msg);
    } else if (code != OX_ENOTFOUND) {
        ox_err_context(err, "%s", path);
    }
    return code;
}

void ox_journal_earlier(const struct ox_assignment *assignment, const char *path,
                        struct ox_way *way, json_t **stages_ms)
{
    struct ox_journal earlier = {0};

    *way = (struct ox_way){.strategy = NULL};
    *stages_ms = NULL;
    if (ox_journal_load(&earlier, path, NULL) == OX_OK && assignment->model_id != NULL &&
        strcmp(earlier.assignment.model_id, assignment->model_id) == 0 &&
        ox_digest_equal(&earlier.assignment.digest, &assignment->digest)) {
        *way = earlier.way;
        *stages_ms = json_incref(earlier.stages_ms);
    }
    ox_journal_clear(&earlier);
}

enum ox_code ox_journal_remove(const char *path, struct ox_err *err)
{
    if (unlink(path) != 0) {
        return errno == ENOENT ? OX_OK : ox_err_sys(err, errno, "removing %s", path);
    }
    return ox_parent_sync(path, err);
}
