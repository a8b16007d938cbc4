/** What the files of the family `oxide delta` share. */
#ifndef OXIDE_CLI_CMD_DELTA_H
#define OXIDE_CLI_CMD_DELTA_H

#include "command.h"
#include "place.h"

#include "oxide/base/io.h"
#include "oxide/base/json.h"
#include "oxide/delta/explain.h"
#include "oxide/delta/side.h"

/** Open and hash a file or folder, with a bar. The caller closes *out. */
OX_MUST_USE enum ox_code ox_cli_open_hashed(struct ox_cli *cli, const char *label, const char *path,
                                            struct ox_artifact_files **out, struct ox_err *err);

/** One side of a patch. */
json_t *ox_cli_side_json(const struct ox_digest *digest, uint64_t size_bytes, size_t files);

/** The name of what is rebuilt until it is whole: beside its place, or among the temporary files of
 *  the system where `path` is standard output. The caller frees *out and makes the file. */
OX_MUST_USE enum ox_code ox_cli_temp_name(char **out, const char *path, struct ox_err *err);

/** Bring the rebuilt and verified file or folder at `temp` to its place, or a file to standard
 *  output. `temp` is gone afterwards, on failure too. Errors: those of ox_place_put, OX_ECANCELED.
 */
OX_MUST_USE enum ox_code ox_cli_deliver(const struct ox_cli *cli, const struct ox_place *place,
                                        const char *temp, struct ox_err *err);

/* --- cmd_delta_pool.c: the same commands for patches of the format POOL --- */

/** `out_path` "-" is standard output. */
OX_MUST_USE enum ox_code ox_cli_pool_create(struct ox_cli *cli, const char *base_path,
                                            const char *target_path, const char *out_path,
                                            bool force, struct ox_err *err);
OX_MUST_USE enum ox_code ox_cli_pool_apply(struct ox_cli *cli, const char *base_path,
                                           const char *patch_path, const struct ox_source *patch,
                                           const struct ox_place *place, struct ox_err *err);
OX_MUST_USE enum ox_code ox_cli_pool_info(struct ox_cli *cli, const char *path,
                                          const struct ox_source *patch, struct ox_err *err);

/* --- cmd_delta_explain.c: where a patch's bytes go --- */

/** Put the rows into an object, as "tensors" or, without a target, "predictors"; and
 *  "framing_bytes". */
OX_MUST_USE enum ox_code ox_cli_add_explanation(json_t *object,
                                                const struct ox_explanation *explanation,
                                                bool is_folder, struct ox_err *err);

/** The rows as a table, the costliest `most` of them (0: all), and a line about the rest. */
OX_MUST_USE enum ox_code ox_cli_explained_table(const struct ox_cli *cli,
                                                const struct ox_explanation *explanation,
                                                bool is_folder, size_t most, struct ox_err *err);

#endif
