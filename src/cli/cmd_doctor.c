#include "agent_args.h"
#include "args.h"
#include "client.h"
#include "human.h"
#include "progress.h"

#include "oxide/app/doctor.h"
#include "oxide/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define DATA_DIR_DEFAULT "oxide-data"

#if OX_FULL_BUILD
static enum ox_code data_folder(const struct ox_cli *cli, const struct ox_args *args, char **out,
                                struct ox_err *err)
{
    (void)cli;
    return ox_strdup(out, ox_args_value(args, "data", DATA_DIR_DEFAULT), err);
}
#endif

/* What is examined, and how. To add a kind: a row. */
static const struct kind {
    const char *word;
    const char *option; /* that names its folder */
    /* The folder in fresh memory: as the option says or, where it is not given, where it would be.
     */
    enum ox_code (*folder)(const struct ox_cli *cli, const struct ox_args *args, char **out,
                           struct ox_err *err);
    const char *title;
    const char *in_use;
    enum ox_code (*examine)(const char *dir, struct ox_checkup *checkup, struct ox_err *err);
} kinds[] = {
#if OX_FULL_BUILD
    {"server", "data", data_folder, "control plane", " (a control plane is running)",
     ox_app_doctor_server},
#endif
    {"agent", "model-dir", ox_agent_args_folder, "agent", " (the agent is running)",
     ox_app_doctor_agent},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The one that is named or, where none is, the one whose folder is; the first else. */
static enum ox_code choose(const struct ox_args *args, const struct kind **out, struct ox_err *err)
{
    const char *word = ox_args_word(args, 0);
    const struct kind *kind = NULL;

    for (size_t i = 0; i < KINDS && kind == NULL; i++) {
        if (word != NULL ? strcmp(word, kinds[i].word) == 0 : ox_args_has(args, kinds[i].option)) {
            kind = &kinds[i];
        }
    }
    if (word != NULL && kind == NULL) {
        return ox_err_set(err, OX_EINVAL,
                          OX_FULL_BUILD ? "\"%.64s\" is neither server nor agent"
                                        : "\"%.64s\" is nothing that the agent alone examines",
                          word);
    }
    kind = kind == NULL ? &kinds[0] : kind;
    for (size_t i = 0; i < KINDS; i++) {
        if (&kinds[i] != kind && ox_args_has(args, kinds[i].option)) {
            return ox_err_set(err, OX_EINVAL, "--%s names the folder of %s, not of %s",
                              kinds[i].option, kinds[i].word, kind->word);
        }
    }
    *out = kind;
    return OX_OK;
}

/* --- for scripts --- */

static json_t *json_of_counts(const uint64_t found[OX_SEVERITIES], uint64_t mended)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "errors", (json_int_t)found[OX_SEVERITY_ERROR],
                     "warnings", (json_int_t)found[OX_SEVERITY_WARNING], "notes",
                     (json_int_t)found[OX_SEVERITY_NOTE], "mended", (json_int_t)mended);
}

static json_t *json_of_section(const struct ox_section *section)
{
    return json_pack("{s:s, s:s, s:I, s:o, s:I, s:s?}", "name", section->name, "title",
                     section->title, "looked_at", (json_int_t)section->looked_at, "counts",
                     json_of_counts(section->found, section->fixed), "left_out",
                     (json_int_t)section->left_out, "skipped", section->skipped);
}

static json_t *json_of_finding(const struct ox_checkup *checkup, const struct ox_finding *finding)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s?}", "section",
                     checkup->sections[finding->section].name, "severity",
                     ox_severity_word(finding->severity), "mended", finding->fixed, "where",
                     finding->where, "what", finding->what, "hint", finding->hint);
}

static void count_all(const struct ox_checkup *checkup, uint64_t found[OX_SEVERITIES])
{
    for (unsigned i = 0; i < OX_SEVERITIES; i++) {
        found[i] = ox_checkup_found(checkup, (enum ox_severity)i);
    }
}

static enum ox_code print_json(struct ox_cli *cli, const struct kind *kind, const char *dir,
                               const struct ox_checkup *checkup, struct ox_err *err)
{
    json_t *sections = json_array();
    json_t *findings = json_array();
    json_t *json = NULL;
    uint64_t found[OX_SEVERITIES];
    enum ox_code code = OX_OK;

    count_all(checkup, found);
    for (size_t i = 0; code == OX_OK && i < checkup->section_count; i++) {
        code = ox_json_append(sections, json_of_section(&checkup->sections[i]), err);
    }
    for (size_t i = 0; code == OX_OK && i < checkup->count; i++) {
        code = ox_json_append(findings, json_of_finding(checkup, &checkup->findings[i]), err);
    }
    if (code == OX_OK) {
        json = json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:O, s:O}", "kind", kind->word,
                         "folder", dir, "healthy", found[OX_SEVERITY_ERROR] == 0, "in_use",
                         checkup->in_use, "quick", checkup->quick, "fix", checkup->fix, "counts",
                         json_of_counts(found, ox_checkup_fixed(checkup)), "sections", sections,
                         "findings", findings);
        code = json == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(cli, json, err);
    }
    json_decref(json);
    json_decref(sections);
    json_decref(findings);
    return code;
}

/* --- for people --- */

static const char *colour_of(const struct ox_cli *cli, const char *colour)
{
    return cli->colour ? colour : "";
}

static const char *severity_colour(enum ox_severity severity)
{
    static const char *const colours[OX_SEVERITIES] = {"\033[2m", "\033[33m", "\033[31m"};

    return colours[severity];
}

/* "3 errors, 1 warning"; "" for none. */
static const char *count_text(const uint64_t found[OX_SEVERITIES], uint64_t mended, char *out,
                              size_t out_bytes)
{
    size_t len = 0;

    out[0] = '\0';
    for (unsigned i = OX_SEVERITIES; i > 0; i--) {
        if (found[i - 1] > 0 && len < out_bytes) {
            len += (size_t)snprintf(out + len, out_bytes - len, "%s%llu %s%s", len > 0 ? ", " : "",
                                    (unsigned long long)found[i - 1],
                                    ox_severity_word((enum ox_severity)(i - 1)),
                                    found[i - 1] == 1 ? "" : "s");
        }
    }
    if (mended > 0 && len < out_bytes) {
        (void)snprintf(out + len, out_bytes - len, "%s%llu mended", len > 0 ? ", " : "",
                       (unsigned long long)mended);
    }
    return out;
}

static void print_section(struct ox_cli *cli, const struct ox_section *section)
{
    bool bad = section->found[OX_SEVERITY_ERROR] > 0;
    bool odd = section->found[OX_SEVERITY_WARNING] > 0 || section->skipped != NULL;
    char counts[128];
    char looked[OX_HUMAN_MAX];

    (void)count_text(section->found, section->fixed, counts, sizeof(counts));
    (void)fprintf(cli->out, "%s%-4s%s  %s",
                  colour_of(cli, bad   ? "\033[31m"
                                 : odd ? "\033[33m"
                                       : "\033[32m"),
                  bad   ? "BAD"
                  : odd ? "LOOK"
                        : "ok",
                  colour_of(cli, "\033[0m"), section->title);
    if (section->looked_at > 1) {
        (void)fprintf(cli->out, " (%s)", ox_human_count(section->looked_at, looked));
    }
    (void)fprintf(cli->out, "%s%s\n", counts[0] == '\0' ? "" : ": ", counts);
    if (section->skipped != NULL) {
        (void)fprintf(cli->out, "      not examined: %s\n", section->skipped);
    }
}

static void print_finding(struct ox_cli *cli, const struct ox_finding *finding)
{
    const char *colour = finding->fixed ? "\033[32m" : severity_colour(finding->severity);

    (void)fprintf(cli->out, "      %s%s:%s %s: %s\n", colour_of(cli, colour),
                  finding->fixed ? "mended" : ox_severity_word(finding->severity),
                  colour_of(cli, "\033[0m"), finding->where, finding->what);
    if (finding->hint != NULL) {
        (void)fprintf(cli->out, "        -> %s\n", finding->hint);
    }
}

static void print_text(struct ox_cli *cli, const struct kind *kind, const char *dir,
                       const struct ox_checkup *checkup)
{
    uint64_t found[OX_SEVERITIES];
    char counts[128];
    size_t next = 0;

    (void)fprintf(cli->out, "%s in %s%s\n", kind->title, dir, checkup->in_use ? kind->in_use : "");
    for (size_t i = 0; i < checkup->section_count; i++) {
        const struct ox_section *section = &checkup->sections[i];

        print_section(cli, section);
        for (; next < checkup->count && checkup->findings[next].section == i; next++) {
            print_finding(cli, &checkup->findings[next]);
        }
        if (section->left_out > 0) {
            (void)fprintf(cli->out, "      and %llu more\n", (unsigned long long)section->left_out);
        }
    }
    count_all(checkup, found);
    (void)count_text(found, ox_checkup_fixed(checkup), counts, sizeof(counts));
    (void)fprintf(cli->out, "%s%s%s\n", found[OX_SEVERITY_ERROR] == 0 ? "healthy" : "NOT healthy",
                  counts[0] == '\0' ? "" : ": ", counts);
}

/* --- the command --- */

enum ox_code ox_run_doctor(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_bar bar;
    struct ox_checkup checkup = {.quick = ox_args_has(args, "quick"),
                                 .fix = ox_args_has(args, "fix"),
                                 .stop = cli->stop,
                                 .progress = &bar.progress};
    const struct kind *kind = NULL;
    char *dir = NULL;
    uint64_t errors;
    enum ox_code code = choose(args, &kind, err);

    if (code == OX_OK) {
        code = kind->folder(cli, args, &dir, err);
    }
    if (code != OX_OK) {
        return code;
    }
    ox_bar_start(&bar, "hashing", cli->notes, cli->notes_is_terminal, ox_clock_system());
    code = kind->examine(dir, &checkup, err);
    ox_bar_end(&bar, code == OX_OK);
    if (code == OX_OK && cli->json) {
        code = print_json(cli, kind, dir, &checkup, err);
    } else if (code == OX_OK) {
        print_text(cli, kind, dir, &checkup);
    }
    errors = ox_checkup_found(&checkup, OX_SEVERITY_ERROR);
    if (code == OX_OK && errors > 0) {
        code = ox_err_set(err, OX_EFAILED, "%s is not healthy: %llu error%s, named above", dir,
                          (unsigned long long)errors, errors == 1 ? "" : "s");
    }
    ox_checkup_clear(&checkup);
    free(dir);
    return code;
}
