#include "lineage.h"

#include "oxide/base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * A lane is a column of the drawing, kept for one version that is still to come: a child keeps its
 * parent's, its siblings get new ones to the right.
 */
struct drawing {
    const size_t *parents;
    size_t count;
    size_t *lanes; /* the version that each is kept for, or OX_LINEAGE_NONE */
    size_t lane_count;
    bool *done;
    const char *const *glyphs;
};

enum { GLYPH_NODE, GLYPH_LANE, GLYPH_ACROSS, GLYPH_FORK, GLYPH_LAST, GLYPH_CROSSING };
static const char *const ascii[] = {"*", "|", "-", ".", ".", "+"};
static const char *const boxes[] = {"●", "│", "─", "┬", "┐", "┼"};

/* The lane kept for a version, else the first free one from `from` on. */
static size_t lane_of(struct drawing *drawing, size_t version, size_t from)
{
    size_t found = OX_LINEAGE_NONE;

    for (size_t i = 0; i < drawing->lane_count; i++) {
        if (version != OX_LINEAGE_NONE && drawing->lanes[i] == version) {
            return i;
        }
        if (drawing->lanes[i] == OX_LINEAGE_NONE && i >= from && found == OX_LINEAGE_NONE) {
            found = i;
        }
    }
    if (found == OX_LINEAGE_NONE) { /* there are never more lanes than versions: see draw_all */
        found = drawing->lane_count++;
        drawing->lanes[found] = OX_LINEAGE_NONE;
    }
    return found;
}

/* Keep lanes for the children of the version in `lane`. The last new one, or `lane`. */
static size_t fork_lanes(struct drawing *drawing, size_t version, size_t lane, bool *is_new)
{
    size_t last = lane;
    bool first = true;

    drawing->lanes[lane] = OX_LINEAGE_NONE;
    memset(is_new, 0, drawing->count * sizeof(*is_new));
    for (size_t i = 0; i < drawing->count; i++) {
        size_t at;

        if (drawing->parents[i] != version || drawing->done[i]) {
            continue;
        }
        at = first ? lane : lane_of(drawing, OX_LINEAGE_NONE, lane + 1);
        drawing->lanes[at] = i;
        is_new[at] = !first;
        last = at > last ? at : last;
        first = false;
    }
    return last;
}

static const char *glyph_at(const struct drawing *drawing, size_t at, size_t lane, size_t last,
                            const bool *is_new)
{
    if (at == lane) {
        return drawing->glyphs[GLYPH_NODE];
    }
    if (at > lane && at <= last) {
        return at == last                              ? drawing->glyphs[GLYPH_LAST]
               : is_new[at]                            ? drawing->glyphs[GLYPH_FORK]
               : drawing->lanes[at] != OX_LINEAGE_NONE ? drawing->glyphs[GLYPH_CROSSING]
                                                       : drawing->glyphs[GLYPH_ACROSS];
    }
    return drawing->lanes[at] != OX_LINEAGE_NONE ? drawing->glyphs[GLYPH_LANE] : " ";
}

static enum ox_code draw_line(struct drawing *drawing, size_t version, bool *is_new, char **out,
                              struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    size_t lane = lane_of(drawing, version, 0);
    size_t last = fork_lanes(drawing, version, lane, is_new);
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < drawing->lane_count; i++) {
        const char *glyph = glyph_at(drawing, i, lane, last, is_new);
        const char *gap = i >= lane && i < last ? drawing->glyphs[GLYPH_ACROSS] : " ";

        code = ox_buf_append(&text, glyph, strlen(glyph), err);
        code = code == OX_OK ? ox_buf_append(&text, gap, strlen(gap), err) : code;
    }
    while (drawing->lane_count > 0 && drawing->lanes[drawing->lane_count - 1] == OX_LINEAGE_NONE) {
        drawing->lane_count--;
    }
    code = code == OX_OK ? ox_buf_append(&text, "", 1, err) : code;
    if (code == OX_OK) {
        code = ox_strdup(out, (const char *)text.data, err);
    }
    ox_buf_clear(&text);
    return code;
}

/* The oldest version that is to come and whose parent is there, from `from` on and around. */
static size_t next_version(const struct drawing *drawing)
{
    for (size_t i = 0; i < drawing->count; i++) {
        size_t parent = drawing->parents[i];

        if (!drawing->done[i] && (parent == OX_LINEAGE_NONE || drawing->done[parent])) {
            return i;
        }
    }
    for (size_t i = 0; i < drawing->count; i++) { /* a circle: begin it anywhere */
        if (!drawing->done[i]) {
            return i;
        }
    }
    return OX_LINEAGE_NONE;
}

/* Each version takes at most one lane at a time, so as many lanes as versions, and one to begin
 * with, will do. */
static enum ox_code draw_all(struct drawing *drawing, bool any, struct ox_lineage_line *lines,
                             struct ox_err *err)
{
    bool *is_new = calloc(drawing->count + 1, sizeof(*is_new));
    enum ox_code code = is_new == NULL ? ox_err_nomem(err, "a tree of versions") : OX_OK;

    for (size_t i = 0; code == OX_OK && i < drawing->count; i++) {
        size_t version = next_version(drawing);

        drawing->done[version] = true;
        lines[i].version = version;
        code = any ? draw_line(drawing, version, is_new, &lines[i].drawing, err)
                   : ox_strdup(&lines[i].drawing, "", err);
    }
    free(is_new);
    return code;
}

enum ox_code ox_lineage_draw(const size_t *parents, size_t count, bool utf8,
                             struct ox_lineage_line **lines, struct ox_err *err)
{
    struct drawing drawing = {.parents = parents,
                              .count = count,
                              .lanes = calloc(count + 1, sizeof(size_t)),
                              .done = calloc(count + 1, sizeof(bool)),
                              .glyphs = utf8 ? boxes : ascii};
    struct ox_lineage_line *made = calloc(count + 1, sizeof(*made));
    enum ox_code code = OX_OK;
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        any = any || parents[i] != OX_LINEAGE_NONE;
    }
    if (drawing.lanes == NULL || drawing.done == NULL || made == NULL) {
        code = ox_err_nomem(err, "a tree of versions");
    } else {
        code = draw_all(&drawing, any, made, err);
    }
    free(drawing.lanes);
    free(drawing.done);
    if (code != OX_OK) {
        ox_lineage_free(made, made == NULL ? 0 : count);
        return code;
    }
    *lines = made;
    return OX_OK;
}

bool ox_lineage_in_utf8(bool is_terminal)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *locale = NULL;
    const char *charset;

    for (size_t i = 0; i < 3 && (locale == NULL || locale[0] == '\0'); i++) {
        locale = getenv(names[i]);
    }
    charset = locale == NULL ? NULL : strchr(locale, '.');
    return is_terminal && charset != NULL &&
           (strncasecmp(charset, ".utf-8", 6) == 0 || strncasecmp(charset, ".utf8", 5) == 0);
}

void ox_lineage_free(struct ox_lineage_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(lines[i].drawing);
    }
    free(lines);
}
