/** Models and their versions: publishing, showing, downloading. What control.h says of all
 * functions holds. */
#ifndef OXIDE_CONTROL_MODEL_H
#define OXIDE_CONTROL_MODEL_H

#include "oxide/control/control.h"

/** One version: the variant that stands for it, or the named one. */
OX_MUST_USE enum ox_code ox_control_version(struct ox_control *control, const char *model_id,
                                            const char *version, json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_variant(struct ox_control *control, const char *model_id,
                                            const char *version, const char *variant, json_t **out,
                                            struct ox_err *err);
/** Change what is said of a version, or of the variant that the document names. */
OX_MUST_USE enum ox_code ox_control_version_patch(struct ox_control *control, const char *model_id,
                                                  const char *version, const json_t *body,
                                                  json_t **out, struct ox_err *err);

/** How many devices run, or ran at a time (RFC 3339; NULL: now), each version; NULL: all. */
OX_MUST_USE enum ox_code ox_control_where_counts(struct ox_control *control, const char *model_id,
                                                 const char *version, const char *at, json_t **out,
                                                 struct ox_err *err);

/** A version of one file on its way in: begin, write, then finish or abort (which free it). */
struct ox_publish;
/** Errors: OX_ENOSPC if size_bytes does not fit on the disk. */
OX_MUST_USE enum ox_code ox_control_publish_begin(struct ox_control *control, const char *model_id,
                                                  const char *version, uint64_t size_bytes,
                                                  struct ox_publish **out, struct ox_err *err);
/** What is said of it: a document as docs/rest.md has it, whose reference is taken. */
OX_MUST_USE enum ox_code ox_control_publish_meta(struct ox_publish *publish, json_t *take_meta,
                                                 struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_publish_write(struct ox_publish *publish, const void *bytes,
                                                  size_t len_bytes, struct ox_err *err);
/** Store, find the layout, register, queue deltas. Same bytes again: *created is false. */
OX_MUST_USE enum ox_code ox_control_publish_finish(struct ox_publish *take_publish, bool *created,
                                                   json_t **out, struct ox_err *err);
void ox_control_publish_abort(struct ox_publish *take_publish);
/** Publish a version of files that are held: {files:[...]} and what is said of it. */
OX_MUST_USE enum ox_code ox_control_publish_manifest(struct ox_control *control,
                                                     const char *model_id, const char *version,
                                                     const json_t *body, bool *created,
                                                     json_t **out, struct ox_err *err);

#endif
