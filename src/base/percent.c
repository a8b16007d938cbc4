#include "oxide/base/percent.h"

#include <string.h>

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    int value = found == NULL ? -1 : (int)(found - digits);

    return value > 15 ? value - 6 : value;
}

bool ox_percent_decode(const char *text, size_t len, char *out)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(text[i + 2]);

            if (low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            return false;
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

enum ox_code ox_percent_encode(struct ox_buf *out, const char *text, struct ox_err *err)
{
    /* RFC 3986, section 2.3 */
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    enum ox_code code = OX_OK;

    while (code == OX_OK && *text != '\0') {
        size_t len = strspn(text, plain);

        code = len > 0 ? ox_buf_printf(out, err, "%.*s", (int)len, text)
                       : ox_buf_printf(out, err, "%%%02X", (unsigned)(unsigned char)*text);
        text += len > 0 ? len : 1;
    }
    return code;
}
