#define _XOPEN_SOURCE 700 /* nftw */
#include "helpers.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int setup_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char *path = malloc(4096);

    if (path == NULL) {
        return -1;
    }
    (void)snprintf(path, 4096, "%s/oxide-test-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int teardown_folder(void **state)
{
    int problem = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return problem;
}

const char *in_folder(void **state, const char *name)
{
    static char paths[8][4096];
    static unsigned at;
    char *path = paths[at++ % 8];

    assert_true(snprintf(path, sizeof(paths[0]), "%s/%s", (const char *)*state, name) <
                (int)sizeof(paths[0]));
    return path;
}

void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

const char *read_file(const char *path)
{
    static char text[4096];
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

size_t count_entries(const char *path)
{
    DIR *dir = opendir(path);
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    assert_int_equal(closedir(dir), 0);
    return count - 2;
}
