/*
 * make_pair: makes pairs of model files, a base and targets that differ from it in a known way, for
 * the benches. `make_pair --help` tells how to use it. Its parts lie in the folder make_pair/.
 */
#include "make_pair/large.h"
#include "make_pair/moved.h"
#include "make_pair/packed.h"
#include "make_pair/synthetic.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SYNTHETIC_MIB_MAX 4096
#define LARGE_GIB_MAX 4096

static const struct {
    const char *name;
    enum large_case kind;
    const char *help;
} large_cases[] = {
    {"base", LARGE_BASE, "before any change"},
    {"sparse", LARGE_SPARSE, "0.01 % of the positions (weights, or bytes) changed"},
    {"change1", LARGE_CHANGE1, "the first byte behind the header changed"},
    {"insert1", LARGE_INSERT1, "one byte inserted in front of all"},
};
#define LARGE_CASE_COUNT (sizeof(large_cases) / sizeof(large_cases[0]))

static void print_help(FILE *to)
{
    fprintf(to, "make_pair: pairs of model files for benches\n\n"
                "  make_pair synthetic OUT MIB [DTYPE,...] [CASE,...]\n"
                "      Gaussian weights, updated by Gaussian noise: OUT/DTYPE-CASE.SUFFIX\n"
                "  make_pair large bytes|bf16 CASE GIB OUT\n"
                "      random bytes without a format, or Gaussian weights as safetensors\n"
                "  make_pair packed FORMAT BASE TARGET\n"
                "      some MB of quantised weights, all of which moved by 1e-2 sigma\n"
                "  make_pair blocks COUNT BYTES BASE TARGET\n"
                "      blocks of random bytes, and the same in another order\n"
                "  make_pair paste in|over COUNT MOST BASE TARGET\n"
                "      pieces of the file BASE, of 16 to MOST bytes, put in elsewhere, or over\n\n"
                "synthetic: all DTYPEs and CASEs unless named\n");
    synthetic_help(to);
    fprintf(to, "large: CASE\n");
    for (size_t i = 0; i < LARGE_CASE_COUNT; i++) {
        fprintf(to, "  %-8s %s\n", large_cases[i].name, large_cases[i].help);
    }
    fprintf(to, "packed: FORMAT\n");
    packed_help(to);
}

static int usage(const char *what, const char *word)
{
    fprintf(stderr, "make_pair: %s: %s; see --help\n", word, what);
    return 2;
}

static bool parse_u64(const char *text, uint64_t most, uint64_t *out)
{
    char *end = NULL;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out > 0 &&
           *out <= most;
}

static int make_synthetic(int argc, char **argv)
{
    uint64_t mib;
    const char *wrong;

    if (argc < 2 || argc > 4) {
        return usage("needs OUT MIB [DTYPE,...] [CASE,...]", "synthetic");
    }
    if (!parse_u64(argv[1], SYNTHETIC_MIB_MAX, &mib)) {
        return usage("no number of MiB, or too many", argv[1]);
    }
    if (mkdir(argv[0], 0777) != 0 && errno != EEXIST) {
        return usage(strerror(errno), argv[0]);
    }
    wrong = synthetic_write(argv[0], mib, argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL);
    return wrong == NULL ? 0 : usage("no such DTYPE or CASE", wrong);
}

static int make_large(int argc, char **argv)
{
    uint64_t gib;
    bool weights;

    if (argc != 4) {
        return usage("needs bytes|bf16 CASE GIB OUT", "large");
    }
    weights = strcmp(argv[0], "bf16") == 0;
    if (!weights && strcmp(argv[0], "bytes") != 0) {
        return usage("neither bytes nor bf16", argv[0]);
    }
    if (!parse_u64(argv[2], LARGE_GIB_MAX, &gib)) {
        return usage("no number of GiB, or too many", argv[2]);
    }
    for (size_t i = 0; i < LARGE_CASE_COUNT; i++) {
        if (strcmp(argv[1], large_cases[i].name) == 0) {
            large_write(argv[3], weights, large_cases[i].kind, gib);
            return 0;
        }
    }
    return usage("no such CASE", argv[1]);
}

static int make_packed(int argc, char **argv)
{
    if (argc != 3) {
        return usage("needs FORMAT BASE TARGET", "packed");
    }
    return packed_write(argv[0], argv[1], argv[2]) ? 0 : usage("no such FORMAT", argv[0]);
}

static int make_blocks(int argc, char **argv)
{
    uint64_t count;
    uint64_t bytes;

    if (argc != 4) {
        return usage("needs COUNT BYTES BASE TARGET", "blocks");
    }
    if (!parse_u64(argv[0], MOVED_BYTES_MAX, &count) ||
        !parse_u64(argv[1], MOVED_BYTES_MAX / count, &bytes)) {
        return usage("no number, or together more than 1 GiB", argv[1]);
    }
    moved_blocks(argv[2], argv[3], count, bytes);
    return 0;
}

static int make_pastes(int argc, char **argv)
{
    uint64_t count;
    uint64_t most;

    if (argc != 5 || (strcmp(argv[0], "in") != 0 && strcmp(argv[0], "over") != 0)) {
        return usage("needs in|over COUNT MOST BASE TARGET", "paste");
    }
    if (!parse_u64(argv[1], MOVED_BYTES_MAX, &count) ||
        !parse_u64(argv[2], MOVED_BYTES_MAX, &most)) {
        return usage("no number, or too large", argv[1]);
    }
    moved_pastes(argv[3], argv[4], strcmp(argv[0], "over") == 0, count, most);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "synthetic") == 0) {
        return make_synthetic(argc - 2, argv + 2);
    }
    if (argc > 1 && strcmp(argv[1], "large") == 0) {
        return make_large(argc - 2, argv + 2);
    }
    if (argc > 1 && strcmp(argv[1], "packed") == 0) {
        return make_packed(argc - 2, argv + 2);
    }
    if (argc > 1 && strcmp(argv[1], "blocks") == 0) {
        return make_blocks(argc - 2, argv + 2);
    }
    if (argc > 1 && strcmp(argv[1], "paste") == 0) {
        return make_pastes(argc - 2, argv + 2);
    }
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return 0;
    }
    print_help(stderr);
    return 2;
}
