#include "status.h"

/* To add a code: a row here, one in docs/rest.md. `said` NULL: the error's own message is said. */
static const struct {
    enum ox_code code;
    unsigned status;
    const char *said;
} rows[] = {
    {OX_OK, 200, NULL},
    {OX_EINVAL, 400, NULL},
    {OX_ENOTFOUND, 404, NULL},
    {OX_ECONFLICT, 409, NULL},
    {OX_EIO, 500, "the control plane could not read or write its data: see its log"},
    {OX_ENOMEM, 500, "the control plane is out of memory: try again later"},
    {OX_ENOSPC, 507, "the disk of the control plane is full: free space there, then send it again"},
    {OX_ECORRUPT, 500, "data of the control plane is damaged: see its log"},
    {OX_EUNSUPPORTED, 400, NULL},
    {OX_ETOOBIG, 413, NULL},
    {OX_ETIMEOUT, 500, "the control plane took too long: try again later"},
    {OX_ECANCELED, 503, "the control plane is shutting down: try again in a moment"},
    {OX_EBUSY, 503, "what this needs is in use: try again in a moment"},
    {OX_ENET, 500, "the control plane could not reach another host: see its log"},
    {OX_EPROTO, 400, NULL},
    {OX_EBASE, 409, NULL},
    {OX_EPERM, 500, "the control plane may not read or write its data: see its log"},
    {OX_EINTERNAL, 500, "the control plane met a defect of its own: see its log"},
    {OX_ERANGE, 416, NULL},
    {OX_EMETHOD, 405, NULL},
    {OX_ELENGTH, 411, NULL},
    {OX_EMEDIATYPE, 415, NULL},
    {OX_EFAILED, 500, "a check of the control plane failed: see its log"},
    {OX_EDIGEST, 400, NULL},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

unsigned ox_api_status(enum ox_code code)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].code == code) {
            return rows[i].status;
        }
    }
    return 500;
}

const char *ox_api_public_message(const struct ox_err *err)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].code == err->code) {
            return rows[i].said != NULL ? rows[i].said : err->msg;
        }
    }
    return "the control plane met a defect of its own: see its log";
}
