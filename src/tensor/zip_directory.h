/**
 * The entries of a zip archive, from its central directory: bytes that lie in the file as they are
 * ("stored") can be found in it, whatever is compressed or encrypted can not.
 * Source: APPNOTE.TXT of PKWARE, version 6.3.10, sections 4.3 to 4.5.
 */
#ifndef TENSOR_ZIP_DIRECTORY_H
#define TENSOR_ZIP_DIRECTORY_H

#include "oxide/base/buf.h"
#include "stream.h"

struct ox_zip_entry {
    const char *name; /* lent by the archive; without NUL */
    size_t name_len;
    uint64_t header_at;  /* of its local header */
    uint64_t size_bytes; /* as it lies in the file */
    uint64_t limit;      /* its header and bytes end before: what comes next */
    uint16_t method;
    bool stored; /* neither compressed nor encrypted */
};

/** Zero-initialise it; release it with ox_zip_clear. */
struct ox_zip {
    struct ox_zip_entry *entries; /* sorted by name; no two have one name, none overlap */
    size_t count;
    struct ox_buf names;
    uint64_t directory_at;
};

/**
 * Read the directory. `stream` is over the whole file; where it stands and ends does not matter.
 * Errors: OX_ECORRUPT for what contradicts itself, overlaps or leaves the file; OX_EUNSUPPORTED for
 * archives in several parts; OX_ETOOBIG over OX_ZIP_ENTRIES_MAX or OX_ZIP_DIRECTORY_MAX; OX_ENOMEM;
 * the source's own.
 */
OX_MUST_USE enum ox_code ox_zip_read_directory(struct ox_zip *out, struct ox_stream *stream,
                                               struct ox_err *err);
void ox_zip_clear(struct ox_zip *zip);

/** The entry called first, then second; NULL if there is none. */
const struct ox_zip_entry *ox_zip_find(const struct ox_zip *zip, const char *first,
                                       const char *second);

/** Set the stream to the bytes of a stored entry: from stream->pos to stream->end.
 *  Errors: OX_ECORRUPT if its local header says otherwise; the source's own. */
OX_MUST_USE enum ox_code ox_zip_open(const struct ox_zip_entry *entry, struct ox_stream *stream,
                                     struct ox_err *err);

#endif
