/** The lineage of a model's versions, drawn as a tree that grows downwards, a line for each. */
#ifndef OXIDE_CLI_LINEAGE_H
#define OXIDE_CLI_LINEAGE_H

#include "oxide/base/err.h"

#include <stdbool.h>

#define OX_LINEAGE_NONE ((size_t)-1)

struct ox_lineage_line {
    size_t version; /* which one stands in this line */
    char *drawing;  /* what stands in front of its name; "" where there is no lineage at all */
};

/**
 * Order `count` versions, given oldest first, so that each comes after its parent, and draw what
 * leads to it: "*-. v2", "| * v3-ft", "* v3"; in UTF-8 with box-drawing characters. parents[i] is
 * the parent's index or OX_LINEAGE_NONE; one in a circle counts as having none.
 * The caller frees *lines with ox_lineage_free. Errors: OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_lineage_draw(const size_t *parents, size_t count, bool utf8,
                                         struct ox_lineage_line **lines, struct ox_err *err);
/** Does a terminal speak UTF-8, as LC_ALL, LC_CTYPE or LANG (the first that is set) say? */
bool ox_lineage_in_utf8(bool is_terminal);
void ox_lineage_free(struct ox_lineage_line *lines, size_t count);

#endif
