/*
 * To add a status: a row in ox_exit_rows with what it means, its number in exit_status.h, and the
 * codes that end in it in ox_exit_of, or the command that sets it as its `outcome` (command.h).
 * Scripts rely on the numbers: never reuse one.
 */
#include "exit_status.h"

const struct ox_exit_row ox_exit_rows[] = {
    {OX_EXIT_OK, "done"},
    {OX_EXIT_FAILED, "failed, for the reason printed"},
    {OX_EXIT_USAGE, "the command line, or a value in it, is wrong"},
    {OX_EXIT_NOT_FOUND, "what was named does not exist"},
    {OX_EXIT_CONFLICT, "it exists already, is in use, or its state forbids this"},
    {OX_EXIT_UNREACHABLE, "the server cannot be reached, or the connection broke off"},
    {OX_EXIT_BAD_INPUT, "a file is damaged, of another kind, or not the one that belongs here"},
    {OX_EXIT_NO_SPACE, "the disk is full"},
    {OX_EXIT_DENIED, "not permitted"},
    {OX_EXIT_PAUSED, "the campaign is paused, by its rules or by an operator"},
    {OX_EXIT_ABORTED, "the campaign was aborted, by its rules or by an operator"},
    {OX_EXIT_TIMED_OUT, "--timeout has passed; what was waited for goes on"},
    {OX_EXIT_INTERRUPTED, "interrupted by SIGINT or SIGTERM; nothing half-written is left"},
    {0, NULL},
};

enum ox_exit ox_exit_of(enum ox_code code)
{
    switch (code) { /* no default: the compiler names a code that is missing here */
    case OX_OK:
        return OX_EXIT_OK;
    case OX_EINVAL:
    case OX_EMETHOD:
    case OX_ELENGTH:
    case OX_EMEDIATYPE:
    case OX_ERANGE:
        return OX_EXIT_USAGE;
    case OX_ENOTFOUND:
        return OX_EXIT_NOT_FOUND;
    case OX_ECONFLICT:
    case OX_EBUSY:
        return OX_EXIT_CONFLICT;
    case OX_ENET:
    case OX_ETIMEOUT:
    case OX_EPROTO:
        return OX_EXIT_UNREACHABLE;
    case OX_ECORRUPT:
    case OX_EUNSUPPORTED:
    case OX_EBASE:
    case OX_EDIGEST:
    case OX_ETOOBIG:
        return OX_EXIT_BAD_INPUT;
    case OX_ENOSPC:
        return OX_EXIT_NO_SPACE;
    case OX_EPERM:
        return OX_EXIT_DENIED;
    case OX_ECANCELED:
        return OX_EXIT_INTERRUPTED;
    case OX_EIO:
    case OX_ENOMEM:
    case OX_EINTERNAL:
    case OX_EFAILED:
        return OX_EXIT_FAILED;
    }
    return OX_EXIT_FAILED;
}

bool ox_exit_applies(const struct ox_command *command, enum ox_exit status)
{
    if (command == NULL || status <= OX_EXIT_USAGE) {
        return true;
    }
    if (status == OX_EXIT_INTERRUPTED) {
        return (command->takes & OX_RUNS_ON) == 0;
    }
    return (command->exits & OX_EXIT_BIT(status)) != 0;
}
