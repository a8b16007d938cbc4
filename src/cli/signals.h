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

#endif
