/*
 * make_model: makes small models that are really trained, for the quickstart, tests and benches.
 * `make_model --help` tells how to use it. Its parts lie in the folder make_model/.
 */
#include "make_model/gguf_file.h"
#include "make_model/onnx_file.h"
#include "make_model/safetensors_file.h"
#include "oxide/base/file.h"

#include <dirent.h>
#include <getopt.h>
#include <sys/stat.h>

#define WIDTH_DEFAULT 672
#define LAYERS_DEFAULT 3
#define EDIT_MAX_BYTES 64
#define FILE_MAX_BYTES ((size_t)1 << 31)
#define ACCURACY_MIN 0.8

/* --- variants ---------------------------------------------------------------------------------*/

/* Narrow networks learn more slowly. Measured: 97 % right or more from width 32, two layers on. */
#define TRAIN_STEPS 100
#define NARROW_STEPS (TRAIN_STEPS * 640)
#define TRAIN_STEPS_MAX 1500
#define TRAIN_RATE 1e-3f
#define TUNE_STEPS 20
#define HEAD_RATE 1e-3f
#define TUNE_RATE 1e-5f

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Set the smaller half of each layer's weights but the last to zero. */
static void prune(struct network *net)
{
    for (size_t i = 0; i + 1 < net->count; i++) {
        struct layer *layer = &net->layers[i];
        size_t count = layer->in * layer->out;
        float *sizes = must_alloc(count, sizeof(float));
        float middle;

        for (size_t j = 0; j < count; j++) {
            sizes[j] = fabsf(layer->weight[j]);
        }
        qsort(sizes, count, sizeof(float), by_value);
        middle = sizes[count / 2];
        free(sizes);
        for (size_t j = 0; j < count; j++) {
            layer->weight[j] = fabsf(layer->weight[j]) < middle ? 0 : layer->weight[j];
        }
    }
}

static void spoil(struct network *net)
{
    for (size_t i = 0; i < net->count; i++) {
        for (size_t j = 0; j < net->layers[i].in * net->layers[i].out; j++) {
            net->layers[i].weight[j] = NAN;
        }
    }
}

enum step { KEEP, TUNE_HEAD, TUNE_ALL, PRUNE, SPOIL };
static const struct variant {
    const char *name;
    uint64_t seed_add;
    enum step step;
    bool external;
    const char *help;
} variants[] = {
    {"v1", 0, KEEP, false, "trained from the seed"},
    {"v2-head", 0, TUNE_HEAD, false, "v1 with only the last layer trained on"},
    {"v3-finetune", 0, TUNE_ALL, false, "v1 with all layers trained on, by little"},
    {"v4-retrain", 1000, KEEP, false, "trained from another seed"},
    {"v5-prune", 0, PRUNE, false, "v1 with half of the weights zero"},
    {"bad", 0, SPOIL, false, "v1's shapes, all weights NaN: it parses, --check refuses it"},
    {"external", 0, KEEP, true, "v1 with its weights in OUT.data (onnx only)"},
    {"external-v3", 0, TUNE_ALL, true, "v3-finetune with its weights in OUT.data (onnx only)"},
};
#define VARIANT_COUNT (sizeof(variants) / sizeof(variants[0]))

static void make_network(struct network *net, const struct variant *variant, size_t layers,
                         size_t width, uint64_t seed)
{
    unsigned steps = (unsigned)(NARROW_STEPS / width);

    steps = steps < TRAIN_STEPS ? TRAIN_STEPS : steps;
    steps = steps > TRAIN_STEPS_MAX ? TRAIN_STEPS_MAX : steps;
    seed += variant->seed_add;
    network_init(net, layers, width, seed);
    if (variant->step == SPOIL) {
        spoil(net);
        return;
    }
    train(net, 0, steps, TRAIN_RATE, seed + 1);
    if (variant->step == TUNE_HEAD) {
        train(net, net->count - 1, TUNE_STEPS, HEAD_RATE, seed + 2);
    } else if (variant->step == TUNE_ALL) {
        train(net, 0, TUNE_STEPS, TUNE_RATE, seed + 2);
    } else if (variant->step == PRUNE) {
        prune(net);
    }
}

/* --- commands ---------------------------------------------------------------------------------*/

enum { EXIT_GOOD = 0, EXIT_REFUSED = 1, EXIT_TROUBLE = 2 };

struct options {
    uint64_t seed;
    uint64_t width;
    uint64_t layers;
    uint64_t edits;
};

static const struct format {
    const char *name;
    enum number_type type;
    const char *suffix;
    const char *help;
} formats[] = {
    {"onnx", AS_F32, ".onnx", "ONNX, opset 13: Gemm and Relu, input [batch,64], logits [batch,10]"},
    {"safetensors", AS_F32, ".safetensors", "safetensors, F32"},
    {"bf16", AS_BF16, ".safetensors", "safetensors, BF16"},
    {"gguf", AS_Q8_0, ".gguf", "GGUF version 3, weights Q8_0, biases F32"},
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

static void print_help(void)
{
    printf("make_model: small models that are really trained to read 8x8 digits\n\n"
           "  make_model FORMAT VARIANT OUT [--seed N] [--width N] [--layers N]\n"
           "  make_model --check PATH\n"
           "  make_model random BYTES OUT [--seed N]\n"
           "  make_model mutate IN OUT [--seed N] [--edits K]\n\n"
           "FORMAT\n");
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        printf("  %-12s %s\n", formats[i].name, formats[i].help);
    }
    printf("VARIANT\n");
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        printf("  %-12s %s\n", variants[i].name, variants[i].help);
    }
    printf("\n--seed N     default 1; the same seed gives the same file on one machine\n"
           "--width N    of the hidden layers, a multiple of 32, default %d (2 MB in F32)\n"
           "--layers N   2 to %d, default %d\n"
           "--check PATH a health check: runs the model (or the one model in the folder PATH) on\n"
           "             digits that it was not trained on. Exits 0 if at least %.0f %% are read\n"
           "             right, 1 with a sentence if not.\n"
           "random       BYTES random bytes\n"
           "mutate       IN with K (default 10) random edits: insertions, deletions and\n"
           "             overwritings of 1 to %d bytes\n\n"
           "Example: make_model onnx v1 /tmp/v1.onnx && make_model --check /tmp/v1.onnx\n"
           "Exits 0, 1 where --check refuses, 2 on wrong usage or other trouble.\n",
           WIDTH_DEFAULT, LAYERS_MAX, LAYERS_DEFAULT, 100 * ACCURACY_MIN, EDIT_MAX_BYTES);
}

static int usage(const char *what)
{
    fprintf(stderr, "make_model: %s: see make_model --help\n", what);
    return EXIT_TROUBLE;
}

static void write_file(const char *path, const struct ox_buf *bytes)
{
    struct ox_err err = OX_ERR_INIT;

    check(ox_file_replace(path, bytes->data, bytes->len_bytes, 0644, &err), &err);
}

static void write_model(const struct network *net, const struct format *format, bool external,
                        const char *path)
{
    struct items items;
    struct ox_buf out = OX_BUF_INIT;
    struct ox_buf data = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;
    const char *slash = strrchr(path, '/');
    char *data_path = NULL;
    char *location = NULL;

    check(ox_strf(&data_path, &err, "%s.data", path), &err);
    check(ox_strf(&location, &err, "%s.data", slash == NULL ? path : slash + 1), &err);
    list_items(net, format->type, &items);
    if (strcmp(format->name, "onnx") == 0) {
        write_onnx(net, &items, &out, external ? &data : NULL, location);
    } else if (format->type == AS_Q8_0) {
        write_gguf(&items, &out);
    } else {
        write_safetensors(&items, &out);
    }
    write_file(path, &out);
    if (external) {
        write_file(data_path, &data);
    }
    ox_buf_clear(&out);
    ox_buf_clear(&data);
    free(data_path);
    free(location);
}

static int make(const char *format_name, const char *variant_name, const char *path,
                const struct options *options)
{
    const struct format *format = NULL;
    const struct variant *variant = NULL;
    struct network net;

    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        format = strcmp(formats[i].name, format_name) == 0 ? &formats[i] : format;
    }
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        variant = strcmp(variants[i].name, variant_name) == 0 ? &variants[i] : variant;
    }
    if (format == NULL || variant == NULL) {
        return usage(format == NULL ? "unknown FORMAT" : "unknown VARIANT");
    }
    if (variant->external && strcmp(format->name, "onnx") != 0) {
        return usage("only onnx has external data");
    }
    if (options->width == 0 || options->width % 32 != 0 || options->width > WIDTH_MAX ||
        options->layers < 2 || options->layers > LAYERS_MAX) {
        return usage("--width or --layers is out of range");
    }
    make_network(&net, variant, (size_t)options->layers, (size_t)options->width, options->seed);
    write_model(&net, format, variant->external, path);
    network_clear(&net);
    return EXIT_GOOD;
}

/* --- the health check -------------------------------------------------------------------------*/

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name);

    return len >= strlen(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0;
}

/* The path itself, or the model in the folder of this path: the first by name. The caller frees. */
static char *find_model(const char *path)
{
    struct ox_err err = OX_ERR_INIT;
    struct stat st;
    DIR *dir;
    struct dirent *entry;
    char *best = NULL;

    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        check(ox_strdup(&best, path, &err), &err);
        return best;
    }
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        for (size_t i = 0; i < FORMAT_COUNT; i++) {
            char *found = NULL;

            if (!has_suffix(entry->d_name, formats[i].suffix)) {
                continue;
            }
            check(ox_path_join(&found, path, entry->d_name, &err), &err);
            if (best == NULL || strcmp(found, best) < 0) {
                free(best);
                best = found;
                found = NULL;
            }
            free(found);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return best;
}

static bool load(const char *path, struct network *net)
{
    struct ox_buf file = OX_BUF_INIT;
    struct ox_buf data = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;
    struct items items;
    char *data_path = NULL;
    bool good;

    *net = (struct network){0};
    check(ox_file_read_all(path, FILE_MAX_BYTES, &file, &err), &err);
    check(ox_strf(&data_path, &err, "%s.data", path), &err);
    if (ox_path_exists(data_path)) {
        check(ox_file_read_all(data_path, FILE_MAX_BYTES, &data, &err), &err);
    }
    good = read_gguf(&file, &items) || read_safetensors(&file, &items) ||
           read_onnx(&file, data.data == NULL ? NULL : &data, &items);
    good = good && assemble(&items, net);
    ox_buf_clear(&file);
    ox_buf_clear(&data);
    free(data_path);
    return good;
}

static int check_model(const char *given)
{
    char *path = find_model(given);
    struct network net = {0};
    int status = EXIT_REFUSED;

    if (path == NULL) {
        fprintf(stderr, "make_model: %s holds no model\n", given);
    } else if (!load(path, &net)) {
        fprintf(stderr, "make_model: %s is no model that make_model made, or damaged\n", path);
    } else {
        double right = accuracy(&net);

        status = right >= ACCURACY_MIN ? EXIT_GOOD : EXIT_REFUSED;
        fprintf(status == EXIT_GOOD ? stdout : stderr,
                "make_model: %s reads %.1f %% of the digits right, %.0f %% are wanted: %s\n", path,
                100 * right, 100 * ACCURACY_MIN, status == EXIT_GOOD ? "healthy" : "unhealthy");
    }
    network_clear(&net);
    free(path);
    return status;
}

/* --- bytes without meaning --------------------------------------------------------------------*/

static void put_random(struct ox_buf *out, struct ox_rng *rng, uint64_t len)
{
    while (len > 0) {
        uint8_t bytes[8];
        size_t take = len < sizeof(bytes) ? (size_t)len : sizeof(bytes);

        ox_store_u64le(bytes, ox_rng_u64(rng));
        put(out, bytes, take);
        len -= take;
    }
}

static int make_random(uint64_t len, const char *path, uint64_t seed)
{
    struct ox_buf out = OX_BUF_INIT;
    struct ox_rng rng;

    if (len > FILE_MAX_BYTES) {
        return usage("BYTES is too large");
    }
    ox_rng_init(&rng, seed);
    put_random(&out, &rng, len);
    write_file(path, &out);
    ox_buf_clear(&out);
    return EXIT_GOOD;
}

static void edit(struct ox_buf *bytes, struct ox_rng *rng)
{
    uint64_t kind = ox_rng_below(rng, 3); /* insert, delete, overwrite */
    size_t at = (size_t)ox_rng_below(rng, (uint64_t)bytes->len_bytes + 1);
    size_t len = (size_t)ox_rng_below(rng, EDIT_MAX_BYTES) + 1;
    struct ox_buf fresh = OX_BUF_INIT;
    struct ox_buf out = OX_BUF_INIT;
    size_t gone = len < bytes->len_bytes - at ? len : bytes->len_bytes - at;

    put_random(&fresh, rng, len);
    put(&out, bytes->data, at);
    if (kind != 1) {
        put(&out, fresh.data, kind == 0 ? len : gone);
    }
    at += kind == 0 ? 0 : gone;
    put(&out, bytes->data + at, bytes->len_bytes - at);
    ox_buf_clear(&fresh);
    ox_buf_clear(bytes);
    *bytes = out;
}

static int mutate(const char *from, const char *to, const struct options *options)
{
    struct ox_buf bytes = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;
    struct ox_rng rng;

    ox_rng_init(&rng, options->seed);
    check(ox_file_read_all(from, FILE_MAX_BYTES, &bytes, &err), &err);
    for (uint64_t i = 0; i < options->edits; i++) {
        edit(&bytes, &rng);
    }
    write_file(to, &bytes);
    ox_buf_clear(&bytes);
    return EXIT_GOOD;
}

static bool parse_u64(const char *text, uint64_t *out)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"seed", required_argument, NULL, 's'},
        {"width", required_argument, NULL, 'w'},
        {"layers", required_argument, NULL, 'l'},
        {"edits", required_argument, NULL, 'e'},
        {"check", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {1, WIDTH_DEFAULT, LAYERS_DEFAULT, 10};
    uint64_t bytes = 0;
    int option;

    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        uint64_t *number = option == 's'   ? &options.seed
                           : option == 'w' ? &options.width
                           : option == 'l' ? &options.layers
                                           : &options.edits;

        if (option == 'h') {
            print_help();
            return EXIT_GOOD;
        }
        if (option == 'c') {
            return check_model(optarg);
        }
        if (option == '?' || !parse_u64(optarg, number)) {
            return usage("an option is unknown or no number");
        }
    }
    if (argc - optind != 3) {
        return usage("three arguments expected");
    }
    argv += optind;
    if (strcmp(argv[0], "random") == 0) {
        return parse_u64(argv[1], &bytes) ? make_random(bytes, argv[2], options.seed)
                                          : usage("BYTES is no number");
    }
    if (strcmp(argv[0], "mutate") == 0) {
        return mutate(argv[1], argv[2], &options);
    }
    return make(argv[0], argv[1], argv[2], &options);
}
