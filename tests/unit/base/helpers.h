/** What the tests of base share: a folder of their own, and whole files. */
#ifndef TESTS_BASE_HELPERS_H
#define TESTS_BASE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/err.h"

#include <string.h>

/** cmocka fixtures: *state is the path of a fresh folder, removed with all it holds afterwards. */
int setup_folder(void **state);
int teardown_folder(void **state);

/** "FOLDER/NAME", valid until the next eight calls. */
const char *in_folder(void **state, const char *name);

void write_file(const char *path, const char *text);
/** Whole file as text of at most 4095 bytes, valid until the next call. */
const char *read_file(const char *path);
/** Entries of a folder, without "." and "..". */
size_t count_entries(const char *path);

#endif
