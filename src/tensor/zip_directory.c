#include "zip_directory.h"

#include "oxide/base/reader.h"
#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL_SIGNATURE 0x04034b50u
#define LOCAL_BYTES 30u
#define CENTRAL_SIGNATURE 0x02014b50u
#define CENTRAL_BYTES 46u
#define END_SIGNATURE 0x06054b50u
#define END_BYTES 22u
#define END64_SIGNATURE 0x06064b50u
#define END64_BYTES 56u
#define LOCATOR_SIGNATURE 0x07064b50u
#define LOCATOR_BYTES 20u
#define COMMENT_MAX 65535u

#define METHOD_STORED 0
#define FLAGS_ENCRYPTED (1u << 0 | 1u << 6 | 1u << 13)
#define EXTRA_ZIP64 1u

/* Where the directory lies, as the records at the end of the file tell it. */
struct ends {
    uint64_t count;
    uint64_t size_bytes;
    uint64_t at;
    uint64_t limit; /* the first of these records */
};

static void seek(struct ox_stream *stream, uint64_t at)
{
    stream->end = stream->source->size_bytes;
    stream->pos = at < stream->end ? at : stream->end;
}

/* --- the end records --------------------------------------------------------------------------*/

static enum ox_code several_parts(struct ox_err *err)
{
    return ox_err_set(err, OX_EUNSUPPORTED,
                      "an archive in several parts is not read: treated as bytes");
}

static enum ox_code two_counts(uint64_t here, uint64_t all, struct ox_err *err)
{
    return ox_err_set(err, OX_ECORRUPT, "its end promises both %" PRIu64 " and %" PRIu64 " entries",
                      here, all);
}

/* The last record of the file; what lies behind it is its comment, exactly. A comment may be made
 * to look like a second one: then readers disagree about what the archive holds. */
static enum ox_code find_end(struct ox_stream *stream, uint8_t end[END_BYTES], uint64_t *out_at,
                             struct ox_err *err)
{
    uint64_t size = stream->source->size_bytes;
    size_t tail = size < END_BYTES + COMMENT_MAX ? (size_t)size : END_BYTES + COMMENT_MAX;
    uint8_t *bytes = malloc(tail + 1);
    size_t found = 0;
    enum ox_code code;

    if (bytes == NULL) {
        return ox_err_nomem(err, "the end of an archive");
    }
    seek(stream, size - tail);
    code = ox_stream_read(stream, bytes, tail, err);
    for (size_t at = 0; code == OX_OK && at + END_BYTES <= tail; at++) {
        if (ox_load_u32le(bytes + at) == END_SIGNATURE &&
            ox_load_u16le(bytes + at + 20) == tail - at - END_BYTES) {
            memcpy(end, bytes + at, END_BYTES);
            *out_at = size - tail + at;
            found++;
        }
    }
    free(bytes);
    if (code == OX_OK && found != 1) {
        code = ox_err_set(err, OX_ECORRUPT, "%s",
                          found == 0 ? "it does not end with a directory: cut short or damaged"
                                     : "it has two ends: its comment is made like one");
    }
    return code;
}

/* A number of the short record is taken up by the long one if all its bits are set. */
static bool agrees(uint64_t number, uint64_t all_set, uint64_t number64)
{
    return number == all_set || number == number64;
}

/* Archives with zip64 records have a locator right before the end record. */
static enum ox_code read_end64(struct ox_stream *stream, uint64_t end_at, struct ends *ends,
                               struct ox_err *err)
{
    uint8_t bytes[END64_BYTES] = {0};
    uint64_t at = 0;
    struct ends long_ends;
    enum ox_code code;

    if (end_at < LOCATOR_BYTES) {
        return OX_OK;
    }
    seek(stream, end_at - LOCATOR_BYTES);
    code = ox_stream_read(stream, bytes, LOCATOR_BYTES, err);
    if (code != OX_OK || ox_load_u32le(bytes) != LOCATOR_SIGNATURE) {
        return code;
    }
    at = ox_load_u64le(bytes + 8);
    if (ox_load_u32le(bytes + 4) != 0 || ox_load_u32le(bytes + 16) > 1) {
        return several_parts(err);
    }
    if (end_at - LOCATOR_BYTES < END64_BYTES || at > end_at - LOCATOR_BYTES - END64_BYTES) {
        return ox_err_set(err, OX_ECORRUPT,
                          "its zip64 record is said to lie at offset %" PRIu64
                          ", which is not before offset %" PRIu64,
                          at, end_at - LOCATOR_BYTES);
    }
    seek(stream, at);
    code = ox_stream_read(stream, bytes, END64_BYTES, err);
    if (code != OX_OK) {
        return code;
    }
    if (ox_load_u32le(bytes) != END64_SIGNATURE) {
        return ox_err_set(err, OX_ECORRUPT, "there is no zip64 record at offset %" PRIu64, at);
    }
    long_ends = (struct ends){ox_load_u64le(bytes + 32), ox_load_u64le(bytes + 40),
                              ox_load_u64le(bytes + 48), at};
    if (ox_load_u64le(bytes + 16) != 0) {
        return several_parts(err);
    }
    if (ox_load_u64le(bytes + 24) != long_ends.count) {
        return two_counts(ox_load_u64le(bytes + 24), long_ends.count, err);
    }
    if (!agrees(ends->count, UINT16_MAX, long_ends.count) ||
        !agrees(ends->size_bytes, UINT32_MAX, long_ends.size_bytes) ||
        !agrees(ends->at, UINT32_MAX, long_ends.at)) {
        return ox_err_set(err, OX_ECORRUPT,
                          "its two end records disagree about the number, size or place of its "
                          "entries");
    }
    *ends = long_ends;
    return OX_OK;
}

static enum ox_code check_ends(const struct ends *ends, struct ox_err *err)
{
    if (ends->at > ends->limit || ends->size_bytes > ends->limit - ends->at) {
        return ox_err_set(err, OX_ECORRUPT,
                          "a directory of %" PRIu64 " bytes is promised at offset %" PRIu64
                          ", but it has to end before offset %" PRIu64,
                          ends->size_bytes, ends->at, ends->limit);
    }
    if (ends->count > ends->size_bytes / CENTRAL_BYTES) {
        return ox_err_set(err, OX_ECORRUPT,
                          "%" PRIu64 " entries are promised in a directory of %" PRIu64 " bytes",
                          ends->count, ends->size_bytes);
    }
    if (ends->count > OX_ZIP_ENTRIES_MAX || ends->size_bytes > OX_ZIP_DIRECTORY_MAX) {
        return ox_err_set(err, OX_ETOOBIG,
                          "%" PRIu64 " entries in a directory of %" PRIu64
                          " bytes, at most %d in %u are read",
                          ends->count, ends->size_bytes, OX_ZIP_ENTRIES_MAX, OX_ZIP_DIRECTORY_MAX);
    }
    return OX_OK;
}

static enum ox_code read_ends(struct ox_stream *stream, struct ends *out, struct ox_err *err)
{
    uint8_t end[END_BYTES] = {0};
    uint64_t end_at = 0;
    uint16_t count_here;
    enum ox_code code = find_end(stream, end, &end_at, err);

    if (code != OX_OK) {
        return code;
    }
    count_here = ox_load_u16le(end + 8);
    *out = (struct ends){ox_load_u16le(end + 10), ox_load_u32le(end + 12), ox_load_u32le(end + 16),
                         end_at};
    if (ox_load_u32le(end + 4) != 0) {
        return several_parts(err);
    }
    if (count_here != out->count) {
        return two_counts(count_here, out->count, err);
    }
    code = read_end64(stream, end_at, out, err);
    return code == OX_OK ? check_ends(out, err) : code;
}

/* --- the directory ----------------------------------------------------------------------------*/

/* In the extra fields of a directory entry: the numbers that did not fit 32 bits, in this order. */
static enum ox_code read_extra(struct ox_stream *stream, uint32_t len_bytes,
                               uint64_t *const numbers[3], struct ox_err *err)
{
    enum ox_code code = OX_OK;

    while (code == OX_OK && len_bytes >= 4) {
        uint32_t head = 0;
        uint32_t field_bytes;

        code = ox_stream_u32le(stream, &head, err);
        field_bytes = head >> 16;
        len_bytes -= 4;
        if (code == OX_OK && field_bytes > len_bytes) {
            return ox_err_set(err, OX_ECORRUPT,
                              "an extra field of the directory ends behind offset %" PRIu64,
                              stream->pos + len_bytes);
        }
        len_bytes -= field_bytes;
        for (size_t i = 0; code == OX_OK && (head & 0xffff) == EXTRA_ZIP64 && i < 3; i++) {
            if (*numbers[i] == UINT32_MAX && field_bytes >= 8) {
                code = ox_stream_u64le(stream, numbers[i], err);
                field_bytes -= 8;
            }
        }
        if (code == OX_OK) {
            code = ox_stream_skip(stream, field_bytes, err);
        }
    }
    return code == OX_OK ? ox_stream_skip(stream, len_bytes, err) : code;
}

static enum ox_code read_name(struct ox_zip *zip, struct ox_stream *stream, size_t len_bytes,
                              struct ox_err *err)
{
    enum ox_code code = ox_buf_reserve(&zip->names, len_bytes + 1, err);
    uint8_t *name = code == OX_OK ? zip->names.data + zip->names.len_bytes : NULL;

    if (code == OX_OK) {
        code = ox_stream_read(stream, name, len_bytes, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (len_bytes > 0 && memchr(name, '\0', len_bytes) != NULL) {
        return ox_err_set(err, OX_ECORRUPT, "the name of an entry holds a NUL byte");
    }
    name[len_bytes] = '\0';
    zip->names.len_bytes += len_bytes + 1;
    return OX_OK;
}

static enum ox_code read_entry(struct ox_zip *zip, struct ox_stream *stream,
                               struct ox_zip_entry *out, struct ox_err *err)
{
    uint8_t head[CENTRAL_BYTES] = {0};
    uint64_t packed_bytes = 0;
    uint64_t *const numbers[3] = {&out->size_bytes, &packed_bytes, &out->header_at};
    uint16_t flags;
    enum ox_code code = ox_stream_read(stream, head, CENTRAL_BYTES, err);

    if (code != OX_OK) {
        return code;
    }
    if (ox_load_u32le(head) != CENTRAL_SIGNATURE) {
        return ox_err_set(err, OX_ECORRUPT, "there is no entry at offset %" PRIu64,
                          stream->pos - CENTRAL_BYTES);
    }
    flags = ox_load_u16le(head + 8);
    out->method = ox_load_u16le(head + 10);
    packed_bytes = ox_load_u32le(head + 20);
    out->size_bytes = ox_load_u32le(head + 24);
    out->name_len = ox_load_u16le(head + 28);
    out->header_at = ox_load_u32le(head + 42);
    code = read_name(zip, stream, out->name_len, err);
    if (code == OX_OK) {
        code = read_extra(stream, ox_load_u16le(head + 30), numbers, err);
    }
    if (code == OX_OK) {
        code = ox_stream_skip(stream, ox_load_u16le(head + 32), err); /* its comment */
    }
    out->stored = out->method == METHOD_STORED && (flags & FLAGS_ENCRYPTED) == 0 &&
                  out->size_bytes == packed_bytes;
    out->size_bytes = packed_bytes;
    return code;
}

static enum ox_code read_entries(struct ox_zip *zip, struct ox_stream *stream,
                                 const struct ends *ends, struct ox_err *err)
{
    const char *name;
    enum ox_code code = OX_OK;

    seek(stream, ends->at);
    stream->end = ends->at + ends->size_bytes;
    for (; zip->count < ends->count && code == OX_OK; zip->count++) {
        code = read_entry(zip, stream, &zip->entries[zip->count], err);
    }
    if (code == OX_OK && stream->pos != stream->end) {
        code = ox_err_set(err, OX_ECORRUPT,
                          "its directory goes on behind the %" PRIu64 " entries promised",
                          ends->count);
    }
    name = (const char *)zip->names.data;
    for (size_t i = 0; i < ends->count && code == OX_OK; i++) {
        zip->entries[i].name = name;
        name += zip->entries[i].name_len + 1;
    }
    return code;
}

/* --- order ------------------------------------------------------------------------------------*/

static int by_name(const void *left, const void *right)
{
    const struct ox_zip_entry *a = left;
    const struct ox_zip_entry *b = right;

    return strcmp(a->name, b->name);
}

static int by_place(const void *left, const void *right)
{
    const struct ox_zip_entry *a = left;
    const struct ox_zip_entry *b = right;

    return a->header_at == b->header_at ? by_name(a, b) : a->header_at < b->header_at ? -1 : 1;
}

static enum ox_code settle_places(struct ox_zip *zip, struct ox_err *err)
{
    qsort(zip->entries, zip->count, sizeof(*zip->entries), by_place);
    for (size_t i = 0; i < zip->count; i++) {
        struct ox_zip_entry *entry = &zip->entries[i];
        uint64_t head_bytes = LOCAL_BYTES + entry->name_len;

        entry->limit = i + 1 < zip->count ? zip->entries[i + 1].header_at : zip->directory_at;
        if (entry->limit > zip->directory_at || entry->header_at > entry->limit ||
            head_bytes > entry->limit - entry->header_at ||
            entry->size_bytes > entry->limit - entry->header_at - head_bytes) {
            char shown[OX_SHOWN_MAX];

            return ox_err_set(err, OX_ECORRUPT,
                              "entry \"%s\" has %" PRIu64 " bytes at offset %" PRIu64
                              ", but something else begins at offset %" PRIu64,
                              ox_shown(entry->name, shown), entry->size_bytes, entry->header_at,
                              entry->limit);
        }
    }
    return OX_OK;
}

static enum ox_code settle_names(struct ox_zip *zip, struct ox_err *err)
{
    qsort(zip->entries, zip->count, sizeof(*zip->entries), by_name);
    for (size_t i = 1; i < zip->count; i++) {
        if (strcmp(zip->entries[i - 1].name, zip->entries[i].name) == 0) {
            char shown[OX_SHOWN_MAX];

            return ox_err_set(err, OX_ECORRUPT, "two entries are named \"%s\"",
                              ox_shown(zip->entries[i].name, shown));
        }
    }
    return OX_OK;
}

/* --- for the formats --------------------------------------------------------------------------*/

enum ox_code ox_zip_read_directory(struct ox_zip *out, struct ox_stream *stream, struct ox_err *err)
{
    struct ox_zip zip = {0};
    struct ends ends = {0};
    enum ox_code code = read_ends(stream, &ends, err);

    if (code == OX_OK) {
        zip.directory_at = ends.at;
        zip.entries = calloc((size_t)ends.count + 1, sizeof(*zip.entries));
        code = zip.entries == NULL ? ox_err_nomem(err, "the entries of an archive")
                                   : read_entries(&zip, stream, &ends, err);
    }
    if (code == OX_OK) {
        code = settle_places(&zip, err);
    }
    if (code == OX_OK) {
        code = settle_names(&zip, err);
    }
    if (code == OX_OK) {
        *out = zip;
        zip = (struct ox_zip){0};
    }
    ox_zip_clear(&zip);
    return code;
}

void ox_zip_clear(struct ox_zip *zip)
{
    free(zip->entries);
    ox_buf_clear(&zip->names);
    *zip = (struct ox_zip){0};
}

const struct ox_zip_entry *ox_zip_find(const struct ox_zip *zip, const char *first,
                                       const char *second)
{
    size_t first_len = strlen(first);
    size_t low = 0;
    size_t high = zip->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *name = zip->entries[middle].name;
        int order = strncmp(name, first, first_len);

        order = order == 0 ? strcmp(name + first_len, second) : order;
        if (order == 0) {
            return &zip->entries[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

enum ox_code ox_zip_open(const struct ox_zip_entry *entry, struct ox_stream *stream,
                         struct ox_err *err)
{
    uint8_t head[LOCAL_BYTES] = {0};
    char shown[OX_SHOWN_MAX];
    uint64_t skip;
    enum ox_code code;

    seek(stream, entry->header_at);
    code = ox_stream_read(stream, head, LOCAL_BYTES, err);
    if (code != OX_OK) {
        return code;
    }
    if (ox_load_u32le(head) != LOCAL_SIGNATURE || ox_load_u16le(head + 8) != entry->method ||
        ox_load_u16le(head + 26) != entry->name_len) {
        return ox_err_set(err, OX_ECORRUPT,
                          "what lies at offset %" PRIu64 " is not entry \"%s\" of the directory",
                          entry->header_at, ox_shown(entry->name, shown));
    }
    /* Padding that aligns the data is an extra field of this header alone. */
    skip = entry->name_len + ox_load_u16le(head + 28);
    if (skip > entry->limit - stream->pos ||
        entry->size_bytes > entry->limit - stream->pos - skip) {
        return ox_err_set(err, OX_ECORRUPT,
                          "entry \"%s\" has %" PRIu64 " bytes at offset %" PRIu64
                          ", but something else begins at offset %" PRIu64,
                          ox_shown(entry->name, shown), entry->size_bytes, stream->pos + skip,
                          entry->limit);
    }
    stream->pos += skip;
    stream->end = stream->pos + entry->size_bytes;
    return OX_OK;
}
