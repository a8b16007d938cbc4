/* What a release before this one had written, kept for the way back. */
#include "core.h"

#include "oxide/base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum ox_code copy_file(const char *from, const char *folder, struct ox_err *err)
{
    struct ox_buf bytes = OX_BUF_INIT;
    char *to = NULL;
    enum ox_code code = ox_path_join(&to, folder, strrchr(from, '/') + 1, err);

    if (code == OX_OK) {
        code = ox_file_read_own(from, OX_STATE_BYTES_MAX, &bytes, err);
        if (code == OX_OK) {
            code = ox_file_replace(to, bytes.data, bytes.len_bytes, 0600, err);
        } else if (code == OX_ENOTFOUND) { /* nor is there one of an upgrade before */
            code = unlink(to) == 0 || errno == ENOENT ? OX_OK
                                                      : ox_err_sys(err, errno, "removing %s", to);
        }
    }
    ox_buf_clear(&bytes);
    free(to);
    return code;
}

static enum ox_code copy_all(const struct ox_folders *folders, struct ox_err *err)
{
    const char *const files[] = {folders->state, folders->identity, folders->journal};
    enum ox_code code = ox_folder_make(folders->before_upgrade, 0700, err);

    for (size_t i = 0; code == OX_OK && i < sizeof(files) / sizeof(files[0]); i++) {
        code = copy_file(files[i], folders->before_upgrade, err);
    }
    return code;
}

enum ox_code ox_agent_take_over(struct ox_agent *agent, struct ox_err *err)
{
    const char *before = agent->state.release == NULL ? "an older release" : agent->state.release;
    struct ox_err why = OX_ERR_INIT;
    char *release = NULL;
    enum ox_code code;

    if (agent->state.release != NULL && strcmp(agent->state.release, agent->options->agent) == 0) {
        return OX_OK;
    }
    if (copy_all(&agent->folders, &why) != OX_OK) { /* a device goes on without, and tries again */
        ox_log(agent->log, OX_LOG_WARN,
               "this folder was last used by %s, and no copy can be kept of what that wrote: %s",
               before, why.msg);
        return OX_OK;
    }
    if ((code = ox_strdup(&release, agent->options->agent, err)) != OX_OK) {
        return code;
    }
    ox_log(agent->log, OX_LOG_INFO,
           "this folder was last used by %s: a copy of what that wrote is kept in %s", before,
           agent->folders.before_upgrade);
    free(agent->state.release);
    agent->state.release = release;
    return ox_state_save(&agent->state, agent->folders.state, err);
}
