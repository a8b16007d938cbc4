#include "handlers.h"

#include "metrics.h"

OX_HANDLER(metrics)
{
    struct ox_prom text = {.err = err};
    enum ox_code code = ox_metrics_write(request->api, &text, err);

    if (code != OX_OK) {
        ox_buf_clear(&text.text);
        return code;
    }
    return ox_reply_bytes(request, 200, OX_PROMETHEUS_MEDIA, (char *)text.text.data,
                          text.text.len_bytes, err);
}
