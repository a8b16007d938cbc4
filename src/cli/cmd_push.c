#include "args.h"
#include "client.h"
#include "human.h"
#include "meta_args.h"
#include "progress.h"

#include "oxide/base/clock.h"
#include "oxide/delta/side.h"
#include "oxide/wire/header.h"
#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

#define RETRIES_MAX 6      /* of one file, without a byte of progress between them */
#define RETRY_FIRST_MS 500 /* doubled each time: 31 s in all */

struct push {
    struct ox_cli *cli;
    struct ox_client client;
    const char *model;
    const char *version;
    json_t *meta; /* what the options say of it */
    struct ox_artifact_files *artifact;
    const struct ox_delta_side *side;
    struct ox_bar bar;
    uint64_t total_bytes;
    uint64_t before_bytes; /* of files done, and of this one what an earlier request sent */
    uint64_t sent_bytes;
};

/* Progress of one request, as part of the whole. */
static void request_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct push *push = ctx;

    (void)total;
    ox_progress_update(&push->bar.progress, push->before_bytes + done, push->total_bytes);
}

/* Send what the server lacks of one file; *received is what it holds of it already. */
static enum ox_code send_rest(struct push *push, size_t index, uint64_t received,
                              struct ox_err *err)
{
    const struct ox_manifest_file *file = &push->side->manifest->files[index];
    const struct ox_progress progress = {push, request_progress};
    char hex[OX_DIGEST_HEX_MAX];
    char path[128];
    char range[128];
    const char *headers[] = {"Content-Type: " OX_MEDIA_BYTES, range, NULL};
    struct ox_http_request request = {.method = "PUT",
                                      .headers = headers,
                                      .body_source = &push->side->files[index],
                                      .body_offset = received,
                                      .progress = &progress};

    (void)snprintf(path, sizeof(path), "/api/v1/blobs/%s", ox_digest_hex(&file->sha256, hex));
    if (received > 0) { /* a whole upload says so by having no range; an empty one has none */
        (void)snprintf(range, sizeof(range), "Content-Range: bytes %llu-%llu/%llu",
                       (unsigned long long)received, (unsigned long long)file->size_bytes - 1,
                       (unsigned long long)file->size_bytes);
    } else {
        headers[1] = NULL;
    }
    return ox_client_perform(&push->client, path, &request, NULL, err);
}

static enum ox_code ask(struct push *push, const struct ox_manifest_file *file, bool *held,
                        uint64_t *received, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    json_t *answer = NULL;
    enum ox_code code = ox_client_get(&push->client, &answer, err, "/api/v1/uploads/%s",
                                      ox_digest_hex(&file->sha256, hex));

    if (code == OX_OK) {
        *held = json_is_true(json_object_get(answer, "held"));
        *received = ox_cli_number(answer, "received_bytes");
        if (*received > file->size_bytes) {
            code =
                ox_err_set(err, OX_EPROTO, "the server holds more of %s than it has", file->path);
        }
    }
    json_decref(answer);
    return code;
}

/* Is it worth another try? The connection is at fault; or another upload of the same bytes is ahead
 * of us, so that our offset is no longer the server's. */
static bool is_passing(enum ox_code code)
{
    return code == OX_ENET || code == OX_ETIMEOUT || code == OX_EBUSY || code == OX_ECONFLICT;
}

static enum ox_code send_file(struct push *push, size_t index, struct ox_err *err)
{
    const struct ox_manifest_file *file = &push->side->manifest->files[index];
    const uint64_t start_bytes = push->before_bytes;
    uint64_t known = 0; /* bytes that the server was known to hold */
    bool first = true;

    for (unsigned tries = 0;; tries++) {
        bool held = false;
        uint64_t received = 0;
        enum ox_code code = ask(push, file, &held, &received, err);

        if (code == OX_OK) {
            received = held ? file->size_bytes : received;
            if (!first && received > known) { /* what a broken request brought over */
                push->sent_bytes += received - known;
                tries = 0;
            }
            first = false;
            known = received;
            push->before_bytes = start_bytes + received;
            if (held) {
                break;
            }
            code = send_rest(push, index, received, err);
            if (code == OX_OK) {
                push->sent_bytes += file->size_bytes - received;
                break;
            }
        }
        if (!is_passing(code) || tries == RETRIES_MAX) {
            return code;
        }
        if (push->cli->verbose) {
            (void)fprintf(push->cli->notes, "%s: trying again\n", err->msg);
        }
        if (ox_stop_wait(push->cli->stop, (int64_t)RETRY_FIRST_MS << tries)) {
            return ox_err_set(err, OX_ECANCELED, "interrupted: the same push goes on from here");
        }
    }
    push->before_bytes = start_bytes + file->size_bytes;
    ox_progress_update(&push->bar.progress, push->before_bytes, push->total_bytes);
    return OX_OK;
}

static const char *variant_of(const struct push *push)
{
    return ox_cli_text(push->meta, "variant");
}

/* The digest of the variant that is pushed, among those that are published; NULL if it is new. */
static const char *digest_there(const struct push *push, const json_t *meta)
{
    const char *wanted = variant_of(push);
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(meta, "variants"), i, row)
    {
        const char *name = ox_cli_text(row, "variant");

        if (name == NULL || wanted == NULL ? name == wanted : strcmp(name, wanted) == 0) {
            return ox_cli_text(row, "sha256");
        }
    }
    return json_object_get(meta, "variants") == NULL ? ox_cli_text(meta, "sha256") : NULL;
}

/* Is this version published already? Other bytes under its name are an error before any is sent. */
static enum ox_code published(struct push *push, bool *out, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    json_t *meta = NULL;
    const char *there;
    enum ox_code code =
        ox_client_get(&push->client, &meta, err, "/api/v1/models/%s/versions/%s/meta", push->model,
                      push->version);

    if (code == OX_ENOTFOUND) {
        *out = false;
        return OX_OK;
    }
    there = digest_there(push, meta);
    *out = code == OX_OK && there != NULL;
    if (*out && strcmp(there, ox_digest_hex(&push->side->digest, hex)) != 0) {
        code = ox_err_set(err, OX_ECONFLICT,
                          "it is published already, with other bytes: a version never changes, "
                          "push under another name");
    }
    json_decref(meta);
    return code;
}

static enum ox_code call_version(struct push *push, const char *method, const json_t *body,
                                 const char *media, struct ox_err *err)
{
    char path[600];

    (void)snprintf(path, sizeof(path), "/api/v1/models/%s/versions/%s", push->model, push->version);
    return ox_client_call(&push->client, method, path, body, media, NULL, err);
}

static enum ox_code publish(struct push *push, struct ox_err *err)
{
    json_t *files = NULL;
    enum ox_code code = ox_manifest_to_json(push->side->manifest, &files, err);

    if (code == OX_OK) {
        code = ox_json_set(push->meta, "files", files, err);
    }
    return code == OX_OK ? call_version(push, "POST", push->meta, OX_MEDIA_MANIFEST, err) : code;
}

static enum ox_code print_done(struct push *push, bool was_there, struct ox_err *err)
{
    struct ox_cli *cli = push->cli;
    char hex[OX_DIGEST_HEX_MAX];
    char size[OX_HUMAN_MAX];
    char sent[OX_HUMAN_MAX];
    size_t count = push->side->manifest->count;

    if (cli->json) {
        json_t *json =
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:b}", "model_id", push->model, "version",
                      push->version, "sha256", ox_digest_hex(&push->side->digest, hex), "files",
                      (json_int_t)count, "size_bytes", (json_int_t)push->total_bytes, "sent_bytes",
                      (json_int_t)push->sent_bytes, "published_before", was_there);
        enum ox_code code = ox_json_set_str(json, "variant", variant_of(push), err);

        code = code == OX_OK ? ox_cli_print_json(cli, json, err) : code;

        json_decref(json);
        return code;
    }
    (void)ox_human_bytes(push->total_bytes, size);
    if (was_there) {
        (void)fprintf(cli->out, "%s@%s is published already: nothing sent of %s\n", push->model,
                      push->version, size);
    } else {
        (void)fprintf(cli->out, "%s@%s: sent %s of %s in %zu file%s\n", push->model, push->version,
                      push->sent_bytes == 0 ? "nothing" : ox_human_bytes(push->sent_bytes, sent),
                      size, count, count == 1 ? "" : "s");
    }
    (void)fprintf(cli->out, "next: oxide deploy %s %s --fleet ID\n", push->model, push->version);
    return OX_OK;
}

static enum ox_code open_artifact(struct push *push, const char *path, struct ox_err *err)
{
    struct ox_bar bar;
    enum ox_code code;

    ox_bar_start(&bar, "hashing", push->cli->notes, push->cli->notes_is_terminal,
                 ox_clock_system());
    code = ox_artifact_open(&push->artifact, path, push->cli->stop, &bar.progress, err);
    ox_bar_end(&bar, code == OX_OK);
    if (code == OX_OK) {
        push->side = ox_artifact_side(push->artifact);
        push->total_bytes = ox_manifest_size(push->side->manifest);
    }
    return code;
}

/* Send what the server lacks, and publish; what is published already may still be spoken of. */
static enum ox_code send_all(struct push *push, bool was_there, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (was_there) {
        return json_object_size(push->meta) == 0
                   ? OX_OK
                   : call_version(push, "PATCH", push->meta, NULL, err);
    }
    ox_bar_start(&push->bar, "sending", push->cli->notes, push->cli->notes_is_terminal,
                 ox_clock_system());
    for (size_t i = 0; i < push->side->manifest->count && code == OX_OK; i++) {
        code = send_file(push, i, err);
    }
    ox_bar_end(&push->bar, code == OX_OK);
    return code == OX_OK ? publish(push, err) : code;
}

enum ox_code ox_run_push(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct push push = {.cli = cli,
                        .model = ox_args_word(args, 0),
                        .version = ox_args_word(args, 1),
                        .meta = json_object()};
    bool was_there = false;
    enum ox_code code = ox_id_check("model", push.model, err);

    if (code == OX_OK) {
        code = ox_id_check("version", push.version, err);
    }
    if (code == OX_OK) {
        code = ox_meta_args(args, push.meta, err);
    }
    if (code == OX_OK) {
        code = ox_client_open(&push.client, cli, err);
    }
    if (code == OX_OK) {
        code = open_artifact(&push, ox_args_word(args, 2), err);
    }
    if (code == OX_OK && (code = published(&push, &was_there, err)) == OX_OK) {
        code = send_all(&push, was_there, err);
    }
    if (code == OX_OK) {
        code = print_done(&push, was_there, err);
    } else {
        (void)ox_err_context(err, "publish %s@%s", push.model, push.version);
    }
    ox_artifact_close(push.artifact);
    ox_client_close(&push.client);
    json_decref(push.meta);
    return code;
}
