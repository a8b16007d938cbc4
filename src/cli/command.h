/** What a row of the table in commands.c is made of, and what a running command is handed. */
#ifndef OXIDE_CLI_COMMAND_H
#define OXIDE_CLI_COMMAND_H

#include "oxide/base/err.h"
#include "oxide/base/stop.h"

#include <stdio.h>

struct ox_args;

/** Does this build hold all of oxide, or (-DOXIDE_AGENT_ONLY=ON) the agent of a device alone? */
#ifdef OXIDE_AGENT_ONLY
#define OX_FULL_BUILD 0
#else
#define OX_FULL_BUILD 1
#endif

/** What a command works with: its streams, its stop, and what the global options said. */
struct ox_cli {
    FILE *out;   /* data */
    FILE *notes; /* messages, progress */
    bool out_is_terminal;
    bool notes_is_terminal;
    bool colour; /* on `out` */
    bool verbose;
    bool json;
    const char *server; /* as given, or the default; lent */
    struct ox_stop *stop;
    int outcome; /* a command that fails may set the exit status here, where its error's code says
                    less; 0: by the code */
};

/**
 * An option of a command. `value` is what help calls its value: NULL for a flag; words with '|'
 * between them are the only values that are taken; FILE, DIR and PATH complete to file names.
 */
struct ox_option {
    const char *name; /* without the dashes; the row with NULL ends the list */
    char letter;      /* short form, or 0 */
    const char *value;
    const char *fallback; /* what help shows as the default; NULL for none */
    const char *help;
};

enum ox_word_count { OX_WORD_ONE, OX_WORD_OPTIONAL, OX_WORD_MANY }; /* MANY: one or more, last */

/** A word that a command takes in its place. */
struct ox_positional {
    const char *name; /* as help shows it, upper case; the row with NULL ends the list */
    enum ox_word_count count;
    const char *help;
};

/** Which global options a command takes, beside --help, --version and --verbose; and that it runs
 *  until it is told to end, which is then success. */
enum { OX_TAKES_SERVER = 1, OX_TAKES_JSON = 2, OX_RUNS_ON = 4 };

struct ox_command {
    const char *path;    /* its words: "device register"; the row with NULL ends the table */
    const char *summary; /* one line, no full stop */
    const char *detail;  /* a paragraph, or NULL */
    const struct ox_positional *words;
    const struct ox_option *options;
    const char *example; /* lines to type, each ended by a line feed but the last */
    unsigned takes;
    unsigned exits; /* OX_EXIT_BIT of each status beside 0, 1, 2 and 130 (exit_status.h) */
    enum ox_code (*run)(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err);
};

/** The table, ended by a row with path NULL. */
extern const struct ox_command ox_commands[];

/** Options that many commands take, ended by a row with name NULL. */
extern const struct ox_option ox_global_options[];

/** The first words of commands that have a second one ("device"), with a summary each. */
struct ox_family {
    const char *name;
    const char *summary;
};
extern const struct ox_family ox_families[];

/** Does the command take this global option? */
bool ox_command_takes(const struct ox_command *command, const struct ox_option *global);

/** The run functions, each in the file of its command or family (cmd_*.c). */
#define OX_COMMAND_RUN(name)                                                                       \
    OX_MUST_USE enum ox_code ox_run_##name(struct ox_cli *cli, const struct ox_args *args,         \
                                           struct ox_err *err)
OX_COMMAND_RUN(serve);
OX_COMMAND_RUN(agent);
OX_COMMAND_RUN(agent_status);
OX_COMMAND_RUN(agent_rollback);
OX_COMMAND_RUN(agent_apply);
OX_COMMAND_RUN(agent_adopt);
OX_COMMAND_RUN(agent_free);
OX_COMMAND_RUN(simulate);
OX_COMMAND_RUN(push);
OX_COMMAND_RUN(deploy);
OX_COMMAND_RUN(revert);
OX_COMMAND_RUN(model_list);
OX_COMMAND_RUN(model_show);
OX_COMMAND_RUN(model_diff);
OX_COMMAND_RUN(model_label);
OX_COMMAND_RUN(model_edit);
OX_COMMAND_RUN(model_remove);
OX_COMMAND_RUN(model_retention);
OX_COMMAND_RUN(gc);
OX_COMMAND_RUN(model_where);
OX_COMMAND_RUN(device_register);
OX_COMMAND_RUN(device_list);
OX_COMMAND_RUN(device_show);
OX_COMMAND_RUN(device_history);
OX_COMMAND_RUN(device_pin);
OX_COMMAND_RUN(device_unpin);
OX_COMMAND_RUN(device_pending);
OX_COMMAND_RUN(device_accept);
OX_COMMAND_RUN(device_reject);
OX_COMMAND_RUN(device_split);
OX_COMMAND_RUN(device_replace);
OX_COMMAND_RUN(device_tag);
OX_COMMAND_RUN(device_remove);
OX_COMMAND_RUN(device_quarantine);
OX_COMMAND_RUN(device_free);
OX_COMMAND_RUN(fleet_create);
OX_COMMAND_RUN(fleet_list);
OX_COMMAND_RUN(fleet_status);
OX_COMMAND_RUN(fleet_edit);
OX_COMMAND_RUN(fleet_delete);
OX_COMMAND_RUN(fleet_add);
OX_COMMAND_RUN(fleet_remove);
OX_COMMAND_RUN(campaign_plan);
OX_COMMAND_RUN(campaign_list);
OX_COMMAND_RUN(campaign_devices);
OX_COMMAND_RUN(campaign_show);
OX_COMMAND_RUN(campaign_wait);
OX_COMMAND_RUN(campaign_pause);
OX_COMMAND_RUN(campaign_resume);
OX_COMMAND_RUN(campaign_approve);
OX_COMMAND_RUN(campaign_retry);
OX_COMMAND_RUN(campaign_abort);
OX_COMMAND_RUN(campaign_revert);
OX_COMMAND_RUN(job_list);
OX_COMMAND_RUN(job_retry);
OX_COMMAND_RUN(job_cancel);
OX_COMMAND_RUN(backup);
OX_COMMAND_RUN(restore);
OX_COMMAND_RUN(doctor);
OX_COMMAND_RUN(events);
OX_COMMAND_RUN(webhook_add);
OX_COMMAND_RUN(webhook_list);
OX_COMMAND_RUN(webhook_remove);
OX_COMMAND_RUN(webhook_resume);
OX_COMMAND_RUN(webhook_test);
OX_COMMAND_RUN(info);
OX_COMMAND_RUN(delta_create);
OX_COMMAND_RUN(delta_apply);
OX_COMMAND_RUN(delta_info);
OX_COMMAND_RUN(help);
OX_COMMAND_RUN(completion);
OX_COMMAND_RUN(man);

#endif
