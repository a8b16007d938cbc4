#include "state.h"

#include "oxide/base/text.h"

#include <stdlib.h>
#include <string.h>

void ox_installed_clear(struct ox_installed *installed)
{
    free(installed->version);
    free(installed->folder);
    ox_manifest_clear(&installed->files);
    *installed = (struct ox_installed){0};
}

enum ox_code ox_installed_copy(struct ox_installed *out, const struct ox_installed *installed,
                               struct ox_err *err)
{
    struct ox_installed copy = {.digest = installed->digest};
    enum ox_code code;

    if ((code = ox_strdup(&copy.version, installed->version, err)) == OX_OK &&
        (code = ox_strdup(&copy.folder, installed->folder, err)) == OX_OK &&
        (code = ox_manifest_copy(&copy.files, &installed->files, err)) == OX_OK) {
        *out = copy;
        return OX_OK;
    }
    ox_installed_clear(&copy);
    return code;
}

static void clear_model(struct ox_model_state *model)
{
    free(model->model_id);
    ox_installed_clear(&model->current);
    for (size_t i = 0; i < model->kept_count; i++) {
        ox_installed_clear(&model->kept[i]);
    }
}

static void clear_poison(struct ox_poison *poison)
{
    free(poison->model_id);
    free(poison->version);
    free(poison->told_campaign);
}

enum ox_code ox_state_init(struct ox_agent_state *state, const char *device_id, uint64_t first_seq,
                           struct ox_err *err)
{
    *state = (struct ox_agent_state){.next_seq = first_seq};
    return ox_strdup(&state->device_id, device_id, err);
}

void ox_state_clear(struct ox_agent_state *state)
{
    for (size_t i = 0; i < state->models_count; i++) {
        clear_model(&state->models[i]);
    }
    for (size_t i = 0; i < state->poison_count; i++) {
        clear_poison(&state->poison[i]);
    }
    for (size_t i = 0; i < state->reports_count; i++) {
        ox_device_report_clear(&state->reports[i]);
    }
    free(state->device_id);
    free(state->release);
    free(state->last_model);
    free(state->result_error);
    *state = (struct ox_agent_state){0};
}

/* --- models --- */

static size_t model_index(const struct ox_agent_state *state, const char *model_id)
{
    size_t i = 0;

    while (i < state->models_count && strcmp(state->models[i].model_id, model_id) != 0) {
        i++;
    }
    return i;
}

const struct ox_model_state *ox_state_model(const struct ox_agent_state *state,
                                            const char *model_id)
{
    size_t i = model_index(state, model_id);

    return i < state->models_count ? &state->models[i] : NULL;
}

const struct ox_installed *ox_state_previous(const struct ox_model_state *model)
{
    return model->kept_count > 0 ? &model->kept[0] : NULL;
}

bool ox_state_keeps(const struct ox_model_state *model, const char *folder)
{
    bool keeps = model != NULL && folder != NULL && strcmp(model->current.folder, folder) == 0;

    for (size_t i = 0; model != NULL && folder != NULL && !keeps && i < model->kept_count; i++) {
        keeps = strcmp(model->kept[i].folder, folder) == 0;
    }
    return keeps;
}

static void drop_kept(struct ox_model_state *model, size_t index)
{
    ox_installed_clear(&model->kept[index]);
    memmove(&model->kept[index], &model->kept[index + 1],
            (model->kept_count - index - 1) * sizeof(model->kept[0]));
    model->kept_count--;
}

/* What was current is the first of those that are kept. A version that comes again moves. */
static void replace_current(struct ox_model_state *model, struct ox_installed *take)
{
    bool is_same =
        model->current.version != NULL && strcmp(model->current.folder, take->folder) == 0;

    for (size_t i = model->kept_count; i > 0; i--) {
        if (strcmp(model->kept[i - 1].folder, take->folder) == 0) {
            drop_kept(model, i - 1);
        }
    }
    if (is_same) {
        ox_installed_clear(&model->current);
    } else if (model->current.version != NULL) {
        if (model->kept_count == OX_KEEP_MAX) {
            drop_kept(model, OX_KEEP_MAX - 1);
        }
        memmove(&model->kept[1], &model->kept[0], model->kept_count * sizeof(model->kept[0]));
        model->kept[0] = model->current;
        model->kept_count++;
        model->replaced = true;
    }
    model->current = *take;
    *take = (struct ox_installed){0};
}

enum ox_code ox_state_commit(struct ox_agent_state *state, const char *model_id,
                             struct ox_installed *take, size_t keep, struct ox_err *err)
{
    size_t i = model_index(state, model_id);
    struct ox_model_state *model = &state->models[i];
    char *last_model = NULL;
    enum ox_code code;

    if (i == OX_HEARTBEAT_MODELS_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a device keeps at most %d models",
                          OX_HEARTBEAT_MODELS_MAX);
    }
    if ((code = ox_strdup(&last_model, model_id, err)) != OX_OK) {
        return code;
    }
    if (i == state->models_count) {
        *model = (struct ox_model_state){0};
        if ((code = ox_strdup(&model->model_id, model_id, err)) != OX_OK) {
            free(last_model);
            return code;
        }
        state->models_count++;
    }
    free(state->last_model);
    state->last_model = last_model;
    replace_current(model, take);
    (void)ox_state_trim(state, model_id, keep);
    return OX_OK;
}

bool ox_state_trim(struct ox_agent_state *state, const char *model_id, size_t keep)
{
    size_t i = model_index(state, model_id);
    bool changed = false;

    while (i < state->models_count && state->models[i].kept_count > keep) {
        drop_kept(&state->models[i], state->models[i].kept_count - 1);
        changed = true;
    }
    return changed;
}

void ox_state_set_layout(struct ox_agent_state *state, const char *model_id,
                         enum ox_model_layout layout)
{
    size_t i = model_index(state, model_id);

    if (i < state->models_count) {
        state->models[i].layout = layout;
    }
}

void ox_state_forget(struct ox_agent_state *state, const char *model_id)
{
    size_t i = model_index(state, model_id);

    if (i < state->models_count) {
        clear_model(&state->models[i]);
        memmove(&state->models[i], &state->models[i + 1],
                (state->models_count - i - 1) * sizeof(state->models[0]));
        state->models_count--;
    }
}

/* --- poison --- */

struct ox_poison *ox_state_poison(struct ox_agent_state *state,
                                  const struct ox_assignment *assignment)
{
    for (size_t i = 0; i < state->poison_count; i++) {
        struct ox_poison *poison = &state->poison[i];

        if (strcmp(poison->model_id, assignment->model_id) == 0 &&
            strcmp(poison->version, assignment->version) == 0 &&
            ox_digest_equal(&poison->digest, &assignment->digest)) {
            return poison;
        }
    }
    return NULL;
}

uint64_t ox_state_failures(const struct ox_agent_state *state,
                           const struct ox_assignment *assignment)
{
    const struct ox_poison *poison =
        ox_state_poison((struct ox_agent_state *)state, assignment); /* only reads */

    return poison == NULL ? 0 : poison->failures;
}

static void drop_poison(struct ox_agent_state *state, size_t index)
{
    clear_poison(&state->poison[index]);
    memmove(&state->poison[index], &state->poison[index + 1],
            (state->poison_count - index - 1) * sizeof(state->poison[0]));
    state->poison_count--;
}

enum ox_code ox_state_fail(struct ox_agent_state *state, const struct ox_assignment *assignment,
                           struct ox_poison **out, struct ox_err *err)
{
    struct ox_poison *poison = ox_state_poison(state, assignment);

    if (poison == NULL) {
        struct ox_poison fresh = {.digest = assignment->digest};
        enum ox_code code;

        if ((code = ox_strdup(&fresh.model_id, assignment->model_id, err)) != OX_OK ||
            (code = ox_strdup(&fresh.version, assignment->version, err)) != OX_OK) {
            clear_poison(&fresh);
            return code;
        }
        if (state->poison_count == OX_STATE_POISON_MAX) {
            drop_poison(state, 0);
        }
        poison = &state->poison[state->poison_count++];
        *poison = fresh;
    }
    poison->failures++;
    if (out != NULL) {
        *out = poison;
    }
    return OX_OK;
}

void ox_state_unpoison(struct ox_agent_state *state, const struct ox_assignment *assignment)
{
    struct ox_poison *poison = ox_state_poison(state, assignment);

    if (poison != NULL) {
        drop_poison(state, (size_t)(poison - state->poison));
    }
}

/* --- results and reports --- */

enum ox_code ox_state_set_result(struct ox_agent_state *state, const char *error,
                                 struct ox_err *err)
{
    char *copy = NULL;
    enum ox_code code = ox_strdup(&copy, error, err);

    if (code == OX_OK) {
        if (copy != NULL) {
            ox_text_clean(copy); /* a command's output may be in it, and JSON takes UTF-8 alone */
        }
        free(state->result_error);
        state->result_error = copy;
        state->has_result = true;
    }
    return code;
}

static void drop_report(struct ox_agent_state *state, size_t index)
{
    ox_device_report_clear(&state->reports[index]);
    memmove(&state->reports[index], &state->reports[index + 1],
            (state->reports_count - index - 1) * sizeof(state->reports[0]));
    state->reports_count--;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_progress(enum ox_rollout_state state)
{
    return state != OX_ROLLOUT_COMPLETE && state != OX_ROLLOUT_FAILED &&
           state != OX_ROLLOUT_SKIPPED;
}

enum ox_code ox_state_report(struct ox_agent_state *state, const struct ox_device_report *report,
                             struct ox_err *err)
{
    struct ox_device_report copy = *report;
    enum ox_code code;

    copy.campaign_id = copy.model_id = copy.version = NULL;
    copy.error_code = copy.error_message = copy.strategy = copy.stage = NULL;
    copy.stages_ms = json_deep_copy(report->stages_ms);
    if ((code = ox_strdup(&copy.campaign_id, report->campaign_id, err)) != OX_OK ||
        (code = ox_strdup(&copy.model_id, report->model_id, err)) != OX_OK ||
        (code = ox_strdup(&copy.version, report->version, err)) != OX_OK ||
        (code = ox_strdup(&copy.error_code, report->error_code, err)) != OX_OK ||
        (code = ox_strdup(&copy.error_message, report->error_message, err)) != OX_OK ||
        (code = ox_strdup(&copy.strategy, report->strategy, err)) != OX_OK ||
        (code = ox_strdup(&copy.stage, report->stage, err)) != OX_OK) {
        ox_device_report_clear(&copy);
        return code;
    }
    if (copy.error_message != NULL) {
        ox_text_clean(copy.error_message);
    }
    for (size_t i = state->reports_count; i > 0; i--) {
        const struct ox_device_report *queued = &state->reports[i - 1];

        if (is_progress(queued->state) && same_text(queued->campaign_id, copy.campaign_id) &&
            same_text(queued->model_id, copy.model_id) &&
            same_text(queued->version, copy.version)) {
            drop_report(state, i - 1);
        }
    }
    if (state->reports_count == OX_HEARTBEAT_REPORTS_MAX) {
        drop_report(state, 0);
    }
    copy.seq = state->next_seq++;
    state->reports[state->reports_count++] = copy;
    return OX_OK;
}

bool ox_state_ack(struct ox_agent_state *state, uint64_t seq)
{
    size_t before = state->reports_count;

    if (seq > OX_STATE_SEQ_MAX) { /* no server of ours: numbers would run out */
        return false;
    }
    if (seq >= state->next_seq) {
        state->next_seq = seq + 1;
        for (size_t i = 0; i < state->reports_count; i++) {
            state->reports[i].seq = state->next_seq++;
        }
        return true;
    }
    while (state->reports_count > 0 && state->reports[0].seq <= seq) {
        drop_report(state, 0);
    }
    return state->reports_count != before;
}

bool ox_state_drop_reports(struct ox_agent_state *state)
{
    bool any = state->reports_count > 0;

    while (state->reports_count > 0) {
        drop_report(state, state->reports_count - 1);
    }
    return any;
}

enum ox_code ox_state_rename(struct ox_agent_state *state, const char *device_id,
                             struct ox_err *err)
{
    char *copy = NULL;
    enum ox_code code = ox_strdup(&copy, device_id, err);

    if (code == OX_OK) {
        free(state->device_id);
        state->device_id = copy;
        (void)ox_state_drop_reports(state);
        state->next_seq = 1;
    }
    return code;
}
