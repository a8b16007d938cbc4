/** Parts of make_pair.c: what succeeds, or ends the program with a message. */
#ifndef MAKE_PAIR_MUST_H
#define MAKE_PAIR_MUST_H

#include <stddef.h>
#include <stdio.h>

FILE *must_create(const char *path);
void must_write(FILE *file, const void *bytes, size_t len_bytes, const char *path);
void must_close(FILE *file, const char *path);
void *must_alloc(size_t count, size_t size);

#endif
