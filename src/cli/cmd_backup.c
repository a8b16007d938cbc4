#include "args.h"
#include "client.h"
#include "human.h"
#include "output.h"
#include "place.h"
#include "progress.h"

#include "oxide/app/restore.h"
#include "oxide/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define DATA_DIR_DEFAULT "oxide-data"

/* The server copies its registry before it sends the first byte. */
#define STALL_S 900

/* --- backup --- */

/* What says how much there is stands in the archive's first block of 512 bytes behind its header.
 */
#define HEAD_BYTES 1024
#define MANIFEST_AT 512

struct receiving {
    struct ox_output_file *file;
    char head[HEAD_BYTES + 1];
    size_t head_len;
    uint64_t bytes;
};

static enum ox_code receive(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct receiving *receiving = ctx;
    size_t room = HEAD_BYTES - receiving->head_len;
    size_t take = len_bytes < room ? len_bytes : room;

    memcpy(receiving->head + receiving->head_len, bytes, take);
    receiving->head_len += take;
    receiving->bytes += len_bytes;
    return receiving->file->output.write(receiving->file->output.ctx, bytes, len_bytes, err);
}

/* What the archive says of itself, which the caller releases. */
static enum ox_code read_manifest(const struct receiving *receiving, json_t **out,
                                  struct ox_err *err)
{
    const char *text = receiving->head + MANIFEST_AT;
    enum ox_code code = ox_json_parse_object(text, strlen(text), out, err);

    return code == OX_OK ? OX_OK : ox_err_context(err, "what the server sent is no backup");
}

static enum ox_code tell_json(struct ox_cli *cli, json_t *manifest, const char *path,
                              uint64_t bytes, struct ox_err *err)
{
    struct ox_cli told = ox_cli_beside(cli, path);
    enum ox_code code;

    if ((code = ox_json_set_str(manifest, "file", path, err)) == OX_OK &&
        (code = ox_json_set_u64(manifest, "size_bytes", bytes, err)) == OX_OK) {
        code = ox_cli_print_json(&told, manifest, err);
    }
    return code;
}

static void tell(struct ox_cli *cli, const json_t *manifest, const char *path, uint64_t bytes)
{
    const json_t *blobs = json_object_get(manifest, "blobs");
    bool included = json_is_true(json_object_get(blobs, "included"));
    char size[OX_HUMAN_MAX];

    (void)fprintf(cli->notes, "the backup is in %s: %s\n", path, ox_human_size(bytes, size));
    (void)fprintf(cli->notes, "%s %llu blobs, %s%s\n", included ? "with" : "without the",
                  (unsigned long long)ox_cli_number(blobs, "count"),
                  ox_human_size(ox_cli_number(blobs, "size_bytes"), size),
                  included ? "" : ": keep a copy of the folder blobs/ too, or say --blobs");
}

static enum ox_code fetch(struct ox_cli *cli, const struct ox_args *args,
                          struct receiving *receiving, struct ox_err *err)
{
    struct ox_client client = {NULL, NULL, NULL};
    struct ox_bar bar;
    struct ox_http_request request = {.method = "GET",
                                      .on_body = receive,
                                      .ctx = receiving,
                                      .stall_s = STALL_S,
                                      .progress = &bar.progress};
    enum ox_code code = ox_client_open(&client, cli, err);

    ox_bar_start(&bar, "receiving", cli->notes, cli->notes_is_terminal, ox_clock_system());
    if (code == OX_OK) {
        code = ox_client_perform(
            &client, ox_args_has(args, "blobs") ? "/api/v1/backup?blobs=true" : "/api/v1/backup",
            &request, NULL, err);
    }
    ox_bar_end(&bar, code == OX_OK);
    ox_client_close(&client);
    return code;
}

enum ox_code ox_run_backup(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *path = ox_args_word(args, 0);
    bool force = ox_args_has(args, "force");
    struct ox_output_file file;
    struct receiving receiving = {.file = &file};
    json_t *manifest = NULL;
    enum ox_code code = ox_place_check_free(path, force, err);

    if (code != OX_OK) {
        return code;
    }
    code = ox_output_open(&file, path, err);
    if (code == OX_OK && (code = fetch(cli, args, &receiving, err)) == OX_OK &&
        (code = read_manifest(&receiving, &manifest, err)) == OX_OK) {
        code = ox_output_commit(&file, force, err);
    }
    ox_output_clear(&file);
    if (code == OX_OK && cli->json) {
        code = tell_json(cli, manifest, path, receiving.bytes, err);
    } else if (code == OX_OK) {
        tell(cli, manifest, path, receiving.bytes);
    }
    json_decref(manifest);
    return code;
}

/* --- restore --- */

static enum ox_code confirm(struct ox_cli *cli, struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code = ox_client_once(cli, "POST", NULL, &answer, err, "/api/v1/restore/confirm");

    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "confirmed: devices are assigned again what campaigns say\n");
    }
    json_decref(answer);
    return code;
}

static enum ox_code print_json(struct ox_cli *cli, const struct ox_app_restored *restored,
                               const char *dir, struct ox_err *err)
{
    char time[OX_TIME_TEXT_MAX];
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s?}", "data", dir, "made_at",
                  ox_time_text(restored->made_ms, time), "devices", (json_int_t)restored->devices,
                  "campaigns", (json_int_t)restored->campaigns, "blobs",
                  (json_int_t)restored->blobs, "missing_blobs", (json_int_t)restored->missing,
                  "replaced", restored->replaced[0] == '\0' ? NULL : restored->replaced);
    enum ox_code code =
        json == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(cli, json, err);

    json_decref(json);
    return code;
}

static void print_text(struct ox_cli *cli, const struct ox_app_restored *restored, const char *dir)
{
    char time[OX_TIME_TEXT_MAX];

    (void)fprintf(cli->out, "%s is as it was at %s: %llu devices, %llu campaigns under way\n", dir,
                  ox_time_text(restored->made_ms, time), (unsigned long long)restored->devices,
                  (unsigned long long)restored->campaigns);
    if (restored->replaced[0] != '\0') {
        (void)fprintf(cli->out, "the registry that was there is %s/%s now\n", dir,
                      restored->replaced);
    }
    if (restored->missing > 0) {
        (void)fprintf(cli->out,
                      "%llu of %llu blobs are missing: copy blobs/ there; 'oxide doctor --data %s' "
                      "names them\n",
                      (unsigned long long)restored->missing, (unsigned long long)restored->blobs,
                      dir);
    }
    (void)fprintf(
        cli->out,
        "next: oxide serve --data %s; nothing is assigned before oxide restore --confirm\n", dir);
}

enum ox_code ox_run_restore(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *file = ox_args_word(args, 0);
    const char *dir = ox_args_value(args, "data", DATA_DIR_DEFAULT);
    struct ox_app_restored restored;
    enum ox_code code;

    if (ox_args_has(args, "confirm")) {
        return file == NULL && !ox_args_has(args, "data")
                   ? confirm(cli, err)
                   : ox_err_set(
                         err, OX_EINVAL,
                         "--confirm stands alone: it speaks to the server that was restored");
    }
    if (file == NULL) {
        return ox_err_set(err, OX_EINVAL, "which backup? oxide restore FILE --data DIR");
    }
    code = ox_app_restore(file, dir, ox_args_has(args, "force"), cli->stop, &restored, err);
    if (code != OX_OK) {
        return code;
    }
    if (cli->json) {
        return print_json(cli, &restored, dir, err);
    }
    print_text(cli, &restored, dir);
    return OX_OK;
}
