/**
 * The table of the agent's settings. Its rows make the flags of `oxide agent` and their help, what
 * files and environment may say and the errors about it, the reference (docs/agent-settings.md, the
 * manual page) and the sample file (src/packaging/agent.conf).
 *
 * To add a setting:
 *   1. a row below, in the place where the reference shall list it (a new section needs no more
 *      than its name here);
 *   2. what it does: a field of struct ox_agent_tuning or ox_agent_model_options
 *      (oxide/agent/agent.h), filled in src/app/agent_tuning.c from
 *      ox_agent_config_get(config, model, OX_AGENT_SETTING_...): its text, number, windows or
 * items;
 *   3. `unit_app_agent_settings --write` in the build's tests folder writes the reference page and
 *      the sample file anew; the test fails until they are what the table says.
 * The name of its flag is the key with '-' for '_', unless another section has that key too.
 */
#ifndef OXIDE_APP_AGENT_SETTINGS_H
#define OXIDE_APP_AGENT_SETTINGS_H

#include "oxide/app/setting.h"

#define OX_AGENT_MODEL_DIR_DEFAULT "oxide-models"

/* clang-format off */
/* X(name, section, key, flag, kind, min, max, value, fallback, shown, scope, change, help) */
#define OX_AGENT_SETTINGS(X)                                                                       \
    X(CONTROL_PLANE, "agent", "control_plane", "control-plane", URL, 1, 1024, "URL",               \
      "http://127.0.0.1:8080", "http://127.0.0.1:8080", AGENT, RESTART,                            \
      "The control plane to ask")                                                                  \
    X(DEVICE_ID, "agent", "device_id", "device-id", TEXT, 1, 1024, "ID",                           \
      NULL, NULL, AGENT, RESTART,                                                                  \
      "The name that this device is registered by (required); may hold {serial}, {hostname}, "     \
      "{mac} or {machine_id}")                                                                     \
    X(MODEL_DIR, "agent", "model_dir", "model-dir", PATH, 1, 0, "DIR",                             \
      OX_AGENT_MODEL_DIR_DEFAULT, OX_AGENT_MODEL_DIR_DEFAULT, AGENT, RESTART,                      \
      "Where models and state are kept; made if absent")                                           \
    X(POLL_INTERVAL, "agent", "poll_interval", "poll-interval", DURATION, 1000, 86400000, "TIME",  \
      "30", "30, 15m if metered", AGENT, RELOAD,                                                   \
      "How often to ask, until the server says")                                                   \
    X(METERED, "agent", "metered", "metered", YES_NO, 0, 0, "yes|no",                              \
      "no", "no", AGENT, RELOAD,                                                                   \
      "The link is paid by the byte: ask every 15 min unless poll_interval says otherwise, and "   \
      "say no more than is news")                                                                  \
    X(LOG_FORMAT, "agent", "log_format", "log-format", CHOICE, 0, 0, "auto|text|json",             \
      "auto", "auto", AGENT, RELOAD,                                                               \
      "Log lines for people or for machines; auto: text on a terminal, JSON otherwise")            \
    X(LOG_LEVEL, "agent", "log_level", "log-level", CHOICE, 0, 0, "error|warn|info|debug",         \
      "info", "info", AGENT, RELOAD,                                                               \
      "What is logged: this and what is graver; --verbose is debug")                               \
    X(RATE_LIMIT, "download", "rate_limit", "rate-limit", RATE, 1, 0, "BYTES",                     \
      NULL, "no limit", AGENT, RELOAD,                                                             \
      "Bytes per second to fetch at most")                                                         \
    X(STALL_TIMEOUT, "download", "stall_timeout", "stall-timeout", DURATION, 1000, 300000, "TIME",  \
      "60", "60", AGENT, RELOAD,                                                                   \
      "How long nothing may come before a download breaks off, to go on by another connection")    \
    X(DOWNLOAD_WINDOW, "download", "window", "download-window", WINDOWS, 0, 0, "TIMES",            \
      NULL, "always", AGENT, RELOAD,                                                               \
      "When updates may begin, in the device's own time: 'mon-fri 22:00-05:00'; may be repeated; " \
      "the urgent do not wait")                                                                    \
    X(ACTIVATE_WINDOW, "activate", "window", "activate-window", WINDOWS, 0, 0, "TIMES",            \
      NULL, "always", MODEL, RELOAD,                                                               \
      "When a new version may be switched to; may be repeated; the urgent do not wait")            \
    X(LAYOUT, "models", "layout", "layout", CHOICE, 0, 0, "versions|flat|triton",                  \
      "versions", "versions", MODEL, RELOAD,                                                       \
      "Where programs find a model's files: MODEL/current/ (versions), MODEL/ (flat), or the "     \
      "highest of MODEL/1/, MODEL/2/ ... (triton, a model repository); what is there already "     \
      "moves at the next start or update")                                                         \
    X(KEEP, "models", "keep", "keep", NUMBER, 0, 16, "N",                                          \
      "1", "1", MODEL, RELOAD,                                                                     \
      "Versions that stay beside the active one, to go back to and to build on; 0 frees the old "  \
      "one after the commit")                                                                      \
    X(GROUP, "models", "group", "group", TEXT, 1, 32, "NAME",                                      \
      NULL, "everybody may read them", MODEL, RELOAD,                                              \
      "Group whose members alone may read the files of models; the agent must be in it, and "      \
      "programs that use models")                                                                  \
    X(HEALTH_CHECK, "check", "health_check", "health-check", COMMAND, 1, 0, "CMD",                 \
      NULL, "the file parses and its digest is right", MODEL, RELOAD,                              \
      "Shell command that decides whether a new model works: OXIDE_MODEL_PATH names it, status 0 " \
      "keeps it")                                                                                  \
    X(HEALTH_TIMEOUT, "check", "health_timeout", "health-timeout", DURATION, 1, 86400000, "TIME",  \
      "60", "60", MODEL, RELOAD,                                                                   \
      "How long the health check may take")                                                        \
    X(PREFLIGHT_COMMAND, "check", "preflight_command", "preflight-command", COMMAND, 1, 0, "CMD",  \
      NULL, "none", MODEL, RELOAD,                                                                 \
      "Shell command that decides whether an update may begin, within 60 s: status 0 lets it")      \
    X(PROBE_URL, "check", "probe_url", "probe-url", URL, 1, 1024, "URL",                           \
      NULL, "none", MODEL, RELOAD,                                                                 \
      "Then the program that uses the model is asked there (GET) until it answers with 2xx; "      \
      "{model} and {version} are filled in")                                                       \
    X(PROBE_EXPECT, "check", "probe_expect", "probe-expect", TEXT, 1, 1024, "TEXT",                \
      NULL, "anything", MODEL, RELOAD,                                                             \
      "And this is in its answer, such as {version}")                                              \
    X(PROBE_TIMEOUT, "check", "probe_timeout", "probe-timeout", DURATION, 1, 86400000, "TIME",     \
      "60", "60", MODEL, RELOAD,                                                                   \
      "How long it may take until it answers so")                                                  \
    X(SOAK, "check", "soak", "soak", DURATION, 0, 604800000, "TIME",                               \
      "0", "none", MODEL, RELOAD,                                                                  \
      "How long all of this is asked again before the version is kept; the first failure goes back") \
    X(BUSY_LOCK, "consumer", "busy_lock", "busy-lock", PATH, 1, 0, "FILE",                         \
      NULL, "none", MODEL, RELOAD,                                                                 \
      "While a program holds a lock on this file (flock or fcntl), no version is switched to")     \
    X(PRE_ACTIVATE, "consumer", "pre_activate", "pre-activate", COMMAND, 1, 0, "CMD",              \
      NULL, "none", MODEL, RELOAD,                                                                 \
      "Shell command before a switch, within 60 s: status 0 lets it; may be run again")            \
    X(POST_ACTIVATE, "consumer", "post_activate", "post-activate", COMMAND, 1, 0, "CMD",           \
      NULL, "none", MODEL, RELOAD,                                                                 \
      "Shell command after a switch, also after going back: OXIDE_MODEL_VERSION is active now; "   \
      "another status than 0 goes back")                                                           \
    X(NOTIFY_URL, "consumer", "notify_url", "notify-url", URL, 1, 1024, "URL",                     \
      NULL, "none", MODEL, RELOAD,                                                                 \
      "Where a switch is told (POST), such as Triton's load call; {model} and {version} are "      \
      "filled in; another answer than 2xx within 60 s goes back")                                  \
    X(NOTIFY_BODY, "consumer", "notify_body", "notify-body", TEXT, 1, 0, "TEXT",                   \
      "{}", "{}", MODEL, RELOAD,                                                                   \
      "The body of that request, JSON")                                                            \
    X(PID_FILE, "consumer", "pid_file", "pid-file", PATH, 1, 0, "FILE",                            \
      NULL, "none", MODEL, RELOAD,                                                                 \
      "The file that names the process to be sent a signal after a switch")                        \
    X(SIGNAL, "consumer", "signal", "signal", CHOICE, 0, 0, "hup|usr1|usr2|term",                  \
      "hup", "hup", MODEL, RELOAD,                                                                 \
      "That signal")
/* clang-format on */

/** The place of each in the table: OX_AGENT_SETTING_POLL_INTERVAL. */
enum ox_agent_setting {
#define OX_AGENT_SETTING_ENUM(name, ...) OX_AGENT_SETTING_##name,
    OX_AGENT_SETTINGS(OX_AGENT_SETTING_ENUM)
#undef OX_AGENT_SETTING_ENUM
        OX_AGENT_SETTING_COUNT
};

extern const struct ox_setting ox_agent_settings[OX_AGENT_SETTING_COUNT];

#endif
