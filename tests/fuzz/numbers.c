/* uses: delta */
/*
 * Bodies of NUMBERS frames. The first byte's lowest bit says how the rest is meant:
 *   0  4 bytes of the target's length, 2 of the base's, base, body: decoded as it is
 *   1  parts, numbers and an effort: encoded, decoded, and decoded again with damage
 * The next bit: decode by a fresh decoder, too, into other memory, which must not matter.
 */
#include "../../src/delta/numbers.h"
#include "fuzz.h"

#define TARGET_BYTES_MAX 32768
#define BASE_BYTES_MAX ((uint64_t)1 << 18)
#define PARTS_MAX 8

static enum ox_code decode(struct numbers *numbers, const struct ox_buf *body,
                           const struct fuzz_input *base, uint8_t garbage, uint8_t *target,
                           size_t n)
{
    struct ox_err err = OX_ERR_INIT;
    struct ox_reader reader;
    enum ox_code code;

    ox_reader_init(&reader, body->data, body->len_bytes, "frame body");
    memset(target, garbage, n);
    code = numbers_decode(numbers, &reader, base->data, base->size, target, n, &err);
    must(code == OX_OK || (code == OX_ECORRUPT && err.code == code && err.msg[0] != '\0'));
    must(code != OX_OK || ox_reader_left(&reader) == 0);
    return code;
}

static enum ox_code decode_all(bool twice, struct numbers *used, const struct ox_buf *body,
                               const struct fuzz_input *base, uint8_t *target, size_t n)
{
    struct numbers fresh = {.coder = NULL};
    uint8_t *again = exact_memory(n);
    enum ox_code code = decode(used, body, base, 0x00, target, n);

    if (twice) {
        must(decode(&fresh, body, base, 0xff, again, n) == code);
        must(code != OX_OK || memcmp(again, target, n) == 0);
    }
    numbers_clear(&fresh);
    free(again);
    return code;
}

static void decode_raw(struct fuzz_input *input, bool twice)
{
    size_t n = take_u32(input);
    struct fuzz_input base = take_bytes(input, take_u16(input));
    struct ox_buf body = OX_BUF_INIT;
    struct numbers numbers = {.coder = NULL};
    uint8_t *target;

    if (n == 0 || n > TARGET_BYTES_MAX) {
        return;
    }
    target = exact_memory(n);
    must(ox_buf_append(&body, input->data, input->size, NULL) == OX_OK);
    (void)!decode_all(twice, &numbers, &body, &base, target, n);
    numbers_clear(&numbers);
    ox_buf_clear(&body);
    free(target);
}

/* --- there and back --- */

static bool take_part(struct fuzz_input *input, struct part *part)
{
    struct prediction *how = &part->how;
    uint16_t units;
    unsigned sorts;

    *part = (struct part){.column = 0};
    how->predictor = (enum predictor)(take_u8(input) % PREDICTOR_COUNT);
    how->kind = take_u8(input) % BLOCK_FORMAT_COUNT;
    units = take_u16(input);
    how->columns = take_u16(input);
    switch (how->predictor) {
    case PREDICT_CAST:
        how->from = take_u8(input) % NUMBER_KIND_COUNT;
        how->truncates = (take_u8(input) & 1) != 0;
        break;
    case PREDICT_PRUNED:
        how->threshold = take_u32(input);
        break;
    case PREDICT_GROWN:
        how->base_columns = take_u16(input);
        break;
    case PREDICT_GROWN_CAST:
        how->from = take_u8(input) % NUMBER_KIND_COUNT;
        how->truncates = (take_u8(input) & 1) != 0;
        how->base_columns = take_u16(input);
        break;
    case PREDICT_NIBBLES:
        how->kind = NUMBER_U8;
        break;
    case PREDICT_FACTORS:
        how->rank = take_u8(input) % (FACTORS_RANK_MAX + 1);
        break;
    case PREDICT_SCALED:
    case PREDICT_SCALED_NIBBLES:
        sorts = how->predictor == PREDICT_SCALED_NIBBLES ? 1
                : (how->kind & NUMBER_F8E4M3) == 0       ? SCALES_SORTS
                                                         : SCALES_FLOAT_SORTS;
        how->kind &= sorts == 1 ? NUMBER_I8 : NUMBER_I8 | NUMBER_F8E4M3; /* all that it takes */
        how->axis = take_u8(input) % SCALES_AXIS_COUNT;
        how->sort = (uint8_t)(take_u8(input) % sorts);
        if (how->axis == SCALES_TILES) {
            how->tile = (struct scales_tile){1 + take_u8(input), 1 + take_u8(input)};
            part->row = (uint32_t)take_u8(input) % how->tile.rows;
        }
        break;
    default:
        break;
    }
    part->column = how->columns == 0 ? 0 : take_u16(input) % how->columns;
    if (how->predictor != PREDICT_BLOCKS && how->kind >= NUMBER_KIND_COUNT) {
        return false;
    }
    part->target_bytes = (1 + units % 4096u) * prediction_unit(how);
    return part_ok(part);
}

/* Numbers as the input has them, over and over, or without a pattern; the target's are near. */
static void fill(struct fuzz_input *input, uint8_t *base, size_t base_bytes, uint8_t *target,
                 size_t n)
{
    uint8_t style = take_u8(input);
    uint8_t rate = take_u8(input);
    uint64_t state = take_u32(input) | (uint64_t)1 << 40;
    struct fuzz_input pattern = take_bytes(input, take_u8(input));

    for (size_t i = 0; i < base_bytes; i++) {
        base[i] = pattern.size == 0 ? 0 : pattern.data[i % pattern.size];
        base[i] ^= (uint8_t)((style & 1) != 0 ? draw(&state) & ((style & 2) != 0 ? 255 : 7) : 0);
    }
    for (size_t i = 0; i < n; i++) {
        bool moved = (draw(&state) & 255) < rate;

        target[i] = base_bytes == 0 ? (uint8_t)draw(&state) : base[i % base_bytes];
        target[i] = (uint8_t)(target[i] + (moved ? draw(&state) % (1u + (style >> 2)) : 0));
    }
}

static void damage(struct fuzz_input *input, struct ox_buf *body)
{
    while (input->size >= 3) {
        size_t at = take_u16(input) % body->len_bytes;

        body->data[at] ^= take_u8(input);
    }
}

static void round_trip(struct fuzz_input *input, bool twice)
{
    bool mixes = (take_u8(input) & 1) != 0;
    struct part parts[PARTS_MAX];
    size_t count = 1 + take_u8(input) % PARTS_MAX;
    struct numbers numbers = {.coder = NULL};
    struct ox_buf body = OX_BUF_INIT;
    struct fuzz_input base;
    uint64_t base_bytes = 0;
    uint64_t cost = 0;
    size_t n = 0;
    uint8_t *base_memory;
    uint8_t *target;
    uint8_t *rebuilt;

    for (size_t i = 0; i < count; i++) {
        if (!take_part(input, &parts[i])) {
            return;
        }
        n += parts[i].target_bytes;
        base_bytes += part_base_bytes(&parts[i]);
    }
    if (n > TARGET_BYTES_MAX || base_bytes > BASE_BYTES_MAX) {
        return;
    }
    base_memory = exact_memory((size_t)base_bytes);
    target = exact_memory(n);
    rebuilt = exact_memory(n);
    fill(input, base_memory, (size_t)base_bytes, target, n);
    base = (struct fuzz_input){base_memory, (size_t)base_bytes};
    must(numbers_cost(&numbers, parts, count, target, base_memory, &cost, NULL) == OX_OK);
    must(numbers_encode(&numbers, parts, count, target, base_memory, mixes, &body, NULL) == OX_OK);
    must(decode_all(twice, &numbers, &body, &base, rebuilt, n) == OX_OK);
    must(memcmp(rebuilt, target, n) == 0);
    if (input->size >= 3) {
        damage(input, &body);
        (void)!decode_all(twice, &numbers, &body, &base, rebuilt, n);
    }
    numbers_clear(&numbers);
    ox_buf_clear(&body);
    free(base_memory);
    free(target);
    free(rebuilt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    uint8_t how = take_u8(&input);

    if ((how & 1) == 0) {
        decode_raw(&input, (how & 2) != 0);
    } else {
        round_trip(&input, (how & 2) != 0);
    }
    return 0;
}
