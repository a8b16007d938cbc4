/**
 * A checkup: what an examination of stored data is asked for, and what it finds. Sections hold
 * findings; each says how bad it is, where, what, and what to do. Checks put in what they find one
 * by one, also thousands of it: of each section only the first OX_SECTION_ROWS_MAX are kept, the
 * others are counted.
 */
#ifndef OXIDE_BASE_CHECKUP_H
#define OXIDE_BASE_CHECKUP_H

#include "oxide/base/err.h"
#include "oxide/base/io.h"
#include "oxide/base/stop.h"

#include <stdint.h>

#define OX_CHECKUP_SECTIONS_MAX 16
#define OX_SECTION_ROWS_MAX 1000

/** note: good to know; warning: nothing is lost, somebody should look; error: something is. */
enum ox_severity { OX_SEVERITY_NOTE, OX_SEVERITY_WARNING, OX_SEVERITY_ERROR, OX_SEVERITIES };

/** "note", "warning", "error". */
const char *ox_severity_word(enum ox_severity severity);

struct ox_finding {
    enum ox_severity severity;
    bool fixed;       /* it was mended */
    size_t section;   /* its index */
    char *where;      /* a path, or a row: "campaign c-17"; owned, fit to show, as the next */
    char *what;       /* what is wrong with it */
    const char *hint; /* what to do; NULL: nothing, or it is mended */
};

struct ox_section {
    const char *name;  /* a word for scripts: "blobs" */
    const char *title; /* for people */
    uint64_t looked_at;
    uint64_t found[OX_SEVERITIES]; /* and not mended */
    uint64_t fixed;
    uint64_t rows;     /* findings that are kept */
    uint64_t left_out; /* findings that are only counted */
    char *skipped;     /* why it was not looked at, or not all of it; NULL: it was */
};

struct ox_checkup {
    /* What is asked for. */
    bool quick; /* no bytes are hashed */
    bool fix;   /* mend what can be mended safely */
    int64_t now_ms;
    struct ox_stop *stop;               /* may be NULL */
    const struct ox_progress *progress; /* of bytes hashed; may be NULL */

    /* What came of it. */
    bool in_use; /* a process holds the folder */
    struct ox_section sections[OX_CHECKUP_SECTIONS_MAX];
    size_t section_count;
    struct ox_finding *findings;
    size_t count;
    size_t room;
    bool out_of_memory;
};

/** Begin a section, to which all belongs that is found from now on. Both are literals. */
void ox_checkup_begin(struct ox_checkup *checkup, const char *name, const char *title);
/** So many more were looked at. */
void ox_checkup_looked(struct ox_checkup *checkup, uint64_t count);
/** The section is not looked at, or not to its end: why. */
void ox_checkup_skip(struct ox_checkup *checkup, const char *fmt, ...) OX_PRINTF(2, 3);
/** Put in a finding. `where` is copied; hint is a literal or NULL. Running out of memory is
 *  remembered for ox_checkup_end. */
void ox_checkup_find(struct ox_checkup *checkup, enum ox_severity severity, const char *where,
                     const char *hint, const char *fmt, ...) OX_PRINTF(5, 6);
/** What was found in the section since *mark (a copy of the checkup then) is mended. */
void ox_checkup_mend(struct ox_checkup *checkup, const struct ox_checkup *mark);
/** What was found in the section since *mark is taken back: it was looked at in a bad moment. */
void ox_checkup_undo(struct ox_checkup *checkup, const struct ox_checkup *mark);
/** Findings of a severity that are not mended. */
uint64_t ox_checkup_found(const struct ox_checkup *checkup, enum ox_severity severity);
uint64_t ox_checkup_fixed(const struct ox_checkup *checkup);
/** Errors that were found in the section that is open, and not mended. */
bool ox_checkup_section_is_bad(const struct ox_checkup *checkup);
/** Was it stopped, did memory run out? Errors: OX_ECANCELED, OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_checkup_state(const struct ox_checkup *checkup, struct ox_err *err);
void ox_checkup_clear(struct ox_checkup *checkup);

#endif
