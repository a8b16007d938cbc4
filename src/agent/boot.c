#include "boot.h"

#include "oxide/base/file.h"

#include <string.h>

void ox_boot_id(char out[OX_BOOT_ID_MAX])
{
    struct ox_buf text = OX_BUF_INIT;
    size_t len = 0;

    if (ox_file_read_all("/proc/sys/kernel/random/boot_id", OX_BOOT_ID_MAX - 1, &text, NULL) ==
        OX_OK) {
        len = text.len_bytes;
        memcpy(out, text.data, len);
    }
    while (len > 0 && out[len - 1] == '\n') {
        len--;
    }
    out[len] = '\0';
    ox_buf_clear(&text);
}
