/*
 * time_consumer: a program that uses a model, for the benches: it maps a file and, so many times a
 * second, reads a part of it that chance picks and computes with it, as a layer's weights are. Prints
 * percentiles of the time from when a request was due to its end. `time_consumer --help`.
 */
#include "oxide/base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void sleep_until(double due_s)
{
    double left_s = due_s - now_s();

    if (left_s > 0) {
        struct timespec ts = {(time_t)left_s, 0};

        ts.tv_nsec = (long)((left_s - (double)ts.tv_sec) * 1e9);
        (void)nanosleep(&ts, NULL);
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

/* One "inference": every byte of the part counts. */
static uint64_t use(const unsigned char *part, size_t len)
{
    uint64_t sum = 0;

    for (size_t i = 0; i + 8 <= len; i += 8) {
        uint64_t word;

        memcpy(&word, part + i, sizeof(word));
        sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    }
    return sum;
}

int main(int argc, char **argv)
{
    struct ox_rng rng;
    struct stat st;
    size_t part;
    double seconds;
    double rate;
    double begun_s;
    double *took;
    size_t count;
    size_t done = 0;
    uint64_t sum = 0;
    const unsigned char *map;
    int fd;

    if (argc != 5) {
        fprintf(stderr, "time_consumer FILE SECONDS RATE MIB: maps FILE, and RATE times a second "
                        "uses MIB of it\n");
        return 2;
    }
    seconds = strtod(argv[2], NULL);
    rate = strtod(argv[3], NULL);
    part = (size_t)strtoul(argv[4], NULL, 10) << 20;
    fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size <= part || seconds <= 0 || rate <= 0) {
        fprintf(stderr, "time_consumer: %s: %s\n", argv[1],
                fd < 0 ? strerror(errno) : "too small for MIB, or SECONDS or RATE is not above 0");
        return 2;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    count = (size_t)(seconds * rate) + 1;
    took = malloc(count * sizeof(*took));
    if (map == MAP_FAILED || took == NULL) {
        fprintf(stderr, "time_consumer: no memory\n");
        return 2;
    }
    sum += use(map, (size_t)st.st_size); /* all of it is there, as after loading */
    ox_rng_init(&rng, 7);
    begun_s = now_s();
    while (done < count) {
        double due_s = begun_s + (double)done / rate;
        size_t at;

        sleep_until(due_s);
        at = (size_t)(ox_rng_u64(&rng) % (uint64_t)((size_t)st.st_size - part)) & ~(size_t)4095;
        sum += use(map + at, part);
        took[done++] = now_s() - due_s;
    }
    qsort(took, done, sizeof(*took), by_value);
    printf("%.3f %.3f %.3f %llx\n", took[done / 2] * 1e3, took[done * 99 / 100] * 1e3,
           took[done - 1] * 1e3, (unsigned long long)sum);
    free(took);
    return 0;
}
