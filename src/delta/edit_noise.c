#include "edit_noise.h"

#include "oxide/base/reader.h"
#include "oxide/patch/oxdl.h"

#include <string.h>

#define WINDOW ((uint32_t)1024)    /* and up to twice that */
#define WINDOW_MIN ((uint32_t)256) /* what else is left between two origins */
#define HASHED 8                   /* bytes that a place is found by */
#define REPEAT_MIN 16              /* shorter ones are hardly worth a copy's token */

/* Chi-squared of a window's 256 counts: 255 on average for noise, with a deviation of 22.6. Noise
 * is above this once in some 40,000 windows; what is below saves at most 1 % as literals. */
#define CHI_MOST 352
#define CHI_MEAN 255

/* Chi-squared beyond its mean is 2 ln 2 times the bits that a model of these counts saves, where
 * they are nearly even: 11.09 to a byte. */
#define CHI_TO_BYTE 11

/* What is counted of each byte: itself, and differences to others. */
enum { ITSELF, TO_LAST, TO_SECOND_LAST, TO_OLD, SORTS };

struct counts {
    uint32_t of[SORTS][256];
};

struct window {
    uint32_t at; /* in the history */
    uint32_t end;
    uint32_t dist; /* where it likely comes from; 0: nothing is known */
    bool copied;   /* ... and it is equal to that */
};

struct finder {
    const struct edit_frame *frame;
    uint32_t *places; /* + 1, in the history */
    unsigned places_log2;
    unsigned chosen_log2; /* of so many places, one is remembered */
    uint32_t goes_on;     /* the last repeat does, if a window begins here: ... */
    uint32_t dist;        /* ... of what is so far before */
    struct counts all;    /* of the windows of noise */
    uint64_t marks[OX_OXDL_FRAME_TARGET_MAX / WINDOW_MIN / 64]; /* which those are */
};

/* --- literals --- */

static void count_window(const struct edit_frame *frame, const struct window *window,
                         struct counts *out)
{
    const uint8_t *history = frame->history;

    memset(out, 0, sizeof(*out));
    for (uint32_t at = window->at; at < window->end; at++) {
        uint8_t byte = history[at];
        uint8_t last = at > 0 ? history[at - 1] : 0;
        uint8_t second = at > 1 ? history[at - 2] : 0;

        out->of[ITSELF][byte]++;
        out->of[TO_LAST][(uint8_t)(byte - last)]++;
        out->of[TO_SECOND_LAST][(uint8_t)(byte - second)]++;
        out->of[TO_OLD][window->dist > 0 ? (uint8_t)(byte - history[at - window->dist]) : byte]++;
    }
}

static uint64_t chi_squared(const uint32_t *counts, uint64_t n)
{
    uint64_t squares = 0;

    for (size_t i = 0; i < 256; i++) {
        squares += (uint64_t)counts[i] * counts[i];
    }
    return squares * 256 / n - n;
}

static bool is_even(const struct counts *counts, uint32_t n)
{
    for (size_t sort = 0; sort < SORTS; sort++) {
        if (chi_squared(counts->of[sort], n) > CHI_MOST) {
            return false;
        }
    }
    return true;
}

static void add_counts(struct counts *to, const struct counts *from)
{
    for (size_t sort = 0; sort < SORTS; sort++) {
        for (size_t i = 0; i < 256; i++) {
            to->of[sort][i] += from->of[sort][i];
        }
    }
}

/* Bytes that a model would save, by what all windows together show. */
static uint32_t saved_by_models(const struct counts *all)
{
    uint64_t most = 0;
    uint64_t n = 0;

    for (size_t i = 0; i < 256; i++) {
        n += all->of[ITSELF][i];
    }
    for (size_t sort = 0; sort < SORTS; sort++) {
        uint64_t chi = chi_squared(all->of[sort], n);
        uint64_t saved = chi > CHI_MEAN ? (chi - CHI_MEAN) / CHI_TO_BYTE : 0;

        most = saved > most ? saved : most;
    }
    return (uint32_t)(most < n ? most : n);
}

/* --- copies --- */

/* Places whose next bytes choose them: the same bytes do so wherever they stand. NULL: not one. */
static uint32_t *chosen(const struct finder *self, uint32_t at)
{
    uint64_t hash = ox_load_u64le(self->frame->history + at) * 0x9e3779b97f4a7c15u;

    return hash >> (64 - self->chosen_log2) != 0
               ? NULL
               : &self->places[hash << self->chosen_log2 >> (64 - self->places_log2)];
}

static void remember(struct finder *self, uint32_t at, uint32_t end)
{
    for (; at + HASHED <= end; at++) {
        uint32_t *place = chosen(self, at);

        if (place != NULL) {
            *place = at + 1;
        }
    }
}

/* How many bytes from `at` on, up to `end`, are those dist before? */
static uint32_t equal_len(const uint8_t *history, uint32_t at, uint32_t end, uint32_t dist)
{
    uint32_t start = at;

    while (end - at >= 8 && ox_load_u64le(history + at) == ox_load_u64le(history + at - dist)) {
        at += 8;
    }
    while (at < end && history[at] == history[at - dist]) {
        at++;
    }
    return at - start;
}

/* ... and how many before `at`, from `start` on? */
static uint32_t equal_before(const uint8_t *history, uint32_t start, uint32_t at, uint32_t dist)
{
    uint32_t count = 0;

    while (at - count > start && at - count > dist &&
           history[at - count - 1] == history[at - count - 1 - dist]) {
        count++;
    }
    return count;
}

/* Remember [at, end), and count what of it stands before. A repeat up to `end` goes on where the
 * next window begins. */
static uint32_t count_repeats(struct finder *self, uint32_t at, uint32_t end)
{
    const uint8_t *history = self->frame->history;
    uint32_t start = at;
    uint32_t repeats = 0;

    if (self->goes_on == at && self->dist > 0) {
        start += equal_len(history, at, end, self->dist);
        repeats += start - at;
        remember(self, at, start);
    }
    for (at = start; at + HASHED <= end; at++) {
        uint32_t *place = chosen(self, at);
        uint32_t before = place == NULL ? 0 : *place;
        uint32_t back;
        uint32_t len;

        if (place != NULL) {
            *place = at + 1;
        }
        if (before == 0) {
            continue;
        }
        self->dist = at + 1 - before;
        back = equal_before(history, start, at, self->dist);
        len = equal_len(history, at, end, self->dist);
        if (back + len >= REPEAT_MIN) {
            remember(self, at + 1, at + len);
            repeats += back + len;
            start = at + len;
            at = start - 1;
        }
    }
    self->goes_on = start == end ? end : 0;
    return repeats;
}

/* --- windows --- */

static bool may_be_noise(const struct window *window)
{
    return !window->copied && window->end - window->at >= WINDOW_MIN;
}

/* The next window from `at` on: at most 2 * WINDOW long, or copied, and from one origin. */
static struct window next_window(const struct edit_frame *frame, uint32_t at, size_t *hint)
{
    struct window window = {.at = at, .end = frame->gathered + frame->n};
    uint32_t run = 0;

    while (*hint < frame->hint_count && frame->gathered + frame->hints[*hint].at <= at) {
        (*hint)++;
    }
    if (*hint < frame->hint_count && frame->gathered + frame->hints[*hint].at < window.end) {
        window.end = frame->gathered + frame->hints[*hint].at;
    }
    if (*hint > 0 && frame->hints[*hint - 1].dist <= at) { /* and not before the history */
        window.dist = frame->hints[*hint - 1].dist;
        run = equal_len(frame->history, at, window.end, window.dist);
    }
    window.copied = run >= REPEAT_MIN;
    if (window.copied) {
        window.end = at + run;
    } else if (window.end - at >= 2 * WINDOW) {
        window.end = at + WINDOW;
    }
    return window;
}

/* The first pass over all windows: count the bytes of those that are noise, and tell which. */
static uint32_t mark_noise(struct finder *self)
{
    const struct edit_frame *frame = self->frame;
    struct window window = {.end = frame->gathered};
    struct counts counts;
    uint32_t noise = 0;
    size_t marked = 0;
    size_t hint = 0;

    while (window.end < frame->gathered + frame->n) {
        uint32_t len;

        window = next_window(frame, window.end, &hint);
        len = window.end - window.at;
        if (may_be_noise(&window)) {
            count_window(frame, &window, &counts);
            if (is_even(&counts, len)) {
                self->marks[marked / 64] |= (uint64_t)1 << marked % 64;
                add_counts(&self->all, &counts);
                noise += len;
            }
            marked++;
        }
    }
    return noise;
}

/* The second pass: count how many bytes of noise stand before. */
static uint32_t find_repeats(struct finder *self)
{
    const struct edit_frame *frame = self->frame;
    struct window window = {.end = frame->gathered};
    uint32_t repeats = 0;
    size_t marked = 0;
    size_t hint = 0;

    remember(self, 0, frame->gathered);
    while (window.end < frame->gathered + frame->n) {
        bool is_noise = false;

        window = next_window(frame, window.end, &hint);
        if (may_be_noise(&window)) {
            is_noise = (self->marks[marked / 64] >> marked % 64 & 1) != 0;
            marked++;
        }
        if (is_noise) {
            repeats += count_repeats(self, window.at, window.end);
        } else if (!window.copied) {
            remember(self, window.at, window.end);
        }
    }
    return repeats;
}

uint32_t edit_noise_find(const struct edit_frame *frame, uint32_t *places, unsigned places_log2)
{
    struct finder self = {
        .frame = frame, .places = places, .places_log2 = places_log2, .chosen_log2 = 3};
    uint32_t all = frame->gathered + frame->n;
    uint32_t noise = mark_noise(&self);
    uint32_t less;

    if (noise == 0 || noise < frame->n / EDIT_NOISE_SHARE) {
        return 0;
    }
    while (all >> self.chosen_log2 > (uint32_t)1 << (places_log2 - 1)) {
        self.chosen_log2++;
    }
    memset(places, 0, sizeof(*places) << places_log2);
    less = find_repeats(&self) + saved_by_models(&self.all);
    return noise > less && noise - less >= frame->n / EDIT_NOISE_SHARE ? noise - less : 0;
}
