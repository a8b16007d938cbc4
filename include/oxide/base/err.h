/**
 * Errors: one table of codes, and the message that a failing call leaves for its caller.
 *
 * A function that can fail returns `enum ox_code` (0 is success) and takes `struct ox_err *` last.
 * The place where an error arises sets it once (ox_err_set, ox_err_sys); callers on the way up put
 * their context in front (ox_err_context). Nothing here allocates, and `err` may always be NULL.
 *
 * To add a code: append a row to OX_CODES (numbers are pinned: never reuse or renumber), then give
 * it an HTTP status in api/status.c and an exit status in cli/exit_status.c.
 */
#ifndef OXIDE_BASE_ERR_H
#define OXIDE_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* X(symbol, pinned number, word used in JSON errors and logs) */
#define OX_CODES(X)                                                                                \
    X(OX_OK, 0, "ok")                                                                              \
    X(OX_EINVAL, 1, "invalid_request") /* the caller's input is wrong */                           \
    X(OX_ENOTFOUND, 2, "not_found")    /* the named thing does not exist */                        \
    X(OX_ECONFLICT, 3, "conflict")     /* it exists already, or its state forbids this */          \
    X(OX_EIO, 4, "io_error")           /* the system refused a read or write */                    \
    X(OX_ENOMEM, 5, "out_of_memory")                                                               \
    X(OX_ENOSPC, 6, "no_space")          /* disk full or quota reached */                          \
    X(OX_ECORRUPT, 7, "corrupt")         /* stored or received bytes are damaged */                \
    X(OX_EUNSUPPORTED, 8, "unsupported") /* well-formed, but of a kind we do not know */           \
    X(OX_ETOOBIG, 9, "too_large")        /* over a named limit */                                  \
    X(OX_ETIMEOUT, 10, "timeout")                                                                  \
    X(OX_ECANCELED, 11, "canceled")    /* we were asked to stop */                                 \
    X(OX_EBUSY, 12, "busy")            /* a lock, port or queue is taken */                        \
    X(OX_ENET, 13, "network_error")    /* the peer could not be reached, or went away */           \
    X(OX_EPROTO, 14, "protocol_error") /* the peer answered what it must not */                    \
    X(OX_EBASE, 15, "base_mismatch")   /* a patch meets a base that is not its own */              \
    X(OX_EPERM, 16, "permission_denied")                                                           \
    X(OX_EINTERNAL, 17, "internal_error")     /* a defect of ours */                               \
    X(OX_ERANGE, 18, "range_not_satisfiable") /* HTTP Range outside the blob */                    \
    X(OX_EMETHOD, 19, "method_not_allowed")                                                        \
    X(OX_ELENGTH, 20, "length_required")                                                           \
    X(OX_EMEDIATYPE, 21, "unsupported_media_type")                                                 \
    X(OX_EFAILED, 22, "failed")          /* a check ran and said no */                             \
    X(OX_EDIGEST, 23, "digest_mismatch") /* rebuilt or received bytes hash to another sum */

enum ox_code {
#define OX_CODE_ENUM(symbol, number, word) symbol = number,
    OX_CODES(OX_CODE_ENUM)
#undef OX_CODE_ENUM
};

/** A message has at most this many bytes with its final NUL; longer ones are cut. */
#define OX_ERR_MSG_MAX 768

struct ox_err {
    enum ox_code code;
    int sys_errno; /* errno where the system said no, else 0 */
    char msg[OX_ERR_MSG_MAX];
};

#define OX_ERR_INIT                                                                                \
    {                                                                                              \
        OX_OK, 0,                                                                                  \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

#if defined(__GNUC__)
#define OX_PRINTF(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define OX_MUST_USE __attribute__((warn_unused_result))
#else
#define OX_PRINTF(fmt_arg, first_arg)
#define OX_MUST_USE
#endif

/** The pinned word of a code, e.g. "not_found". Never NULL. */
const char *ox_code_word(enum ox_code code);
/** The code of a word; false if it is none. */
bool ox_code_parse(const char *word, enum ox_code *out);

/**
 * ox_err_set(err, code, fmt, ...): set code and message. Its value is `code`, so that
 * `return ox_err_set(...)` reads well; a macro, so that compilers see that it is not OX_OK.
 */
#define ox_err_set(err, code, ...) (ox_err_record((err), (code), __VA_ARGS__), ox_err_same(code))
static inline enum ox_code ox_err_same(enum ox_code code)
{
    return code;
}
void ox_err_record(struct ox_err *err, enum ox_code code, const char *fmt, ...) OX_PRINTF(3, 4);

/** Set from errno: the code follows from it, and its description is appended after ": ". */
enum ox_code ox_err_sys(struct ox_err *err, int sys_errno, const char *fmt, ...) OX_PRINTF(3, 4);

/** ox_err_nomem(err, what): the allocation of `what` failed. Its value is OX_ENOMEM. */
#define ox_err_nomem(err, what) ox_err_set((err), OX_ENOMEM, "out of memory for %s", (what))

/** Put "context: " in front of the message. Returns err's code. */
enum ox_code ox_err_context(struct ox_err *err, const char *fmt, ...) OX_PRINTF(2, 3);

/** Back to success with an empty message. */
void ox_err_clear(struct ox_err *err);

#endif
