/**
 * The configuration of the agent: the settings of agent_settings.h with their values, read from
 * files, environment and flags, in this order of growing precedence. What is said of one model, in
 * a section [model NAME], wins for that model over what is said of all, wherever that was said.
 */
#ifndef OXIDE_APP_AGENT_CONFIG_H
#define OXIDE_APP_AGENT_CONFIG_H

#include "oxide/app/agent_settings.h"
#include "oxide/wire/id.h"

#define OX_AGENT_CONFIG_FILE "/etc/oxide/agent.conf"
/** In the folder $CREDENTIALS_DIRECTORY, if there is one: see systemd.exec(5), LoadCredential. */
#define OX_AGENT_CONFIG_CREDENTIAL "oxide-agent.conf"
/** Files, bytes of one, and models with sections of their own, at most. */
#define OX_AGENT_CONFIG_FILES_MAX 64
#define OX_AGENT_CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)
#define OX_AGENT_CONFIG_MODELS_MAX 256

struct ox_agent_config_flag {
    const char *flag; /* of a row, without dashes */
    const char *value;
};

/** Where to read from; everything is lent. */
struct ox_agent_config_sources {
    const char *file; /* with FILE.d/NAME.conf, in the order of their bytes, behind it; NULL:
                         OX_AGENT_CONFIG_FILE, which may be absent; then the credential */
    const char *const *environment;           /* "NAME=value", ended by NULL; may be NULL */
    const struct ox_agent_config_flag *flags; /* as given; of equal ones the last counts */
    size_t flags_count;
};

/** What is wrong, a line each, up to a number; `count` counts on. Zero-initialise it. */
#define OX_CONFIG_PROBLEMS_MAX 20
struct ox_config_problems {
    char *lines[OX_CONFIG_PROBLEMS_MAX]; /* owned */
    size_t count;
};
void ox_config_problems_clear(struct ox_config_problems *problems);

struct ox_agent_config_model {
    char model_id[OX_ID_MAX + 1];
    struct ox_setting_value values[OX_AGENT_SETTING_COUNT]; /* of source default: not set here */
};

struct ox_agent_config {
    struct ox_setting_value values[OX_AGENT_SETTING_COUNT];
    struct ox_agent_config_model *models; /* in the order of their bytes */
    size_t models_count;
    char *files[OX_AGENT_CONFIG_FILES_MAX]; /* that were read, in order */
    size_t files_count;
};

/**
 * Read all of it. What is wrong goes into *problems, which the caller clears in every case, as one
 * line each that names file and line (or variable, or flag), key, value and what was expected.
 * Errors: OX_EINVAL if there is a problem (the message is the only one, or says how many);
 * OX_ENOMEM. On success the caller frees *out.
 */
OX_MUST_USE enum ox_code ox_agent_config_load(const struct ox_agent_config_sources *sources,
                                              struct ox_agent_config **out,
                                              struct ox_config_problems *problems,
                                              struct ox_err *err);
void ox_agent_config_free(struct ox_agent_config *config);

/** The value for a model, or for all where model_id is NULL. Lent by the config. */
const struct ox_setting_value *ox_agent_config_get(const struct ox_agent_config *config,
                                                   const char *model_id,
                                                   enum ox_agent_setting setting);

/** The device's id, with what its template names. Errors: OX_EINVAL (none is set, or it is no id),
 *  OX_ENOTFOUND (the machine has no such value); the message names where it was set. */
OX_MUST_USE enum ox_code ox_agent_config_device_id(const struct ox_agent_config *config,
                                                   char out[OX_ID_MAX + 1], struct ox_err *err);

#endif
