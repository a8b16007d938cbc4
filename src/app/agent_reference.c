#include "oxide/app/agent_reference.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 96

static const char sample_head[] =
    "# Settings of the device agent, as 'oxide agent --sample-config' prints them: each with what "
    "it\n"
    "# takes and its default. It reads /etc/oxide/agent.conf and then "
    "/etc/oxide/agent.conf.d/*.conf;\n"
    "# later ones win, then variables of the environment, then flags. 'oxide agent "
    "--check-config'\n"
    "# tells what holds, and from where; SIGHUP lets a running agent read all again.\n"
    "#\n"
    "# A comment stands on a line of its own; an indented line goes on with the value above it; "
    "an\n"
    "# empty value is none.\n";

static const char sample_models[] =
    "\n# --- one model ---\n"
    "# A section of its own wins over what is said of all. It takes:\n";

static const char page_head[] =
    "# Settings of the agent\n"
    "\n"
    "Written by the table of settings itself (`include/oxide/app/agent_settings.h`); a test holds "
    "it\n"
    "to that. `oxide agent --check-config` prints what holds on a device, and where it comes "
    "from;\n"
    "`--sample-config` prints a file of all settings.\n"
    "\n"
    "Of several places the later wins: the default; `/etc/oxide/agent.conf` (or `--config FILE`);\n"
    "`/etc/oxide/agent.conf.d/*.conf` (or `FILE.d/*.conf`), in the order of the bytes of their "
    "names;\n"
    "`$CREDENTIALS_DIRECTORY/oxide-agent.conf`, which systemd provides for what must be kept "
    "secret;\n"
    "variables of the environment, if not empty; flags. A section `[model NAME]` wins for that "
    "model\n"
    "over what is said of all models, wherever that was said.\n"
    "\n"
    "In files, a comment (`#` or `;`) stands on a line of its own, and an indented line goes on "
    "with\n"
    "the value above it: a command may have several lines. An empty value is none. Times are in\n"
    "seconds or have a unit (`500ms`, `30s`, `15m`, `1h`, `90d`), sizes and rates are in bytes or\n"
    "have one of 1024 (`64K`, `2M`, `1G`). A file has at most 1 MiB, there are at most 64 of them "
    "and\n"
    "256 sections of models.\n"
    "\n"
    "What is wrong in any of them is said all at once, with file and line, up to 20 things; the "
    "agent\n"
    "does not start then (status 2). Told by SIGHUP to read all again, it logs what is wrong and "
    "goes\n"
    "on as before; else what changed acts at once, except for settings that are read at the start\n"
    "alone.\n";

/* Text in lines of COLUMNS that begin with "# ". */
static enum ox_code put_comment(struct ox_buf *out, const char *text, struct ox_err *err)
{
    enum ox_code code = OX_OK;
    size_t column = 0;

    while (code == OX_OK && *text != '\0') {
        size_t len = strcspn(text, " ");
        bool breaks = column == 0 || column + 1 + len > COLUMNS;

        code = ox_buf_printf(out, err, "%s%.*s",
                             !breaks       ? " "
                             : column == 0 ? "# "
                                           : "\n# ",
                             (int)len, text);
        column = breaks ? 2 + len : column + 1 + len;
        text += len + (text[len] == ' ');
    }
    return code == OX_OK ? ox_buf_printf(out, err, "\n") : code;
}

/* "An address like ..., default: none." */
static enum ox_code put_expected(struct ox_buf *out, const struct ox_setting *row,
                                 struct ox_err *err)
{
    char expected[OX_SETTING_EXPECTED_MAX];
    char text[OX_SETTING_EXPECTED_MAX + 128];

    ox_setting_expected(row, expected);
    (void)snprintf(text, sizeof(text), "%c%s%s%s.", toupper((unsigned char)expected[0]),
                   expected + 1,
                   row->shown == NULL ? "" : "; default: ", row->shown == NULL ? "" : row->shown);
    return put_comment(out, text, err);
}

static bool begins_section(size_t i)
{
    return i == 0 || strcmp(ox_agent_settings[i].section, ox_agent_settings[i - 1].section) != 0;
}

enum ox_code ox_agent_sample(struct ox_buf *out, struct ox_err *err)
{
    enum ox_code code = ox_buf_printf(out, err, "%s", sample_head);

    for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];
        char help[512];

        if (begins_section(i)) {
            code = ox_buf_printf(out, err, "\n[%s]\n", row->section);
        }
        (void)snprintf(help, sizeof(help), "%s.", row->help);
        if (code == OX_OK && (code = ox_buf_printf(out, err, "\n")) == OX_OK &&
            (code = put_comment(out, help, err)) == OX_OK &&
            (code = put_expected(out, row, err)) == OX_OK) {
            code = ox_buf_printf(out, err, "#%s = %s\n", row->key,
                                 row->fallback == NULL ? row->value : row->fallback);
        }
    }
    code = code == OX_OK ? ox_buf_printf(out, err, "%s", sample_models) : code;
    code = code == OX_OK ? ox_buf_printf(out, err, "#[model NAME]\n") : code;
    for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];

        if (row->scope == OX_SETTING_OF_MODEL) {
            code = ox_buf_printf(out, err, "#%s = %s\n", row->key,
                                 row->fallback == NULL ? row->value : row->fallback);
        }
    }
    return code;
}

/* A cell of a table in Markdown, where '|' would end it. */
static enum ox_code put_cell(struct ox_buf *out, const char *text, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (; code == OX_OK && *text != '\0'; text++) {
        code = ox_buf_printf(out, err, *text == '|' ? "\\%c" : "%c", *text);
    }
    return code == OX_OK ? ox_buf_printf(out, err, " | ") : code;
}

enum ox_code ox_agent_reference(struct ox_buf *out, struct ox_err *err)
{
    enum ox_code code = ox_buf_printf(out, err, "%s", page_head);

    for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];
        char expected[OX_SETTING_EXPECTED_MAX];
        char variable[OX_SETTING_NAME_MAX];

        if (begins_section(i)) {
            code = ox_buf_printf(out, err,
                                 "\n## [%s]\n\n"
                                 "| setting | flag, variable | takes | default | meaning |\n"
                                 "|---|---|---|---|---|\n",
                                 row->section);
        }
        code = code != OX_OK ? code
                             : ox_buf_printf(out, err, "| `%s` | `--%s` `%s` | ", row->key,
                                             row->flag, ox_setting_variable(row, variable));
        if (code == OX_OK &&
            (code = put_cell(out, ox_setting_expected(row, expected), err)) == OX_OK &&
            (code = put_cell(out, row->shown == NULL ? "" : row->shown, err)) == OX_OK) {
            code = ox_buf_printf(out, err, "%s%s%s |\n", row->help,
                                 row->scope == OX_SETTING_OF_MODEL ? "; also by model" : "",
                                 row->change == OX_SETTING_AT_RESTART ? "; read at the start alone"
                                                                      : "");
        }
    }
    return code;
}
