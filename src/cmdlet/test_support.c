/* test_support.c: see test_support.h. */
#include "cmdlet/test_support.h"

#include "check.h"
#include "cmdlet/bootstrap.h"
#include "cmdlet/transaction.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t clock_ms;
static uint64_t random_state;

static int64_t now(void)
{
    return clock_ms += 1000;
}

/* xorshift64: the same GUIDs in every run. */
static void fill(void *bytes, size_t count)
{
    unsigned char *b = bytes;
    for (size_t i = 0; i < count; i++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        b[i] = (unsigned char)(random_state >> 32);
    }
}

static struct bench *bench_of(struct shell_host *h)
{
    return (struct bench *)(void *)((char *)h - offsetof(struct bench, host));
}

static enum err_code ask(struct shell_host *h, enum shell_ask_kind kind, struct span text UNUSED,
                         struct arena *arena, struct span *ret, struct err *err)
{
    const char *answer = kind == SHELL_ASK_SECRET ? bench_of(h)->secret
                         : kind == SHELL_ASK_FILE ? bench_of(h)->file
                                                  : NULL;
    if (!answer) {
        err->code = ERR_UNAVAILABLE;
        return ERR_UNAVAILABLE;
    }
    *ret = arena_dup(arena, span_of(answer));
    return ERR_NONE;
}

static void warn(struct shell_host *h, struct span text)
{
    buf_addf(&bench_of(h)->warnings, "%.*s\n", SPAN_ARG(text));
}

static void print(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

void bench_init(struct bench *b, unsigned flags)
{
    *b = (struct bench){.host = {ask, warn}, .folder = "/tmp/mailreeve-test-XXXXXX"};
    arena_init(&b->arena, 0);
    buf_init(&b->out, 16 << 20);
    buf_init(&b->warnings, 1 << 20);
    clock_ms = INT64_C(1700000000000);
    random_state = 1;
    b->context = (struct cmdlet_context){.edge = flags & BENCH_EDGE,
                                         .host = SPAN("mail.example.com"),
                                         .port_offset = 2000,
                                         .now_ms = now,
                                         .random = fill};
    if (flags & BENCH_SQLITE) {
        char path[64];
        assert_non_null(mkdtemp(b->folder));
        snprintf(path, sizeof(path), "%s/policy.db", b->folder);
        assert_int_equal(object_store_sqlite_open(path, &b->context.policy, &b->err), ERR_NONE);
        b->context.recipients = b->context.policy;
    } else {
        b->context.policy = object_store_memory_new();
        b->context.recipients = object_store_memory_new();
    }
    assert_int_equal(cmdlet_table(&b->arena, &b->table, &b->err), ERR_NONE);
    if (flags & BENCH_EMPTY)
        return;
    if (cmdlet_transaction.begin(&b->context, &b->err) ||
        cmdlet_init_state(&b->context, SPAN("example.com"), &b->err) ||
        cmdlet_transaction.commit(&b->context, &b->err))
        fail_msg("init: %s", b->err.text);
}

void bench_done(struct bench *b)
{
    static const char *const files[] = {"policy.db", "policy.db-wal", "policy.db-shm"};
    if (b->context.recipients != b->context.policy)
        object_store_close(b->context.recipients);
    object_store_close(b->context.policy);
    for (size_t i = 0; i < ARRAY_LEN(files) && !strstr(b->folder, "XXXXXX"); i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/%s", b->folder, files[i]);
        unlink(path);
    }
    if (!strstr(b->folder, "XXXXXX"))
        rmdir(b->folder);
    buf_done(&b->out);
    buf_done(&b->warnings);
    arena_clear(&b->arena);
}

enum err_code bench_run(struct bench *b, const char *script)
{
    struct script parsed;
    const struct shell shell = {.table = &b->table,
                                .host = &b->host,
                                .context = &b->context,
                                .transaction = &cmdlet_transaction,
                                .output = {.out = print, .context = &b->out}};
    buf_clear(&b->out);
    buf_clear(&b->warnings);
    b->err = (struct err){0};
    enum err_code code = syntax_parse(span_of(script), &b->arena, &parsed, NULL, &b->err);
    for (size_t i = 0; code == ERR_NONE && i < parsed.count; i++)
        code = shell_execute(&shell, &parsed.statements[i], &b->err);
    return code;
}

static bool contains(struct span s, const char *part)
{
    return s.len && memmem(s.ptr, s.len, part, strlen(part));
}

void bench_check(struct bench *b, const struct bench_row *row)
{
    enum err_code code = bench_run(b, row->script);
    struct span text = code ? span_of(b->err.text) : buf_span(&b->out);
    if (code != row->code)
        print_error("row `%s`: %s\n", row->name, b->err.text);
    CHECK_INT(row->name, code, row->code);
    for (size_t i = 0; i < ARRAY_LEN(row->has) && row->has[i]; i++)
        if (!contains(text, row->has[i])) {
            print_error("row `%s`: there is no `%s` in: %.*s\n", row->name, row->has[i], SPAN_ARG(text));
            fail();
        }
    for (size_t i = 0; i < ARRAY_LEN(row->lacks) && row->lacks[i]; i++)
        if (contains(text, row->lacks[i])) {
            print_error("row `%s`: there is `%s` in: %.*s\n", row->name, row->lacks[i], SPAN_ARG(text));
            fail();
        }
    if (row->warns && !contains(buf_span(&b->warnings), row->warns)) {
        print_error("row `%s`: no warning `%s`: %.*s\n", row->name, row->warns, SPAN_ARG(buf_span(&b->warnings)));
        fail();
    }
}

void bench_check_rows(unsigned flags, const struct bench_row *rows, size_t count)
{
    struct bench b;
    bench_init(&b, flags);
    for (size_t i = 0; i < count; i++)
        bench_check(&b, &rows[i]);
    bench_done(&b);
}
