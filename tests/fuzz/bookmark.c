/* uses: agent */
/*
 * What a disk may give back of a bookmark: 1 byte of how, 2 of the length of the mark's file, that,
 * and the durable mark's file, which is the tail's, too. Each may be missing. A mark is taken whole
 * or refused as one that is not ours; what was taken is the same once it was written again.
 */
#include "../../src/agent/bookmark.h"
#include "../../src/agent/tail.h"
#include "fuzz.h"

#include <stdio.h>
#include <unistd.h>

enum { NO_MARK = 1, NO_DURABLE = 2, NO_HEAD = 4, SAME_BOOT = 8, TAIL = 16 };

static char folder[64];

static void remove_folder(void)
{
    (void)rmdir(folder);
}

static void open_folder(void)
{
    const char *temporary = getenv("TMPDIR");

    must(snprintf(folder, sizeof(folder), "%.32s/oxide-bookmark-XXXXXX",
                  temporary == NULL ? "/tmp" : temporary) > 0);
    must(mkdtemp(folder) != NULL);
    must(atexit(remove_folder) == 0);
}

static void put_file(const char *path, struct fuzz_input bytes)
{
    FILE *file = fopen(path, "wb");

    must(file != NULL);
    must(fwrite(bytes.data, 1, bytes.size, file) == bytes.size);
    must(fclose(file) == 0);
}

static void check_again(const struct ox_bookmark *bookmark, const struct ox_oxdl_mark *mark)
{
    struct ox_oxdl_mark again = {0, 0, 0};
    struct ox_buf head = OX_BUF_INIT;

    must(ox_bookmark_save(bookmark, mark, false, NULL) == OX_OK);
    must(ox_bookmark_save(bookmark, mark, true, NULL) == OX_OK);
    must(ox_bookmark_load(bookmark, &head, &again, NULL) == OX_OK);
    must(same_bytes(&head, (const uint8_t *)"head", 4));
    must(again.patch_bytes == mark->patch_bytes && again.target_bytes == mark->target_bytes &&
         again.frames == mark->frames);
    ox_buf_clear(&head);
}

/* A tail is bytes from the mark on and within the patch, or none, and then it goes. */
static void check_tail(const struct ox_bookmark *bookmark, uint64_t marked, uint64_t patch_bytes,
                       struct fuzz_input content)
{
    struct ox_tail tail;

    ox_tail_init(&tail, bookmark->tail_path);
    put_file(bookmark->tail_path, content);
    if (ox_tail_open(&tail, marked, patch_bytes)) {
        uint8_t last = 0;

        must(tail.begin <= marked && marked < tail.end && tail.end <= patch_bytes);
        must(tail.end - tail.begin == content.size - 8);
        must(ox_tail_read(&tail, tail.end - 1, &last, 1, NULL) == OX_OK);
        must(last == content.data[content.size - 1]);
        ox_tail_keep(&tail, tail.end, &last, 1, marked);
        must(tail.end - tail.begin == content.size - 7);
    } else {
        must(access(bookmark->tail_path, F_OK) != 0);
    }
    ox_tail_close(&tail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    unsigned how = take_u8(&input);
    struct fuzz_input text = take_bytes(&input, take_u16(&input));
    struct ox_folders folders = {.download = folder};
    struct ox_digest patch = {{0}};
    struct ox_bookmark bookmark;
    struct ox_oxdl_mark mark = {0, 0, 0};
    struct ox_buf head = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;

    if (folder[0] == '\0') {
        open_folder();
    }
    must(ox_bookmark_init(&bookmark, &folders, &patch, NULL) == OX_OK);
    if ((how & SAME_BOOT) != 0) {
        (void)snprintf(bookmark.boot, sizeof(bookmark.boot), "boot");
    }
    if ((how & NO_MARK) == 0) {
        put_file(bookmark.mark_path, text);
    }
    if ((how & NO_DURABLE) == 0) {
        put_file(bookmark.durable_path, input);
    }
    if ((how & NO_HEAD) == 0) {
        put_file(bookmark.head_path, (struct fuzz_input){(const uint8_t *)"head", 4});
    }
    must(ox_bookmark_exists(&bookmark) == ((how & NO_HEAD) == 0));
    code = ox_bookmark_load(&bookmark, &head, &mark, &err);
    must(code == OX_OK || code == OX_ECORRUPT || code == OX_ENOTFOUND);
    must(code == OX_OK || (err.code != OX_OK && err.msg[0] != '\0'));
    must(code != OX_OK || (how & NO_HEAD) == 0);
    if (code == OX_OK) {
        check_again(&bookmark, &mark);
    }
    if ((how & TAIL) != 0) {
        uint64_t marked = code == OX_OK ? mark.patch_bytes : how >> 5;

        check_tail(&bookmark, marked, marked > UINT64_MAX - 64 ? UINT64_MAX : marked + 64, input);
    }
    must(ox_bookmark_remove(&bookmark, NULL) == OX_OK);
    ox_buf_clear(&head);
    ox_bookmark_clear(&bookmark);
    return 0;
}
