#include "oxide/base/checkup.h"

#include "oxide/base/buf.h"
#include "oxide/base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 1024 /* longer ones are cut */

const char *ox_severity_word(enum ox_severity severity)
{
    static const char *const words[OX_SEVERITIES] = {"note", "warning", "error"};

    return words[severity];
}

static struct ox_section *section_of(struct ox_checkup *checkup)
{
    return &checkup->sections[checkup->section_count - 1];
}

void ox_checkup_begin(struct ox_checkup *checkup, const char *name, const char *title)
{
    if (checkup->section_count < OX_CHECKUP_SECTIONS_MAX) {
        checkup->section_count++;
        *section_of(checkup) = (struct ox_section){.name = name, .title = title};
    }
}

void ox_checkup_looked(struct ox_checkup *checkup, uint64_t count)
{
    section_of(checkup)->looked_at += count;
}

static char *format(const char *fmt, va_list args) OX_PRINTF(1, 0);
static char *format(const char *fmt, va_list args)
{
    char text[TEXT_MAX];
    char *copy = NULL;

    (void)vsnprintf(text, sizeof(text), fmt, args);
    ox_text_clean(text);
    return ox_strdup(&copy, text, NULL) == OX_OK ? copy : NULL;
}

void ox_checkup_skip(struct ox_checkup *checkup, const char *fmt, ...)
{
    struct ox_section *section = section_of(checkup);
    va_list args;

    va_start(args, fmt);
    free(section->skipped);
    section->skipped = format(fmt, args);
    checkup->out_of_memory = checkup->out_of_memory || section->skipped == NULL;
    va_end(args);
}

static bool grow(struct ox_checkup *checkup)
{
    size_t room = checkup->room == 0 ? 32 : checkup->room * 2;
    struct ox_finding *findings = NULL;

    if (checkup->count < checkup->room) {
        return true;
    }
    findings = realloc(checkup->findings, room * sizeof(*findings));
    if (findings == NULL) {
        return false;
    }
    checkup->findings = findings;
    checkup->room = room;
    return true;
}

void ox_checkup_find(struct ox_checkup *checkup, enum ox_severity severity, const char *where,
                     const char *hint, const char *fmt, ...)
{
    struct ox_section *section = section_of(checkup);
    struct ox_finding finding = {.severity = severity, .hint = hint};
    va_list args;

    section->found[severity]++;
    if (section->rows == OX_SECTION_ROWS_MAX) {
        section->left_out++;
        return;
    }
    finding.section = checkup->section_count - 1;
    va_start(args, fmt);
    finding.what = format(fmt, args);
    va_end(args);
    if (finding.what == NULL || ox_strdup(&finding.where, where, NULL) != OX_OK || !grow(checkup)) {
        checkup->out_of_memory = true;
        free(finding.what);
        free(finding.where);
        return;
    }
    ox_text_clean(finding.where);
    checkup->findings[checkup->count++] = finding;
    section->rows++;
}

void ox_checkup_mend(struct ox_checkup *checkup, const struct ox_checkup *mark)
{
    struct ox_section *section = section_of(checkup);
    const struct ox_section *before = &mark->sections[checkup->section_count - 1];

    for (size_t i = 0; i < OX_SEVERITIES; i++) {
        section->fixed += section->found[i] - before->found[i];
        section->found[i] = before->found[i];
    }
    for (size_t i = mark->count; i < checkup->count; i++) {
        checkup->findings[i].fixed = true;
        checkup->findings[i].hint = NULL;
    }
}

void ox_checkup_undo(struct ox_checkup *checkup, const struct ox_checkup *mark)
{
    size_t open = checkup->section_count - 1;
    char *skipped = checkup->sections[open].skipped;

    while (checkup->count > mark->count) {
        checkup->count--;
        free(checkup->findings[checkup->count].where);
        free(checkup->findings[checkup->count].what);
    }
    checkup->sections[open] = mark->sections[open];
    checkup->sections[open].skipped = skipped;
}

uint64_t ox_checkup_found(const struct ox_checkup *checkup, enum ox_severity severity)
{
    uint64_t found = 0;

    for (size_t i = 0; i < checkup->section_count; i++) {
        found += checkup->sections[i].found[severity];
    }
    return found;
}

uint64_t ox_checkup_fixed(const struct ox_checkup *checkup)
{
    uint64_t fixed = 0;

    for (size_t i = 0; i < checkup->section_count; i++) {
        fixed += checkup->sections[i].fixed;
    }
    return fixed;
}

bool ox_checkup_section_is_bad(const struct ox_checkup *checkup)
{
    return checkup->sections[checkup->section_count - 1].found[OX_SEVERITY_ERROR] > 0;
}

enum ox_code ox_checkup_state(const struct ox_checkup *checkup, struct ox_err *err)
{
    if (ox_stop_requested(checkup->stop)) {
        return ox_err_set(err, OX_ECANCELED, "stopped");
    }
    return checkup->out_of_memory ? ox_err_nomem(err, "findings") : OX_OK;
}

void ox_checkup_clear(struct ox_checkup *checkup)
{
    for (size_t i = 0; i < checkup->count; i++) {
        free(checkup->findings[i].where);
        free(checkup->findings[i].what);
    }
    for (size_t i = 0; i < checkup->section_count; i++) {
        free(checkup->sections[i].skipped);
    }
    free(checkup->findings);
    checkup->findings = NULL;
    checkup->count = checkup->room = checkup->section_count = 0;
}
