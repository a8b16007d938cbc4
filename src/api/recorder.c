#include "recorder.h"

#include <stdlib.h>

/* The first digit of a status; the first row is for what has no answer. */
static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

struct ox_recorder {
    size_t rows; /* of ox_routes, and one for what fits none */
    struct ox_histogram histograms[][CLASSES];
};

enum ox_code ox_recorder_new(struct ox_recorder **out, struct ox_err *err)
{
    size_t rows = ox_routes_count + 1;
    struct ox_recorder *recorder =
        calloc(1, sizeof(*recorder) + rows * sizeof(recorder->histograms[0]));

    if (recorder == NULL) {
        return ox_err_nomem(err, "histograms");
    }
    recorder->rows = rows;
    *out = recorder;
    return OX_OK;
}

void ox_recorder_free(struct ox_recorder *recorder)
{
    free(recorder);
}

void ox_recorder_note(struct ox_recorder *recorder, const struct ox_route *route, unsigned status,
                      uint64_t duration_ns)
{
    size_t row = route == NULL ? recorder->rows - 1 : (size_t)(route - ox_routes);
    size_t class = status / 100 < CLASSES ? status / 100 : 0;

    ox_histogram_add(&recorder->histograms[row][class], duration_ns);
}

void ox_recorder_write(struct ox_recorder *recorder, struct ox_prom *out)
{
    static const struct ox_prom_family family = {
        "oxide_http_request_duration_seconds", OX_PROM_HISTOGRAM,
        "Time from a request's head to the first byte of its answer, by route and status."};

    ox_prom_begin(out, &family);
    for (size_t row = 0; row < recorder->rows; row++) {
        const struct ox_route *route = row < ox_routes_count ? &ox_routes[row] : NULL;

        for (size_t class = 0; class < CLASSES; class ++) {
            const struct ox_prom_label labels[] = {
                {"method", route == NULL ? "other" : route->method},
                {"route", route == NULL ? "other" : route->pattern},
                {"status", classes[class]}};

            if (ox_histogram_count(&recorder->histograms[row][class]) > 0) {
                ox_prom_histogram(out, labels, 3, &recorder->histograms[row][class]);
            }
        }
    }
}
