#include "must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *doing, const char *path)
{
    fprintf(stderr, "make_pair: %s %s: %s\n", doing, path, strerror(errno));
    exit(2);
}

FILE *must_create(const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL) {
        die("creating", path);
    }
    return file;
}

void must_write(FILE *file, const void *bytes, size_t len_bytes, const char *path)
{
    if (fwrite(bytes, 1, len_bytes, file) != len_bytes) {
        die("writing", path);
    }
}

void must_close(FILE *file, const char *path)
{
    if (fclose(file) != 0) {
        die("writing", path);
    }
}

void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);

    if (memory == NULL) {
        fprintf(stderr, "make_pair: out of memory\n");
        exit(2);
    }
    return memory;
}
