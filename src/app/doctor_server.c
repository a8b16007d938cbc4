#include "doctor_kind.h"

#include "oxide/app/doctor.h"
#include "oxide/control/doctor.h"

enum ox_code ox_app_doctor_server(const char *data_dir, struct ox_checkup *checkup,
                                  struct ox_err *err)
{
    static const struct doctor_kind server = {
        "lock",
        {"registry.db", "blobs", NULL},
        "no control plane has kept anything there: name the folder of 'oxide serve --data DIR'",
        "a control plane runs on it: stop it first, or leave out --fix",
        ox_doctor_server,
    };

    return doctor_examine(&server, data_dir, checkup, err);
}
