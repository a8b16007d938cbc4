/** What runs the tests, where that decides what they can hold. */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include <stdbool.h>
#include <stdlib.h>

/** An emulator of another processor? */
static inline bool is_emulated(void)
{
    const char *emulator = getenv("OXIDE_EMULATED");

    return emulator != NULL && *emulator != '\0';
}

#endif
