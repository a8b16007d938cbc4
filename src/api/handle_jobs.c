#include "handlers.h"

#include "lists.h"

OX_HANDLER(jobs)
{
    static const struct ox_list_answer list = {
        .page = ox_control_jobs, .before = "{\"jobs\":[", .after = "]}"};

    return ox_reply_list(request, &list, err);
}
