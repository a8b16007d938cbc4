/** JSON (RFC 8259) read value by value from a stream, none of it held but the string at hand. */
#ifndef TENSOR_JSON_SCAN_H
#define TENSOR_JSON_SCAN_H

#include "oxide/base/buf.h"
#include "stream.h"

/** The next byte that is not white space, not consumed; 0 at the end of the stream. */
OX_MUST_USE enum ox_code ox_scan_peek(struct ox_stream *stream, uint8_t *out, struct ox_err *err);

/** Consume white space and this byte. Errors: OX_ECORRUPT if another one comes. */
OX_MUST_USE enum ox_code ox_scan_expect(struct ox_stream *stream, char wanted, struct ox_err *err);

/**
 * Within an object or array: consume ',' or `close`. `first` is true before the first member, where
 * only `close` is consumed. *more tells whether a member follows.
 */
OX_MUST_USE enum ox_code ox_scan_next(struct ox_stream *stream, char close, bool first, bool *more,
                                      struct ox_err *err);

/** A string, its escapes resolved to UTF-8, NUL-terminated behind out->len_bytes. Escaped NUL and
 *  unpaired surrogates are OX_ECORRUPT; more than max_bytes are OX_ETOOBIG. */
OX_MUST_USE enum ox_code ox_scan_string(struct ox_stream *stream, size_t max_bytes,
                                        struct ox_buf *out, struct ox_err *err);

/** A whole number from 0 to 2^64 - 1, without sign, point or exponent. */
OX_MUST_USE enum ox_code ox_scan_u64(struct ox_stream *stream, uint64_t *out, struct ox_err *err);

/** Any value, skipped. depth is that of the value that holds it. */
OX_MUST_USE enum ox_code ox_scan_skip(struct ox_stream *stream, unsigned depth, struct ox_err *err);

#endif
