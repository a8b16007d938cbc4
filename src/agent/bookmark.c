#include "bookmark.h"

#include "oxide/base/file.h"
#include "oxide/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1
#define MARK_BYTES_MAX 1024

const char *const ox_bookmark_suffixes[OX_BOOKMARK_SUFFIXES] = {"head", "mark", "durable", "tail"};

enum ox_code ox_bookmark_init(struct ox_bookmark *out, const struct ox_folders *folders,
                              const struct ox_digest *patch, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    char **paths[OX_BOOKMARK_SUFFIXES] = {&out->head_path, &out->mark_path, &out->durable_path,
                                          &out->tail_path};
    enum ox_code code = OX_OK;

    *out = (struct ox_bookmark){.boot = ""};
    ox_boot_id(out->boot);
    ox_digest_hex(patch, hex);
    for (size_t i = 0; code == OX_OK && i < OX_BOOKMARK_SUFFIXES; i++) {
        code = ox_strf(paths[i], err, "%s/%s.%s", folders->download, hex, ox_bookmark_suffixes[i]);
    }
    if (code != OX_OK) {
        ox_bookmark_clear(out);
    }
    return code;
}

void ox_bookmark_clear(struct ox_bookmark *bookmark)
{
    free(bookmark->head_path);
    free(bookmark->mark_path);
    free(bookmark->durable_path);
    free(bookmark->tail_path);
    *bookmark = (struct ox_bookmark){.boot = ""};
}

bool ox_bookmark_exists(const struct ox_bookmark *bookmark)
{
    return ox_path_exists(bookmark->head_path);
}

/* --- reading --- */

static enum ox_code parse(const struct ox_buf *text, struct ox_oxdl_mark *mark, char *boot,
                          struct ox_err *err)
{
    json_t *json = NULL;
    const char *said = NULL;
    uint64_t format = 0;
    enum ox_code code = ox_json_parse_object(text->data, text->len_bytes, &json, err);

    if (code == OX_OK && (code = ox_json_get_u64(json, "format", &format, err)) == OX_OK &&
        (code = ox_json_get_str(json, "boot", &said, err)) == OX_OK &&
        (code = ox_json_get_u64(json, "patch_bytes", &mark->patch_bytes, err)) == OX_OK &&
        (code = ox_json_get_u64(json, "target_bytes", &mark->target_bytes, err)) == OX_OK &&
        (code = ox_json_get_u64(json, "frames", &mark->frames, err)) == OX_OK) {
        (void)snprintf(boot, OX_BOOT_ID_MAX, "%s", said);
        code = format == FORMAT ? OX_OK : ox_err_set(err, OX_ECORRUPT, "another format");
    }
    json_decref(json);
    return code == OX_EINVAL ? OX_ECORRUPT : code;
}

/* What is larger than anything we write is not ours. */
static enum ox_code read_ours(const char *path, size_t bytes_max, struct ox_buf *out,
                              struct ox_err *err)
{
    enum ox_code code = ox_file_read_own(path, bytes_max, out, err);

    if (code == OX_ETOOBIG) {
        code = ox_err_set(err, OX_ECORRUPT, "%s has more than the %zu bytes that it can have", path,
                          bytes_max);
    }
    return code;
}

static enum ox_code load(const char *path, struct ox_oxdl_mark *mark, char *boot,
                         struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    enum ox_code code = read_ours(path, MARK_BYTES_MAX, &text, err);

    if (code == OX_OK) {
        code = parse(&text, mark, boot, err);
    }
    ox_buf_clear(&text);
    return code;
}

enum ox_code ox_bookmark_load(const struct ox_bookmark *bookmark, struct ox_buf *head,
                              struct ox_oxdl_mark *mark, struct ox_err *err)
{
    char then[OX_BOOT_ID_MAX] = "";
    enum ox_code code = load(bookmark->mark_path, mark, then, NULL);

    if (code != OX_OK || bookmark->boot[0] == '\0' || strcmp(bookmark->boot, then) != 0) {
        code = load(bookmark->durable_path, mark, then, err);
    }
    return code == OX_OK ? read_ours(bookmark->head_path, OX_OXDL_HEADER_MAX, head, err) : code;
}

/* --- writing --- */

enum ox_code ox_bookmark_save_head(const struct ox_bookmark *bookmark, const void *bytes,
                                   size_t len_bytes, struct ox_err *err)
{
    return ox_file_replace(bookmark->head_path, bytes, len_bytes, 0600, err);
}

enum ox_code ox_bookmark_save(const struct ox_bookmark *bookmark, const struct ox_oxdl_mark *mark,
                              bool durable, struct ox_err *err)
{
    char text[MARK_BYTES_MAX];
    int len = snprintf(text, sizeof(text),
                       "{\"format\":%d,\"boot\":\"%s\",\"patch_bytes\":%llu,\"target_bytes\":%llu,"
                       "\"frames\":%llu}\n",
                       FORMAT, bookmark->boot, (unsigned long long)mark->patch_bytes,
                       (unsigned long long)mark->target_bytes, (unsigned long long)mark->frames);
    return durable ? ox_file_replace(bookmark->durable_path, text, (size_t)len, 0600, err)
                   : ox_file_replace_lazily(bookmark->mark_path, text, (size_t)len, 0600, err);
}

enum ox_code ox_bookmark_remove(const struct ox_bookmark *bookmark, struct ox_err *err)
{
    /* the header last: where it is gone there is no bookmark */
    const char *const paths[] = {bookmark->tail_path, bookmark->mark_path, bookmark->durable_path,
                                 bookmark->head_path};

    for (size_t i = 0; i < OX_BOOKMARK_SUFFIXES; i++) {
        if (unlink(paths[i]) != 0 && errno != ENOENT) {
            return ox_err_sys(err, errno, "removing %s", paths[i]);
        }
    }
    return OX_OK;
}
