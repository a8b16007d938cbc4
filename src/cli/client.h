/** Calls of the control plane's REST API (docs/rest.md), as commands make them. */
#ifndef OXIDE_CLI_CLIENT_H
#define OXIDE_CLI_CLIENT_H

#include "command.h"

#include "oxide/base/json.h"
#include "oxide/net/http.h"

struct ox_client {
    struct ox_http *http;
    const struct ox_cli *cli; /* lent */
    char *base;               /* the server's address without a slash at its end; owned */
};

/** Errors: OX_EINVAL if the address is no http(s) URL. The caller closes *out in every case. */
OX_MUST_USE enum ox_code ox_client_open(struct ox_client *out, const struct ox_cli *cli,
                                        struct ox_err *err);
void ox_client_close(struct ox_client *client);

/**
 * One call with a JSON body (NULL for none) and a JSON answer, which the caller owns (answer may be
 * NULL if it does not matter). `path` begins with "/"; `media` is the body's type, NULL for JSON.
 * Errors: what the server's error says, as its code and message; OX_ENET and OX_ETIMEOUT with what
 * to do; OX_EPROTO for an answer that is none of oxide's.
 */
OX_MUST_USE enum ox_code ox_client_call(struct ox_client *client, const char *method,
                                        const char *path, const json_t *body, const char *media,
                                        json_t **answer, struct ox_err *err);

/** As above, with the path formatted and no body. */
OX_MUST_USE enum ox_code ox_client_get(struct ox_client *client, json_t **answer,
                                       struct ox_err *err, const char *path_fmt, ...)
    OX_PRINTF(4, 5);

/** GET a page of a list: also the cursor of the next one, which the caller frees; NULL: no more. */
OX_MUST_USE enum ox_code ox_client_page(struct ox_client *client, const char *path, json_t **answer,
                                        char **next_cursor, struct ox_err *err);

/**
 * Perform a prepared request (url, headers and stop are filled in here) and check its answer, whose
 * JSON goes to *answer. What ox_client_call is made of; push streams bodies through it.
 */
OX_MUST_USE enum ox_code ox_client_perform(struct ox_client *client, const char *path,
                                           struct ox_http_request *request, json_t **answer,
                                           struct ox_err *err);

/** Open, call, close. The caller owns *answer. */
OX_MUST_USE enum ox_code ox_client_once(const struct ox_cli *cli, const char *method,
                                        const json_t *body, json_t **answer, struct ox_err *err,
                                        const char *path_fmt, ...) OX_PRINTF(6, 7);

/** Text from a file as a JSON string, cleaned: see ox_text_clean. NULL where memory is short. */
json_t *ox_cli_json_clean(const char *text);

/** As `cli`, but what is told goes to the notes where the output at `path` is standard output. */
struct ox_cli ox_cli_beside(const struct ox_cli *cli, const char *path);

/** Print JSON as --json does: indented, with a line feed. */
OX_MUST_USE enum ox_code ox_cli_print_json(const struct ox_cli *cli, const json_t *json,
                                           struct ox_err *err);

/** A string of an answer, or NULL if it is absent, null or no string. Lent. */
const char *ox_cli_text(const json_t *object, const char *key);
/** A number of an answer, or 0. */
uint64_t ox_cli_number(const json_t *object, const char *key);

#endif
