#include "oxide/cli/cli.h"

#if defined(__GLIBC__)
#include <malloc.h>

/* Larger blocks are mapped one by one, so that they go back to the system once they are freed. */
#define MAPPED_BYTES (256 * 1024)
#endif

int main(int argc, char **argv)
{
#if defined(__GLIBC__)
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
#endif
    return ox_cli_main(argc, (const char *const *)argv, stdout, stderr);
}
