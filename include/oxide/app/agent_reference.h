/** What the table of the agent's settings has to say to people. */
#ifndef OXIDE_APP_AGENT_REFERENCE_H
#define OXIDE_APP_AGENT_REFERENCE_H

#include "oxide/app/agent_settings.h"
#include "oxide/base/buf.h"

/** A file of all settings with their defaults, as comments (src/packaging/agent.conf). */
OX_MUST_USE enum ox_code ox_agent_sample(struct ox_buf *out, struct ox_err *err);

/** The reference page in Markdown (docs/agent-settings.md). */
OX_MUST_USE enum ox_code ox_agent_reference(struct ox_buf *out, struct ox_err *err);

#endif
