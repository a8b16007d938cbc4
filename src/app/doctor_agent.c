#include "doctor_kind.h"

#include "oxide/agent/doctor.h"
#include "oxide/app/doctor.h"

enum ox_code ox_app_doctor_agent(const char *model_dir, struct ox_checkup *checkup,
                                 struct ox_err *err)
{
    static const struct doctor_kind agent = {
        ".oxide/lock",
        {".oxide", NULL, NULL},
        "no agent has kept anything there: name the folder of 'oxide agent --model-dir DIR'",
        "an agent runs on it: stop it first, or leave out --fix",
        ox_doctor_agent,
    };

    return doctor_examine(&agent, model_dir, checkup, err);
}
