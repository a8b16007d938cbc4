#include "tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where the fields lie, and how long they are. */
enum {
    NAME_AT = 0,
    MODE_AT = 100,
    OWNER_AT = 108,
    GROUP_AT = 116,
    SIZE_AT = 124,
    TIME_AT = 136,
    SUM_AT = 148,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    ID_LEN = 8,
    SIZE_LEN = 12,
    SUM_LEN = 8,
};

#define OCTAL_SIZE_MAX ((uint64_t)1 << 33) /* 11 octal digits */

static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};

/* Digits and a NUL in a field of len bytes. */
static void put_octal(uint8_t *at, size_t len, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%0*" PRIo64, (int)len - 1, value);
    memcpy(at, text, len);
}

static void put_size(uint8_t *at, uint64_t value)
{
    if (value < OCTAL_SIZE_MAX) {
        put_octal(at, SIZE_LEN, value);
        return;
    }
    memset(at, 0, SIZE_LEN);
    at[0] = 0x80;
    for (size_t i = 0; i < 8; i++) {
        at[SIZE_LEN - 1 - i] = (uint8_t)(value >> (8 * i));
    }
}

/* The sum of all bytes, those of the sum itself as blanks. */
static unsigned sum_of(const uint8_t *block)
{
    unsigned sum = 0;

    for (size_t i = 0; i < OX_TAR_BLOCK; i++) {
        sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? (unsigned)' ' : block[i];
    }
    return sum;
}

void ox_tar_write(const struct ox_tar_entry *entry, int64_t wall_ms, uint8_t out[OX_TAR_BLOCK])
{
    memset(out, 0, OX_TAR_BLOCK);
    memcpy(out + NAME_AT, entry->name, strnlen(entry->name, OX_TAR_NAME_MAX));
    put_octal(out + MODE_AT, ID_LEN, 0640);
    put_octal(out + OWNER_AT, ID_LEN, 0);
    put_octal(out + GROUP_AT, ID_LEN, 0);
    put_size(out + SIZE_AT, entry->size_bytes);
    put_octal(out + TIME_AT, SIZE_LEN, wall_ms < 0 ? 0 : (uint64_t)wall_ms / 1000);
    out[TYPE_AT] = '0';
    memcpy(out + MAGIC_AT, magic, sizeof(magic));
    put_octal(out + SUM_AT, SUM_LEN - 1, sum_of(out));
    out[SUM_AT + SUM_LEN - 1] = ' ';
}

/* --- reading --- */

/* Octal digits, blanks in front, ended by a NUL, a blank, or the field's end. */
static bool take_octal(const uint8_t *at, size_t len, uint64_t *out)
{
    size_t i = 0;
    size_t digits = 0;

    *out = 0;
    while (i < len && at[i] == ' ') {
        i++;
    }
    for (; i < len && at[i] >= '0' && at[i] <= '7'; i++, digits++) {
        *out = *out << 3 | (uint64_t)(at[i] - '0');
    }
    return digits > 0 && (i == len || at[i] == '\0' || at[i] == ' ');
}

static bool take_size(const uint8_t *at, uint64_t *out)
{
    if (at[0] != 0x80) {
        return take_octal(at, SIZE_LEN, out);
    }
    *out = 0;
    for (size_t i = 1; i < SIZE_LEN; i++) {
        if (*out >> 55 != 0) {
            return false;
        }
        *out = *out << 8 | at[i];
    }
    return true;
}

static bool all_zero(const uint8_t *block)
{
    for (size_t i = 0; i < OX_TAR_BLOCK; i++) {
        if (block[i] != 0) {
            return false;
        }
    }
    return true;
}

enum ox_code ox_tar_read(const uint8_t block[OX_TAR_BLOCK], struct ox_tar_entry *out, bool *end,
                         struct ox_err *err)
{
    uint64_t sum = 0;

    *end = all_zero(block);
    if (*end) {
        return OX_OK;
    }
    *out = (struct ox_tar_entry){.size_bytes = 0};
    if (memcmp(block + MAGIC_AT, magic, 5) != 0 || !take_octal(block + SUM_AT, SUM_LEN, &sum) ||
        sum != sum_of(block) || !take_size(block + SIZE_AT, &out->size_bytes)) {
        return ox_err_set(err, OX_ECORRUPT, "it is no tar archive, or a damaged one");
    }
    memcpy(out->name, block + NAME_AT, OX_TAR_NAME_MAX);
    if ((block[TYPE_AT] != '0' && block[TYPE_AT] != '\0') || out->name[0] == '\0') {
        return ox_err_set(err, OX_ECORRUPT, "it holds more than files: it is no backup of oxide");
    }
    return OX_OK;
}
