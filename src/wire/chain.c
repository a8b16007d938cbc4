#include "chain.h"

#include "fields.h"

#include <stdlib.h>

/* --- one patch --- */

enum ox_code ox_wire_patch_to_json(const struct ox_patch_ref *patch, json_t **out,
                                   struct ox_err *err)
{
    json_t *json = json_object();
    enum ox_code code;

    if ((code = ox_wire_set_digest(json, "sha256", &patch->sha256, err)) != OX_OK ||
        (code = ox_json_set_u64(json, "size", patch->size_bytes, err)) != OX_OK ||
        (code = ox_json_set_str(json, "format", patch->format, err)) != OX_OK ||
        (code = ox_json_set_str(json, "strategy", patch->strategy, err)) != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_wire_patch_from_json(const json_t *json, struct ox_patch_ref *out,
                                     struct ox_err *err)
{
    enum ox_code code;

    out->present = true;
    if ((code = ox_wire_get_digest(json, "sha256", &out->sha256, err)) != OX_OK ||
        (code = ox_json_get_u64(json, "size", &out->size_bytes, err)) != OX_OK ||
        (code = ox_wire_opt_text(json, "format", &out->format, err)) != OX_OK ||
        (code = ox_wire_opt_text(json, "strategy", &out->strategy, err)) != OX_OK) {
        return code;
    }
    return out->size_bytes == 0 || out->format == NULL
               ? ox_err_set(err, OX_EINVAL, "a \"patch\" has a \"size\" over 0 and a \"format\"")
               : OX_OK;
}

/* --- in a row --- */

void ox_wire_chain_clear(struct ox_assignment *assignment)
{
    for (size_t i = 0; i < assignment->chain_count; i++) {
        struct ox_chain_link *link = &assignment->chain[i];

        free(link->patch.format);
        free(link->patch.strategy);
        free(link->version);
        ox_manifest_clear(&link->files);
    }
    free(assignment->chain);
    assignment->chain = NULL;
    assignment->chain_count = 0;
}

/* What a link rebuilds; the last one's is the assignment itself. */
static enum ox_code put_between(json_t *json, const struct ox_chain_link *link, struct ox_err *err)
{
    json_t *files = NULL;
    enum ox_code code;

    if ((code = ox_json_set_str(json, "model_version", link->version, err)) != OX_OK ||
        (code = ox_wire_set_digest(json, "digest", &link->digest, err)) != OX_OK ||
        (code = ox_manifest_to_json(&link->files, &files, err)) != OX_OK) {
        return code;
    }
    return ox_json_set(json, "files", files, err);
}

enum ox_code ox_wire_put_chain(json_t *json, const struct ox_assignment *assignment,
                               struct ox_err *err)
{
    json_t *list;
    enum ox_code code = OX_OK;

    if (assignment->chain_count == 0) {
        return OX_OK;
    }
    list = json_array();
    for (size_t i = 0; code == OX_OK && i < assignment->chain_count; i++) {
        const struct ox_chain_link *link = &assignment->chain[i];
        json_t *entry = NULL;

        code = ox_wire_patch_to_json(&link->patch, &entry, err);
        if (code == OX_OK && i + 1 < assignment->chain_count &&
            (code = put_between(entry, link, err)) != OX_OK) {
            json_decref(entry);
        }
        if (code == OX_OK) {
            code = ox_json_append(list, entry, err);
        }
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    return ox_json_set(json, "patches", list, err);
}

static enum ox_code parse_link(const json_t *json, bool is_last, struct ox_chain_link *out,
                               struct ox_err *err)
{
    enum ox_code code;

    if (!json_is_object(json)) {
        return ox_err_set(err, OX_EINVAL, "each of \"patches\" must be an object");
    }
    code = ox_wire_patch_from_json(json, &out->patch, err);
    if (code != OX_OK || is_last) {
        return code;
    }
    if ((code = ox_wire_get_id(json, "model_version", &out->version, err)) != OX_OK ||
        (code = ox_wire_get_digest(json, "digest", &out->digest, err)) != OX_OK) {
        return code;
    }
    return ox_manifest_from_json(json_object_get(json, "files"), &out->files, err);
}

enum ox_code ox_wire_parse_chain(const json_t *json, struct ox_assignment *out, struct ox_err *err)
{
    const json_t *list = NULL;
    size_t count;
    enum ox_code code = ox_json_opt_array(json, "patches", &list, err);

    count = json_array_size(list);
    if (code != OX_OK || count == 0) {
        return code;
    }
    if (!out->base_present || out->patch.present || count < 2 || count > OX_CHAIN_MAX) {
        return ox_err_set(err, OX_EINVAL,
                          "\"patches\" are 2 to %d, in place of a \"patch\", and need a \"base\"",
                          OX_CHAIN_MAX);
    }
    out->chain = calloc(count, sizeof(*out->chain));
    if (out->chain == NULL) {
        return ox_err_nomem(err, "a chain of patches");
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        out->chain_count = i + 1; /* what is parsed in part is cleared, too */
        code = parse_link(json_array_get(list, i), i + 1 == count, &out->chain[i], err);
    }
    if (code == OX_OK) {
        out->chain[count - 1].digest = out->digest;
    }
    return code;
}
