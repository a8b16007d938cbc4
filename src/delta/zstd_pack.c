/* Bytes compressed by zstd, for frames and planes. */
#include "decode.h"
#include "encoder.h"

/* So many places, of every third, are remembered where copies are to be found in all of a prefix
 * of up to 4 MiB: by default zstd remembers 2^17, and does not even look at more than the last MiB.
 */
#define FAR_LOG 20

enum ox_code zstd_pack(struct encoder *self, const uint8_t *bytes, size_t n,
                       const struct ox_buf *prefix, int level, bool far, size_t limit, bool *fits,
                       struct ox_err *err)
{
    uint64_t span = n + (prefix == NULL ? 0 : prefix->len_bytes);
    int window_log = 10;
    size_t got;
    enum ox_code code;

    *fits = false;
    if (limit <= 1 || (code = buf_resize(&self->packed, limit - 1, err)) != OX_OK) {
        return limit <= 1 ? OX_OK : code;
    }
    while ((uint64_t)1 << window_log < span) {
        window_log++;
    }
    (void)ZSTD_CCtx_reset(self->zstd, ZSTD_reset_session_and_parameters);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_windowLog, window_log);
    if (effort_caps_zstd(self->effort, level)) { /* zstd takes less where the input is smaller */
        (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_chainLog, (int)self->effort->zstd_log);
        (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_hashLog, (int)self->effort->zstd_log - 1);
    }
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_contentSizeFlag, 0);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_checksumFlag, 0);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_dictIDFlag, 0);
    if (far) {
        int most = (int)self->effort->zstd_log;

        (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_chainLog,
                                     most < FAR_LOG - 2 ? most : FAR_LOG - 2);
        (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_hashLog,
                                     most - 1 < FAR_LOG ? most - 1 : FAR_LOG);
    }
    if (prefix != NULL && prefix->len_bytes > 0) {
        got = ZSTD_CCtx_refPrefix(self->zstd, prefix->data, prefix->len_bytes);
        if (ZSTD_isError(got)) {
            return ox_err_set(err, OX_EINTERNAL, "zstd: %s", ZSTD_getErrorName(got));
        }
    }
    got = ZSTD_compress2(self->zstd, self->packed.data, self->packed.len_bytes, bytes, n);
    if (!ZSTD_isError(got)) {
        self->packed.len_bytes = got;
        *fits = true;
    } /* else: it would not fit, or there is no memory: either way there is another candidate */
    return OX_OK;
}
