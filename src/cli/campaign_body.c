#include "campaign_body.h"

#include "client.h"
#include "policy_args.h"

#include "oxide/wire/id.h"

enum ox_code ox_campaign_who(const struct ox_args *args, json_t *body, struct ox_err *err)
{
    const char *fleet = ox_args_value(args, "fleet", NULL);
    const char *filter = ox_args_value(args, "filter", NULL);
    bool by_name = ox_args_has(args, "device");
    json_t *devices = json_array();
    const char *device;
    enum ox_code code = OX_OK;

    if ((fleet != NULL) + (filter != NULL) + by_name != 1) {
        code = ox_err_set(err, OX_EINVAL,
                          "which devices? Say one of --fleet ID, --device ID and --filter EXPR");
    } else if (filter != NULL) {
        code = ox_json_set_str(body, "filter", filter, err);
    } else if (fleet != NULL && (code = ox_id_check("fleet", fleet, err)) == OX_OK) {
        code = ox_json_set_str(body, "fleet_id", fleet, err);
    }
    for (size_t i = 0; code == OX_OK && (device = ox_args_nth(args, "device", i)) != NULL; i++) {
        code = ox_id_check("device", device, err);
        if (code == OX_OK) {
            code = ox_json_append(devices, json_string(device), err);
        }
    }
    if (code == OX_OK && by_name) {
        code = ox_json_set(body, "device_ids", json_incref(devices), err);
    }
    json_decref(devices);
    return code;
}

/* The newest version of a model, into the body. */
static enum ox_code set_newest(struct ox_cli *cli, const char *model, json_t *body,
                               struct ox_err *err)
{
    json_t *answer = NULL;
    const json_t *versions;
    const char *version;
    enum ox_code code = ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/models/%s", model);

    if (code == OX_OK) {
        versions = json_object_get(answer, "versions"); /* oldest first */
        version = ox_cli_text(json_array_get(versions, json_array_size(versions) - 1), "version");
        code = version != NULL ? ox_json_set_str(body, "model_version", version, err)
                               : ox_err_set(err, OX_ENOTFOUND,
                                            "model %s has no version: oxide push %s VERSION PATH",
                                            model, model);
    }
    json_decref(answer);
    return code;
}

static enum ox_code fill(struct ox_cli *cli, const struct ox_args *args, json_t *body,
                         struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_word(args, 1);
    enum ox_code code;

    if ((code = ox_id_check("model", model, err)) != OX_OK ||
        (version != NULL && (code = ox_id_check("version", version, err)) != OX_OK) ||
        (code = ox_policy_args(args, body, err)) != OX_OK ||
        (code = ox_campaign_who(args, body, err)) != OX_OK ||
        (code = ox_json_set_str(body, "model_id", model, err)) != OX_OK) {
        return code;
    }
    return version != NULL ? ox_json_set_str(body, "model_version", version, err)
                           : set_newest(cli, model, body, err);
}

enum ox_code ox_campaign_body(struct ox_cli *cli, const struct ox_args *args, json_t **out,
                              struct ox_err *err)
{
    json_t *body = json_object();
    enum ox_code code = fill(cli, args, body, err);

    if (code != OX_OK) {
        json_decref(body);
        return code;
    }
    *out = body;
    return OX_OK;
}

void ox_campaign_superseded(const struct ox_cli *cli, const json_t *answer)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(answer, "superseded"), i, row)
    {
        uint64_t devices = ox_cli_number(row, "devices");
        const char *id = ox_cli_text(row, "campaign_id");

        (void)fprintf(cli->out, "takes %llu device%s from campaign %s\n",
                      (unsigned long long)devices, devices == 1 ? "" : "s", id != NULL ? id : "?");
    }
}
