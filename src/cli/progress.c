#include "progress.h"

#include "human.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS 100
#define BAR_COLUMNS_MAX 40
#define TEXT_COLUMNS 64 /* what stands beside the bar at most */

unsigned ox_terminal_columns(FILE *out)
{
    struct winsize size;

    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

static void draw(struct ox_bar *bar, uint64_t done, uint64_t total, int64_t took_ms)
{
    char have[OX_HUMAN_MAX];
    char whole[OX_HUMAN_MAX];
    char rate[OX_HUMAN_MAX];
    char left[OX_HUMAN_MAX] = "";
    char blocks[BAR_COLUMNS_MAX + 1];
    unsigned columns = ox_terminal_columns(bar->out);
    unsigned width = columns > TEXT_COLUMNS + 10 ? columns - TEXT_COLUMNS : 0;
    double share = total > 0 ? (double)done / (double)total : 0;
    double per_ms = took_ms > 0 ? (double)(done - bar->first_done) / (double)took_ms : 0;
    unsigned filled;

    share = share > 1 ? 1 : share;
    width = width > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : width;
    filled = (unsigned)(share * width);
    memset(blocks, '#', filled);
    memset(blocks + filled, '.', width - filled);
    blocks[width] = '\0';
    if (per_ms > 0 && total > done) {
        (void)ox_human_duration((uint64_t)((double)(total - done) / per_ms), left);
    }
    (void)fprintf(bar->out, "\r\033[K%s %s%s%s%3u %%  %s of %s  %s/s%s%s", bar->label,
                  width > 0 ? "[" : "", blocks, width > 0 ? "] " : "", (unsigned)(share * 100),
                  ox_human_size(done, have), ox_human_size(total, whole),
                  ox_human_size((uint64_t)(per_ms * 1000), rate), left[0] != '\0' ? "  left " : "",
                  left);
    (void)fflush(bar->out);
    bar->drawn = true;
}

static void update(void *ctx, uint64_t done, uint64_t total)
{
    struct ox_bar *bar = ctx;
    int64_t now;

    atomic_store(&bar->done, done);
    atomic_store(&bar->total, total);
    if (atomic_flag_test_and_set(&bar->drawing)) {
        return; /* another thread is at it */
    }
    now = bar->clock->mono_ms(bar->clock->ctx);
    if (!bar->seen) {
        bar->seen = true;
        bar->first_done = done < total ? done : 0;
    }
    if (bar->first_done > done) {
        bar->first_done = done; /* the work began anew */
    }
    if (bar->terminal && now - bar->start_mono_ms >= OX_BAR_QUIET_MS &&
        (!bar->drawn || now - bar->drawn_mono_ms >= REDRAW_MS)) {
        draw(bar, done, total, now - bar->start_mono_ms);
        bar->drawn_mono_ms = now;
    }
    atomic_flag_clear(&bar->drawing);
}

void ox_bar_start(struct ox_bar *bar, const char *label, FILE *out, bool terminal,
                  const struct ox_clock *clock)
{
    memset(bar, 0, sizeof(*bar));
    bar->progress = (struct ox_progress){bar, update};
    bar->out = out;
    bar->terminal = terminal;
    bar->label = label;
    bar->clock = clock;
    bar->start_mono_ms = clock->mono_ms(clock->ctx);
    atomic_flag_clear(&bar->drawing);
    atomic_init(&bar->done, 0);
    atomic_init(&bar->total, 0);
}

void ox_bar_end(struct ox_bar *bar, bool success)
{
    int64_t took_ms = bar->clock->mono_ms(bar->clock->ctx) - bar->start_mono_ms;
    uint64_t done = atomic_load(&bar->done);
    char size[OX_HUMAN_MAX];
    char time[OX_HUMAN_MAX];
    char rate[OX_HUMAN_MAX];

    if (bar->drawn) {
        (void)fprintf(bar->out, "\r\033[K");
    }
    if (success && took_ms >= OX_BAR_QUIET_MS && bar->seen) {
        uint64_t worked = done - (bar->first_done < done ? bar->first_done : done);

        (void)fprintf(bar->out, "%s: %s in %s, %s/s\n", bar->label, ox_human_size(done, size),
                      ox_human_duration((uint64_t)took_ms, time),
                      ox_human_size(worked * 1000 / (uint64_t)took_ms, rate));
    }
    (void)fflush(bar->out);
}
