/** What a kind of shelf does; the table is in shelf.c. */
#ifndef OX_AGENT_SHELF_KINDS_H
#define OX_AGENT_SHELF_KINDS_H

#include "shelf.h"

struct ox_shelf_kind {
    const char *word;
    bool hidden; /* the home is not where consumers look */
    /* May what consumers will see be put there? NULL: always. */
    enum ox_code (*claim)(const struct ox_shelf *shelf, struct ox_err *err);
    /* The same, once what the agent has there in another layout has gone. NULL: always. */
    enum ox_code (*claim_after)(const struct ox_shelf *shelf, struct ox_err *err);
    /* Let them see this version, or none for NULL; nothing is done if they do. `back`: and nothing
     * that came after it. */
    enum ox_code (*show)(const struct ox_shelf *shelf, const struct ox_shown *version, bool back,
                         struct ox_err *err);
    /* Let them see no version but these any more. */
    enum ox_code (*prune)(const struct ox_shelf *shelf, const char *const *keep, size_t keep_count,
                          struct ox_err *err);
    /* Where they see it; NULL in *out: in the home. */
    enum ox_code (*seen)(const struct ox_shelf *shelf, const char *folder, char **out,
                         struct ox_err *err);
    enum ox_code (*examine)(const struct ox_shelf *shelf, const char *folder, char *what,
                            size_t what_bytes, struct ox_err *err);
};

extern const struct ox_shelf_kind ox_shelf_triton; /* shelf_triton.c */

#endif
