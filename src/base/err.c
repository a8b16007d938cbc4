#include "oxide/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *ox_code_word(enum ox_code code)
{
    switch (code) {
#define OX_CODE_WORD(symbol, number, word)                                                         \
    case symbol:                                                                                   \
        return word;
        OX_CODES(OX_CODE_WORD)
#undef OX_CODE_WORD
    }
    return "internal_error";
}

bool ox_code_parse(const char *word, enum ox_code *out)
{
    static const enum ox_code codes[] = {
#define OX_CODE_SYMBOL(symbol, number, word) symbol,
        OX_CODES(OX_CODE_SYMBOL)
#undef OX_CODE_SYMBOL
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(ox_code_word(codes[i]), word) == 0) {
            *out = codes[i];
            return true;
        }
    }
    return false;
}

static enum ox_code code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
        return OX_ENOTFOUND;
    case ENOSPC:
    case EDQUOT:
        return OX_ENOSPC;
    case ENOMEM:
        return OX_ENOMEM;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
        return OX_EPERM;
    case EEXIST:
    case ENOTEMPTY:
        return OX_ECONFLICT;
    case EADDRINUSE:
    case EBUSY:
    case EWOULDBLOCK:
        return OX_EBUSY;
    case EFBIG:
        return OX_ETOOBIG;
    case ENAMETOOLONG:
    case EISDIR:
        return OX_EINVAL;
    default:
        return OX_EIO;
    }
}

void ox_err_record(struct ox_err *err, enum ox_code code, const char *fmt, ...)
{
    char text[OX_ERR_MSG_MAX];
    va_list args;

    if (err == NULL) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* fmt may quote err->msg itself */
    va_end(args);
    err->code = code;
    err->sys_errno = 0;
    memcpy(err->msg, text, sizeof(text));
}

enum ox_code ox_err_sys(struct ox_err *err, int sys_errno, const char *fmt, ...)
{
    enum ox_code code = code_of_errno(sys_errno);

    if (err != NULL) {
        char text[OX_ERR_MSG_MAX]; /* fmt may quote err->msg itself */
        char reason[128] = "unknown error";
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        (void)strerror_r(sys_errno, reason, sizeof(reason));
        ox_err_record(err, code, "%s: %s", text, reason);
        err->sys_errno = sys_errno;
    }
    return code;
}

enum ox_code ox_err_context(struct ox_err *err, const char *fmt, ...)
{
    char front[OX_ERR_MSG_MAX];
    char whole[OX_ERR_MSG_MAX];
    va_list args;
    size_t front_len;
    size_t back_len;

    if (err == NULL) {
        return OX_EINTERNAL;
    }
    va_start(args, fmt);
    (void)vsnprintf(front, sizeof(front), fmt, args);
    va_end(args);
    front_len = strnlen(front, sizeof(front) - 3);
    memcpy(whole, front, front_len);
    memcpy(whole + front_len, ": ", 2);
    front_len += 2;
    back_len = strnlen(err->msg, sizeof(err->msg));
    if (back_len > sizeof(whole) - 1 - front_len) {
        back_len = sizeof(whole) - 1 - front_len;
    }
    memcpy(whole + front_len, err->msg, back_len);
    whole[front_len + back_len] = '\0';
    memcpy(err->msg, whole, front_len + back_len + 1);
    return err->code;
}

void ox_err_clear(struct ox_err *err)
{
    if (err != NULL) {
        err->code = OX_OK;
        err->sys_errno = 0;
        err->msg[0] = '\0';
    }
}
