/* uses: delta */
/*
 * The mixing coder: the input's front chooses a stream's kind and shape, the middle its
 * predictions, the rest is decoded as a body. What comes out must survive another round.
 */
#include "../../src/delta/stream_mixing.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t predicted[COUNT_MAX * 4];
    static uint8_t contexts[COUNT_MAX];
    static uint8_t numbers[COUNT_MAX * 4];
    static uint8_t again[COUNT_MAX * 4];
    struct stream_part parts[2] = {{0}};
    struct stream stream = {.predicted = predicted, .parts = parts};
    struct mixing_coder *coder = NULL;
    struct ox_buf body = OX_BUF_INIT;
    struct ox_reader reader;
    size_t len;
    size_t take;

    if (size < 12) {
        return 0;
    }
    stream.kind = (enum number_kind)(data[0] % NUMBER_KIND_COUNT);
    stream.fresh = (data[1] & 1) != 0;
    stream.contexts = (data[1] & 2) != 0 ? contexts : NULL;
    stream.count = (size_t)(data[2] | data[3] << 8) % (COUNT_MAX + 1);
    stream.part_count = 2;
    parts[0].count = (uint32_t)(stream.count * data[4] / 256);
    parts[0].columns = data[5];
    parts[0].column = data[5] != 0 ? (uint32_t)data[6] % data[5] : 0;
    parts[1].count = (uint32_t)stream.count - parts[0].count;
    parts[1].columns = data[7] | (uint32_t)data[8] << 8;
    len = stream.count * number_kinds[stream.kind].width;
    take = (size - 12) * data[9] / 256;
    data += 12;
    size -= 12;
    memset(predicted, 0, sizeof(predicted));
    for (size_t i = 0; i < len && !stream.fresh && take > 0; i++) {
        predicted[i] = data[i % take];
    }
    for (size_t i = 0; i < stream.count && take > 0; i++) {
        contexts[i] = data[i % take] % STREAM_CONTEXTS_MAX;
    }
    must(mixing_coder_new(&coder, NULL) == OX_OK);
    ox_reader_init(&reader, data + take, size - take, "fuzz");
    if (mixing_decode(coder, &stream, numbers, &reader, NULL) == OX_OK) {
        must(mixing_encode(coder, &stream, numbers, &body, NULL) == OX_OK);
        ox_reader_init(&reader, body.data, body.len_bytes, "fuzz");
        must(mixing_decode(coder, &stream, again, &reader, NULL) == OX_OK);
        must(ox_reader_left(&reader) == 0 && memcmp(numbers, again, len) == 0);
    }
    ox_buf_clear(&body);
    mixing_coder_free(coder);
    return 0;
}
