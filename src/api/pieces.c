#include "request.h"

#include <stdlib.h>
#include <string.h>

/* What libmicrohttpd asks for at once; a connection's answer is never held in more than this and
 * one piece. */
#define BLOCK_BYTES ((size_t)32 * 1024)

/* An answer under way. A worker has it while the connection is suspended, its thread otherwise. */
struct answer {
    const struct ox_pieces *pieces;
    void *ctx;
    struct ox_request *request; /* ends after us */
    struct ox_buf piece;
    size_t taken; /* of the piece */
    bool ended;
    bool failed;
};

static void free_answer(void *arg)
{
    struct answer *answer = arg;

    answer->pieces->clear(answer->ctx);
    ox_buf_clear(&answer->piece);
    free(answer);
}

static enum ox_code next_piece(struct answer *answer, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    answer->piece.len_bytes = 0;
    answer->taken = 0;
    while (code == OX_OK && answer->piece.len_bytes == 0 && !answer->ended) {
        code = answer->pieces->make(answer->ctx, &answer->piece, &answer->ended, err);
    }
    return code;
}

static void run_next(void *arg)
{
    struct answer *answer = arg;
    struct ox_api *api = answer->request->api;
    struct MHD_Connection *connection = answer->request->connection;
    struct ox_err err = OX_ERR_INIT;

    ox_log_bind(answer->request->id);
    if (next_piece(answer, &err) != OX_OK) {
        answer->failed = true;
        ox_log(api->log, OX_LOG_ERROR, "an answer breaks off: %s", err.msg);
    }
    ox_log_bind(NULL);
    (void)ox_conn_enter(answer->request->conn, OX_CONN_ANSWER);
    MHD_resume_connection(connection); /* from here on the answer is the connection's */
    atomic_fetch_sub(&api->suspended, 1);
}

/* On the connection's thread. Breaking off an answer closes the connection, so that the client sees
 * that it is not whole. */
static ssize_t read_answer(void *arg, uint64_t offset, char *out, size_t max)
{
    struct answer *answer = arg;
    struct ox_request *request = answer->request;
    size_t left = answer->piece.len_bytes - answer->taken;

    (void)offset;
    if (left > 0) {
        size_t take = left < max ? left : max;

        memcpy(out, answer->piece.data + answer->taken, take);
        answer->taken += take;
        request->answer_bytes += take;
        return (ssize_t)take;
    }
    if (answer->failed) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (answer->ended) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    atomic_fetch_add(&request->api->suspended, 1);
    if (atomic_load(&request->api->refusing)) {
        atomic_fetch_sub(&request->api->suspended, 1);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    (void)ox_conn_enter(request->conn, OX_CONN_OURS);
    MHD_suspend_connection(request->connection);
    if (!ox_pool_try_submit(request->api->slow, run_next, answer)) {
        answer->failed = true;
        MHD_resume_connection(request->connection);
        atomic_fetch_sub(&request->api->suspended, 1);
    }
    return 0;
}

enum ox_code ox_reply_pieces(struct ox_request *request, unsigned status, const char *type,
                             const struct ox_pieces *pieces, void *take_ctx, struct ox_err *err)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    struct MHD_Response *response;
    enum ox_code code;

    if (answer == NULL) {
        pieces->clear(take_ctx);
        return ox_err_nomem(err, "an answer");
    }
    answer->pieces = pieces;
    answer->ctx = take_ctx;
    answer->request = request;
    code = next_piece(answer, err);
    if (code != OX_OK) {
        free_answer(answer);
        return code;
    }
    if (answer->ended) { /* all of it: its length can be told */
        char *text = (char *)answer->piece.data;
        size_t len = answer->piece.len_bytes;

        answer->piece = (struct ox_buf)OX_BUF_INIT;
        free_answer(answer);
        return ox_reply_bytes(request, status, type, text, len, err);
    }
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_answer, answer,
                                                 free_answer);
    if (response == NULL) {
        free_answer(answer);
    }
    return ox_reply_response(request, status, type, response, err);
}
