#include "oxide/app/agent_settings.h"

#define ROW(name, section, key, flag, kind, min, max, value, fallback, shown, scope, change, help) \
    {section,                                                                                      \
     key,                                                                                          \
     flag,                                                                                         \
     OX_SETTING_##kind,                                                                            \
     min,                                                                                          \
     max,                                                                                          \
     value,                                                                                        \
     fallback,                                                                                     \
     shown,                                                                                        \
     OX_SETTING_OF_##scope,                                                                        \
     OX_SETTING_AT_##change,                                                                       \
     help},

const struct ox_setting ox_agent_settings[OX_AGENT_SETTING_COUNT] = {OX_AGENT_SETTINGS(ROW)};
