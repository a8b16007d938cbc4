/** SIGINT and SIGTERM become one request to stop; SIGPIPE becomes an error of write. */
#ifndef OXIDE_CLI_SIGNALS_H
#define OXIDE_CLI_SIGNALS_H

#include "oxide/base/stop.h"

/**
 * From here to ox_signals_release both signals request `stop`. A second one of a kind ends the
 * process as if nobody had caught it: for those who will not wait.
 */
void ox_signals_catch(struct ox_stop *stop);
void ox_signals_release(void);

/** Let SIGHUP make `fd`, an eventfd that does not block, readable; -1: let it end the process. */
void ox_signals_catch_reload(int fd);

#endif
