#include "handlers.h"

#include "lists.h"

#include "oxide/control/job.h"

#include <stdlib.h>

OX_HANDLER(jobs)
{
    static const struct ox_list_answer list = {
        .page = ox_control_jobs, .before = "{\"jobs\":[", .after = "]}"};

    return ox_reply_list(request, &list, err);
}

/* Jobs are numbered; an identifier that is no number names none. */
static enum ox_code id_of(const struct ox_request *request, int64_t *out, struct ox_err *err)
{
    const char *text = request->params.value[0];
    char *end = NULL;
    long long id = text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : -1;

    if (id < 0 || *end != '\0') {
        return ox_err_set(err, OX_ENOTFOUND, "there is no delta job %s: jobs have numbers", text);
    }
    *out = id;
    return OX_OK;
}

OX_HANDLER(job)
{
    json_t *out = NULL;
    int64_t id = 0;
    enum ox_code code = id_of(request, &id, err);

    if (code == OX_OK) {
        code = ox_control_job(request->api->control, id, &out, err);
    }
    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

static enum ox_code act(struct ox_request *request, enum ox_job_action action, struct ox_err *err)
{
    json_t *out = NULL;
    int64_t id = 0;
    enum ox_code code = id_of(request, &id, err);

    if (code == OX_OK) {
        code = ox_control_job_act(request->api->control, id, action, &out, err);
    }
    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(job_retry)
{
    return act(request, OX_JOB_RETRY, err);
}

OX_HANDLER(job_cancel)
{
    return act(request, OX_JOB_CANCEL, err);
}
