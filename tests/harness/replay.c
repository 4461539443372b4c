/*
 * replay.c: a fuzz target as an ordinary test. Each file of the corpus folder given as argument is run, then a
 * number of seeded random inputs and random mutations of corpus files. The seed is printed; MAILREEVE_SEED sets it.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUNDS = 4000, INPUT_MAX = 4096, CORPUS_MAX = 4096 };

static struct {
    uint8_t *bytes;
    size_t len;
} corpus[CORPUS_MAX];
static size_t corpus_count;
static uint64_t state;

static uint64_t draw(void)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static void load(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f || corpus_count == CORPUS_MAX) {
        fprintf(stderr, "cannot use %s\n", path);
        exit(1);
    }
    uint8_t *bytes = malloc(1 << 20);
    size_t n = bytes ? fread(bytes, 1, 1 << 20, f) : 0;
    fclose(f);
    corpus[corpus_count].bytes = bytes;
    corpus[corpus_count++].len = n;
}

static void load_folder(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            load(folder, e->d_name);
    if (d)
        closedir(d);
}

/* Runs a copy in memory of exactly its size, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        exit(1);
    if (len)
        memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void run_mutation(void)
{
    uint8_t input[INPUT_MAX];
    size_t len = 0;
    if (corpus_count && draw() % 4) {
        size_t i = draw() % corpus_count;
        len = corpus[i].len < INPUT_MAX ? corpus[i].len : INPUT_MAX;
        memcpy(input, corpus[i].bytes, len);
        for (size_t edits = 1 + draw() % 8; edits-- && len;) {
            size_t at = draw() % len;
            if (draw() % 3 == 0) {
                memmove(input + at, input + at + 1, len - at - 1);
                len--;
            } else {
                input[at] = (uint8_t)draw();
            }
        }
    } else {
        len = draw() % 256;
        for (size_t i = 0; i < len; i++)
            input[i] = (uint8_t)draw();
    }
    run(input, len);
}

int main(int argc, char **argv)
{
    const char *seed = getenv("MAILREEVE_SEED");
    state = seed ? strtoull(seed, NULL, 10) : 0x9e3779b97f4a7c15u;
    if (state == 0)
        state = 1;
    printf("MAILREEVE_SEED=%llu\n", (unsigned long long)state);
    for (int i = 1; i < argc; i++)
        load_folder(argv[i]);
    for (size_t i = 0; i < corpus_count; i++)
        run(corpus[i].bytes, corpus[i].len);
    for (int i = 0; i < ROUNDS; i++)
        run_mutation();
    printf("%zu corpus files and %d random inputs\n", corpus_count, ROUNDS);
    for (size_t i = 0; i < corpus_count; i++)
        free(corpus[i].bytes);
    return 0;
}
