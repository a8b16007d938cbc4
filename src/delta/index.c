#include "index.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_LOG2_MIN 10
#define PROBES 16
#define UNITS_LOG2 24 /* places are told by a unit of the base; the rest of 32 bits is a tag */
#define BLOCK_BYTES ((size_t)256 * 1024)
#define NONE UINT64_MAX

struct anchor_index {
    const struct ox_source *base;
    uint64_t from;
    uint64_t to;
    uint64_t window;
    unsigned unit_log2;
    unsigned places_log2;
    uint8_t *unit;    /* bytes of one unit, and INDEX_HASHED before it */
    uint32_t *places; /* tag above the unit + 1; 0: free */
};

/* SplitMix64 from the seed "oxdl 2.0": any fixed random numbers would do. */
const uint64_t roll_gear[256] = {
    0xbba823b45ca0edc5u, 0x94265193dea5cee3u, 0x96fdf7ee6de53780u, 0x72e882abcbb7b967u,
    0x047c60c7e923c240u, 0x5189370bec3916e3u, 0xd9d29320d9a1ae6fu, 0x4720c1d5926524b0u,
    0x22f04366ab309704u, 0xfd715dc6a7965bc4u, 0x84f3bfebfab956f0u, 0xc2d0ca88682542e3u,
    0x08db904faa5a6a40u, 0x8ddfd09b79f94352u, 0x9e0e1d18ccd3f1b9u, 0x0339e584f85247f2u,
    0xfbff17c91b52db92u, 0xd8fad51594d84440u, 0xb0a077f7c5848667u, 0x4fca5884abd8f487u,
    0xdc0982316398d7b4u, 0xc89920ee63907ceau, 0xd862dc6c815ed20bu, 0x07327eae2b53ff00u,
    0x65ab1a35a66985b9u, 0xe7a188228ba7a662u, 0xb88f00bee157e08cu, 0xe99da0c9ae79e14bu,
    0xe33f9d04c7f33ca9u, 0x891de35824a96784u, 0x3a8022db495ce677u, 0x1305267874707f17u,
    0x6af7f691faab4ba2u, 0x80f3fca36a006d41u, 0xcd3e6e9a85bc8940u, 0x7da8854fbb0e7a8bu,
    0x544dc2bc593f6b95u, 0x64b5df228f062dd4u, 0x41807161004ca9a9u, 0x9b10d1b901f7b7b4u,
    0x284254759c652cf9u, 0xc7dd405328be0117u, 0x19a587b037d4de6fu, 0xb94d267c8edb99d5u,
    0xd073c3ba8677a58fu, 0x71a54ff6937a9e14u, 0x53238648c769f37du, 0x3523272c75b838f1u,
    0xcd393fe84bc0994cu, 0xcc0d635974bc789bu, 0xcf48a72562b8e426u, 0xcad39ccc8274feb0u,
    0xec66a9699ed4b4e7u, 0xcf4da7bfbff7d1cfu, 0x1fc102a14367a36du, 0x6a9c76b1a2a4f4cau,
    0x19e078d08597cb22u, 0x868e0ae2abe61db4u, 0x170347d8835a996cu, 0xd9009ca4b8f88adeu,
    0x13475babd0f67a6au, 0x11359bba355a50fbu, 0x984739714b3b657eu, 0x7079292b92b3ed68u,
    0xd93883121d789bd3u, 0x181e385e1db595aau, 0xe77cee85335ee092u, 0x9e360286b6735856u,
    0x9395cfaaf2b0cb25u, 0xf564bd4014a2b094u, 0xaba9a22f558db3d2u, 0x6984d0373df777c2u,
    0xb5f3280854f183deu, 0xce5b9dc69ea2a072u, 0xf06a4e284331f647u, 0x9737063da24890b3u,
    0xca9ea0be56d332e1u, 0xe21ae2e451bce6a0u, 0x05be82520c9210d5u, 0xf5610de1fc189794u,
    0x9d01784a695caad0u, 0xd7b41b02687b3792u, 0x11c2c7a9ea98feafu, 0x68402f9150e1ab4bu,
    0x24ebf31917cda7feu, 0x600687acabefd974u, 0xedbb267f33ec9f3du, 0x4b2b3e9bb59d6113u,
    0x762ac5eb28129ccfu, 0xf4cc2d0c12efb6c8u, 0x8573d05d31e908e8u, 0xe4aca47ca32c7111u,
    0x4d5f22727cf36800u, 0xd587009009470248u, 0x02750ac589d401fdu, 0x5762c91a71cc8ceau,
    0xffb4361d565b140du, 0x1a43fb5c5cb56d40u, 0x00486642a35f477eu, 0xeee77d14d9eb156eu,
    0x6670d3c13ba85595u, 0x8a463c0c9c01c176u, 0x8435c692df69b410u, 0x83cf2630f11e3512u,
    0x02de84dfbf9295dcu, 0xbd0c004002e03c0cu, 0x8d608bd070f3cb5cu, 0xf37699ff4450a12bu,
    0x10df0f8ff09aa8a4u, 0xa30413223f00c5b6u, 0x765bc3596f1181f3u, 0x7b59bfdffab89e96u,
    0x65f842445ddeee1eu, 0xd902967fb0fce0bdu, 0xc42b579ad4394463u, 0x023c13b02947669bu,
    0xb423f7ab6dda4a5cu, 0xb1a41c989b9c119du, 0x7bc7812a5393c29bu, 0xa37bb59f222e006bu,
    0x34f447d207936338u, 0x142d5529dd7cf33eu, 0x030467756e0f6205u, 0xe8223d1e663b3e55u,
    0x84bc8c5482ba69e3u, 0x11614726fe2da9c0u, 0x8e8e95b391ae5ab9u, 0x6111b48c15e28abeu,
    0x8b7f3bb7981a49e0u, 0xa218e04221127f94u, 0x6637b04ccab23577u, 0x748d5eb6d0db175cu,
    0x42639bc824b425d1u, 0x6fe1af9328eadfefu, 0x1c0742bbaf98db56u, 0x5f765499d6243efau,
    0x0aff82602f8cda4bu, 0xa4692c1f2bcfd8feu, 0xf13a77adbab97e3du, 0x9c0651b4b25ad9a3u,
    0xa8d57121ba578c7au, 0x3489b63bcb9fdda0u, 0xe3c6cc5830028f21u, 0x8fc22e44cff41798u,
    0x4f0e61eed958ac99u, 0xea45b09df53937afu, 0x93a04d074bf06e5fu, 0x672ed6abae2ff7c3u,
    0xf1052ccd8f0d723du, 0x7be9c5a4b36e2154u, 0xc99c51d76d913e75u, 0xdb8bcf5cd3b66101u,
    0x043c14ec338851dcu, 0x806643d8f7b73a0eu, 0x365504744cf846fcu, 0x0bd8edd20ef37c2eu,
    0x11728c2a2dbfeec3u, 0x9cde8e1aff2989f6u, 0xcce6f00999ca867du, 0x0b17b97254f54394u,
    0x2d4208410236c2a5u, 0x8f7bb5a8d7a1700du, 0x7276b5a2fa99a153u, 0x3bb894df3035aac2u,
    0xec95b6a3151c4b40u, 0x68e44037340e9360u, 0xc703c42ada823050u, 0xdba606356f6fba7eu,
    0x128db0a807322897u, 0xd53bb116f97638a8u, 0xef48773c72ccaac9u, 0x4fbab2b7b3939fceu,
    0x34720e6fdb44d1a0u, 0x9d1ca2d1e3b922f0u, 0x31579003367d0e54u, 0xa960aaf1ba9934a9u,
    0x3d4110b7e48e74b8u, 0xfd09e3542567df01u, 0x522f74b6ecff16afu, 0x758421bcf6a9255au,
    0xeed632b57d86cd5fu, 0xd68fc574873844ffu, 0x89d804d867f432efu, 0x3fe6130527584062u,
    0x851e827e51129645u, 0x3f38d4ff6739d684u, 0xca3c3cb5237d3d6cu, 0x89bc2b1d08bf08b1u,
    0x82852476d9c4bfe3u, 0x74ea40423fac28c0u, 0x5c3e573f3fedf3c2u, 0xc526769a43460ae9u,
    0x4fb883d699d209f2u, 0x8f90bbf46312de5du, 0x48184f9f1acbaf49u, 0x059f8aa8f14816dcu,
    0x2269a7d780af540au, 0x09f620e845948940u, 0x908f1ae7de6393e0u, 0xcacc19888e780790u,
    0x83dbcf7c51afbcf1u, 0xeeee651076f5eba9u, 0x4a594284b90bf0c4u, 0x7fb6fd66a300cb59u,
    0x4b41228b2df84863u, 0xdd686d7a4a2d521au, 0xc7b84225157f2c67u, 0xc9873757861370d9u,
    0xe62279b61c65add1u, 0x04f315d449465442u, 0xa0c0cb8618e904e9u, 0x28f43d76cd7e2f09u,
    0xd7857e71cdb5f44du, 0x79c17eafde088f08u, 0x26eb37f89bc12876u, 0xb9dfbbe51cf401c7u,
    0x0a25943e68bc4ac7u, 0x630f53775df17530u, 0x4d0f2ef2efd10a81u, 0xf42ef1f6d3426cbau,
    0x4aa68b471e869710u, 0x1e66993b74ec7334u, 0xdce061e33a06173eu, 0x316b36747c882020u,
    0xbedb610bd34c4542u, 0xe33156d4dfc55152u, 0x2856441cd63d1351u, 0x2d1728aaf516636cu,
    0x3d8655cab0920186u, 0xe0c6e31922287baeu, 0x12357380e7a24baau, 0xe324cc1214bbc4beu,
    0xa4384deea0c91a05u, 0xfcb3a615c4bb6639u, 0xd12f00020df23b7eu, 0xf18566ba07bcc910u,
    0x62e1c4f8a4153ae5u, 0x970496da657eb820u, 0x4abc209e63187a81u, 0x1950ebf3e9868ff3u,
    0x7e5c904ce75d6b74u, 0xc0fdf9afe0499e1eu, 0xf260878ce6c07e54u, 0x316be13e25335555u,
    0xe062c0762619f078u, 0xfdaf6c8c5bbfaddeu, 0x88b21176e33ae195u, 0x1fbe14bfa98b8d25u,
    0xc7f4d22d0eac0f58u, 0x6274465a8506b697u, 0x2111ff11bf571225u, 0xfcb642cfc95d9715u,
    0x4e5726069f68fa34u, 0xb8ab5b0e5692b711u, 0xc556d06e38b71768u, 0x016fe4039e212764u,
};

/* --- scanning --- */

enum ox_code anchor_scan_init(struct anchor_scan *scan, uint64_t window, struct ox_err *err)
{
    uint64_t size = 1;

    while (size < window) {
        size *= 2;
    }
    scan->ring = calloc((size_t)size, sizeof(*scan->ring));
    if (scan->ring == NULL) {
        return ox_err_nomem(err, "looking for moved content");
    }
    scan->mask = size - 1;
    scan->window = window;
    anchor_scan_reset(scan);
    return OX_OK;
}

void anchor_scan_reset(struct anchor_scan *scan)
{
    scan->hash = 0;
    scan->count = 0;
    scan->least = UINT64_MAX;
    scan->least_at = 0;
}

void anchor_scan_clear(struct anchor_scan *scan)
{
    free(scan->ring);
    *scan = (struct anchor_scan){0};
}

/* The least of n hashes, of equal ones the last: so a run of one byte has no more anchors than
 * others. */
static void choose_among(struct anchor_scan *scan, const uint64_t *hashes, uint64_t n, uint64_t at)
{
    uint64_t least = scan->least;
    uint64_t least_at = scan->least_at;

    for (uint64_t i = 0; i < n; i++) {
        least_at = hashes[i] <= least ? at + i : least_at;
        least = hashes[i] <= least ? hashes[i] : least;
    }
    scan->least = least;
    scan->least_at = least_at;
}

void anchor_scan_choose(struct anchor_scan *scan)
{
    uint64_t first = scan->count - scan->window + 1;
    uint64_t start = first & scan->mask;
    uint64_t to_end = scan->mask + 1 - start;
    uint64_t n = scan->window < to_end ? scan->window : to_end;

    scan->least = UINT64_MAX;
    choose_among(scan, scan->ring + start, n, first);
    choose_among(scan, scan->ring, scan->window - n, first + n);
}

/* --- the table --- */

/* Least hashes are all small: spread them over the table. */
static uint64_t spread(uint64_t hash)
{
    hash = (hash ^ hash >> 31) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 29) * 0x94d049bb133111ebu;
    return hash ^ hash >> 32;
}

static uint32_t tag_of(uint64_t mixed)
{
    return (uint32_t)(mixed & 0xff) << UNITS_LOG2;
}

static void insert(struct anchor_index *index, uint64_t hash, uint64_t end)
{
    uint64_t mixed = spread(hash);
    uint64_t mask = ((uint64_t)1 << index->places_log2) - 1;
    uint64_t place = mixed >> (64 - index->places_log2);
    uint64_t unit = (end - index->from) >> index->unit_log2;

    /* The same content, however often, takes so many places; the first serves. */
    for (unsigned probe = 0; probe < PROBES; probe++, place = (place + 1) & mask) {
        if (index->places[place] == 0) {
            index->places[place] = tag_of(mixed) | (uint32_t)(unit + 1);
            return;
        }
    }
}

/* Anchors on their way into the table: so many are looked up together, for memory is slow. */
#define BATCH 32

struct batch {
    size_t count;
    uint64_t hashes[BATCH];
    uint64_t ends[BATCH];
};

static void insert_batch(struct anchor_index *index, struct batch *batch)
{
#if defined(__GNUC__)
    for (size_t i = 0; i < batch->count; i++) {
        __builtin_prefetch(&index->places[spread(batch->hashes[i]) >> (64 - index->places_log2)],
                           1);
    }
#endif
    for (size_t i = 0; i < batch->count; i++) {
        insert(index, batch->hashes[i], batch->ends[i]);
    }
    batch->count = 0;
}

static enum ox_code fill(struct anchor_index *self, struct ox_stop *stop, struct ox_err *err)
{
    struct anchor_scan scan = {0};
    struct batch batch = {.count = 0};
    uint8_t *block = malloc(BLOCK_BYTES);
    enum ox_code code = anchor_scan_init(&scan, self->window, err);

    if (code == OX_OK && block == NULL) {
        code = ox_err_nomem(err, "an index of the base");
    }
    for (uint64_t at = self->from; code == OX_OK && at < self->to;) {
        uint64_t left = self->to - at;
        size_t take = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;

        if (ox_stop_requested(stop)) {
            code = ox_err_set(err, OX_ECANCELED, "stopped while indexing the base");
            break;
        }
        code = ox_source_read(self->base, at, block, take, err);
        for (size_t i = 0; code == OX_OK && i < take; i++) {
            if (anchor_scan_byte(&scan, block[i])) {
                batch.hashes[batch.count] = scan.least;
                batch.ends[batch.count++] = self->from + scan.least_at;
                if (batch.count == BATCH) {
                    insert_batch(self, &batch);
                }
            }
        }
        at += take;
    }
    insert_batch(self, &batch);
    anchor_scan_clear(&scan);
    free(block);
    return code;
}

static unsigned places_log2_for(uint64_t len_bytes, uint64_t max_bytes)
{
    unsigned log2 = PLACES_LOG2_MIN;

    while (sizeof(uint32_t) << (log2 + 1) <= max_bytes &&
           (uint64_t)1 << log2 < len_bytes / (INDEX_WINDOW_MIN / 3)) {
        log2++;
    }
    return log2;
}

uint64_t anchor_index_bytes(uint64_t len_bytes, uint64_t max_bytes)
{
    return sizeof(uint32_t) << places_log2_for(len_bytes, max_bytes);
}

enum ox_code anchor_index_new(struct anchor_index **out, const struct ox_source *base,
                              uint64_t from, uint64_t to, uint64_t max_bytes, struct ox_stop *stop,
                              struct ox_err *err)
{
    struct anchor_index *self = calloc(1, sizeof(*self));
    uint64_t places;
    enum ox_code code;

    if (self == NULL) {
        return ox_err_nomem(err, "an index of the base");
    }
    self->base = base;
    self->from = from;
    self->to = to;
    self->places_log2 = places_log2_for(to - from, max_bytes);
    places = (uint64_t)1 << self->places_log2;
    self->window = (to - from) / (places / 3); /* 2 anchors in W bytes: the table is 2/3 full */
    self->window = self->window < INDEX_WINDOW_MIN ? INDEX_WINDOW_MIN : self->window;
    while ((to - from) >> self->unit_log2 >= ((uint64_t)1 << UNITS_LOG2) - 1) {
        self->unit_log2++;
    }
    self->unit = malloc(INDEX_HASHED + ((size_t)1 << self->unit_log2));
    self->places = calloc((size_t)places, sizeof(*self->places));
    code = self->unit == NULL || self->places == NULL ? ox_err_nomem(err, "an index of the base")
                                                      : fill(self, stop, err);
    if (code != OX_OK) {
        anchor_index_free(self);
        return code;
    }
    *out = self;
    return OX_OK;
}

void anchor_index_free(struct anchor_index *index)
{
    if (index != NULL) {
        free(index->unit);
        free(index->places);
        free(index);
    }
}

uint64_t anchor_index_window(const struct anchor_index *index)
{
    return index->window;
}

/* Where in this unit end the bytes that have this hash? */
static enum ox_code look(struct anchor_index *self, uint64_t unit, uint64_t hash, bool *found,
                         uint64_t *out_end, struct ox_err *err)
{
    uint64_t first = self->from + (unit << self->unit_log2); /* bytes end here, or later */
    uint64_t last = first + ((uint64_t)1 << self->unit_log2) - 1;
    uint64_t start = first - self->from < INDEX_HASHED ? self->from : first - INDEX_HASHED;
    uint64_t sum = 0;
    enum ox_code code;

    last = last < self->to ? last : self->to;
    code = ox_source_read(self->base, start, self->unit, (size_t)(last - start), err);
    for (uint64_t at = start; code == OX_OK && at < last; at++) {
        sum = anchor_roll(sum, self->unit[at - start]);
        if (sum == hash && at + 1 >= first && at + 1 - self->from >= INDEX_HASHED) {
            *found = true;
            *out_end = at + 1;
            break;
        }
    }
    return code;
}

enum ox_code anchor_index_find(struct anchor_index *index, uint64_t hash, bool *found,
                               uint64_t *out_end, struct ox_err *err)
{
    uint64_t mixed = spread(hash);
    uint64_t mask = ((uint64_t)1 << index->places_log2) - 1;
    uint64_t place = mixed >> (64 - index->places_log2);
    enum ox_code code = OX_OK;

    *found = false;
    for (unsigned probe = 0;
         probe < PROBES && index->places[place] != 0 && !*found && code == OX_OK;
         probe++, place = (place + 1) & mask) {
        uint32_t entry = index->places[place];

        if (entry >> UNITS_LOG2 == tag_of(mixed) >> UNITS_LOG2) {
            code = look(index, (entry & (((uint32_t)1 << UNITS_LOG2) - 1)) - 1, hash, found,
                        out_end, err);
        }
    }
    return code;
}
