/* uses: delta */
/*
 * Streams of numbers. The input: kind, flags, count (2 bytes), length of the predictions (2 bytes),
 * predictions (repeated as often as the count wants), then a body, which is decoded, or numbers to
 * be encoded. The processor's vectors and the portable path must agree.
 */
#include "../../src/delta/stream_static.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOW_COUNT_MAX 1024 /* of numbers for the slow coder */

enum flags { CONTEXTS = 1, FRESH = 2, PARTS = 4, ENCODES = 8, MIXES = 16 };

struct fuzzed {
    struct stream stream;
    struct stream_part parts[3];
    uint8_t *predicted;
    uint8_t *contexts;
    uint8_t *numbers;
    uint8_t *others;
    size_t len;
};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint8_t *repeated(const uint8_t *bytes, size_t len, size_t want)
{
    uint8_t *out = calloc(want == 0 ? 1 : want, 1);

    must(out != NULL);
    for (size_t i = 0; len > 0 && i < want; i++) {
        out[i] = bytes[i % len];
    }
    return out;
}

/* As in use, coders stay from stream to stream. */
static struct stream_coder *coder;
static struct static_coder *portable;

static void make_coders(void)
{
    if (coder == NULL) {
        must(stream_coder_new(&coder, NULL) == OX_OK);
        must(static_coder_new(&portable, NULL) == OX_OK);
        static_coder_use_vectors(portable, VECTORS_NONE);
    }
}

/* Every path decodes the same; the first says whether there is something. */
static bool decode(struct fuzzed *self, const uint8_t *body, size_t len, size_t *used)
{
    struct ox_reader reader;
    bool good;

    ox_reader_init(&reader, body, len, "body");
    good = stream_decode(coder, &self->stream, self->numbers, &reader, NULL) == OX_OK;
    *used = reader.pos;
    if (len > 0 && body[0] == 0) { /* the fast coder */
        ox_reader_init(&reader, body + 1, len - 1, "body");
        must((static_decode(portable, &self->stream, self->others, &reader, NULL) == OX_OK) ==
             good);
        must(!good || (*used == reader.pos + 1 &&
                       (self->len == 0 || memcmp(self->numbers, self->others, self->len) == 0)));
    }
    return good;
}

static void encode(struct fuzzed *self, const uint8_t *changes, size_t changes_len, bool mixes)
{
    struct ox_buf body = OX_BUF_INIT;
    uint8_t *want = repeated(changes, changes_len, self->len);
    uint64_t cost = 0;
    size_t used = 0;

    for (size_t i = 0; i < self->len; i++) { /* most changes are small, or none */
        want[i] = (uint8_t)(self->predicted[i] + (want[i] < 128 ? 0 : want[i]));
    }
    must(stream_cost(coder, &self->stream, want, &cost, NULL) == OX_OK);
    must(stream_encode(coder, &self->stream, want, mixes, &body, NULL) == OX_OK);
    must(decode(self, body.data, body.len_bytes, &used));
    must(used == body.len_bytes);
    must(self->len == 0 || memcmp(self->numbers, want, self->len) == 0);
    ox_buf_clear(&body);
    free(want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzzed self = {0};
    const uint8_t *body;
    size_t body_len;
    size_t used;
    size_t predicted_len;
    unsigned flags;

    if (size < 6) {
        return 0;
    }
    make_coders();
    flags = data[1];
    self.stream.kind = (enum number_kind)(data[0] % NUMBER_KIND_COUNT);
    self.stream.fresh = (flags & FRESH) != 0;
    self.stream.count = ox_load_u16le(data + 2);
    predicted_len = ox_load_u16le(data + 4) % (size - 5);
    body = data + 6 + predicted_len;
    body_len = size - 6 - predicted_len;
    if ((flags & ENCODES) != 0 ? (flags & MIXES) != 0 : body_len > 0 && body[0] != 0) {
        self.stream.count %= SLOW_COUNT_MAX;
    }
    self.len = self.stream.count * number_kinds[self.stream.kind].width;
    self.predicted = repeated(data + 6, self.stream.fresh ? 0 : predicted_len, self.len);
    self.contexts = repeated(data + 6, predicted_len, self.stream.count);
    self.numbers = repeated(NULL, 0, self.len);
    self.others = repeated(NULL, 0, self.len);
    for (size_t i = 0; i < self.stream.count; i++) {
        self.contexts[i] %= STREAM_CONTEXTS_MAX;
    }
    self.stream.predicted = self.predicted;
    self.stream.contexts = (flags & CONTEXTS) != 0 ? self.contexts : NULL;
    if ((flags & PARTS) != 0) {
        uint32_t first = (uint32_t)(self.stream.count / 3);

        self.parts[0] = (struct stream_part){first, data[0], data[1]};
        self.parts[1] = (struct stream_part){first, (uint32_t)predicted_len, data[4]};
        self.parts[2] = (struct stream_part){(uint32_t)self.stream.count - 2 * first, 0, 0};
        self.stream.parts = self.parts;
        self.stream.part_count = 3;
    }
    if ((flags & ENCODES) != 0) {
        encode(&self, body, body_len, (flags & MIXES) != 0);
    } else {
        (void)decode(&self, body, body_len, &used);
    }
    free(self.predicted);
    free(self.contexts);
    free(self.numbers);
    free(self.others);
    return 0;
}
