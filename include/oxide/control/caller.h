/** On whose behalf the control plane acts: what events are attributed to. */
#ifndef OXIDE_CONTROL_CALLER_H
#define OXIDE_CONTROL_CALLER_H

struct ox_caller {
    const char *actor;      /* who asks: an address, until there are names; NULL: not known */
    const char *request_id; /* as in the log and in the answer; NULL: none */
};

/**
 * What this thread does from now on, it does for `caller`, which is lent until the next call; NULL
 * ends it: the control plane acts of its own accord. A property of the thread as errno is, because
 * it concerns nothing but the record of what happened, through every floor.
 */
void ox_control_act_for(const struct ox_caller *caller);
/** Never NULL; without a caller both fields are NULL. */
const struct ox_caller *ox_control_caller(void);

#endif
