/* test_explain_stage.c: see test_explain_stage.h. */
#include "cli/test_explain_stage.h"

#include "directory/memory.h"
#include "tls/test_support.h"

#include <stdlib.h>
#include <string.h>

/* The directory of the bench's recipients; passwords are not in its records, so each gets one. */
static struct directory *make_directory(struct stage *t)
{
    static const char *const classes[] = {"Mailbox", "MailContact", "DistributionGroup"};
    struct directory *d = directory_memory_new();
    struct err err;
    assert_non_null(d);
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        struct record **all;
        size_t count;
        assert_int_equal(
            object_store_list(t->bench.context.recipients, span_of(classes[i]), &t->arena, &all, &count, &err),
            ERR_NONE);
        for (size_t k = 0; k < count; k++) {
            struct value secret = {.kind = VALUE_SECRET, .s = SPAN_INIT("password1")};
            bool without = span_eq(record_string(all[k], SPAN("Name")), SPAN("keyless"));
            if (i == 0 && !without)
                assert_true(record_set(all[k], SPAN("Password"), secret));
            assert_int_equal(directory_memory_put(d, all[k], &err), ERR_NONE);
        }
    }
    return d;
}

static void make_certificates(struct stage *t, const char *name)
{
    struct explain_certificates *c = &t->certificates;
    if (!name)
        return;
    c->ids[0] = test_self_signed(name, t->stores.now_ms - TEST_DAY);
    snprintf(c->files[0], sizeof c->files[0], "certs/%s.crt", name);
    c->count = 1;
}

void stage_open(struct stage *t, unsigned flags, const char *script, const char *certificate)
{
    *t = (struct stage){.node = {.host = "mail.example.com", .port_offset = 2000, .edge = flags & BENCH_EDGE}};
    arena_init(&t->arena, 0);
    bench_init(&t->bench, flags);
    t->bench.secret = "password1";
    if (bench_run(&t->bench, script))
        fail_msg("%s: %s", script, t->bench.err.text);
    t->stores = (struct explain_stores){.policy = t->bench.context.policy,
                                        .recipients = t->bench.context.recipients,
                                        .certificates = &t->certificates,
                                        .keytab = &t->keytab,
                                        .node = &t->node,
                                        .now_ms = INT64_C(1700000000000)};
    make_certificates(t, certificate);
    t->keytab = flags & STAGE_NO_KEYTAB
                    ? (struct keytab_file){.absent = true, .text = "there is no certs/smtp.keytab"}
                    : (struct keytab_file){.usable = true, .text = "smtp/mail.example.com@EXAMPLE.COM (version 1)"};
}

void stage_close(struct stage *t)
{
    directory_close(t->directory);
    explain_certificates_free(&t->certificates);
    policy_close(t->policy);
    buf_done(&t->block);
    arena_clear(&t->arena);
    bench_done(&t->bench);
}

/* Explains over the bench as it is now. */
void stage_explain(struct stage *t, const struct explain_session *s)
{
    struct err err;
    policy_close(TAKE_PTR(t->policy));
    buf_done(&t->block);
    directory_close(t->directory);
    t->directory = t->stores.directory = make_directory(t);
    if (explain_stores_compile(t->bench.context.policy, &t->block, &t->policy, &err))
        fail_msg("%s", err.text);
    t->facts = explain_stores_facts(&t->stores);
    t->e = ARENA_NEW(&t->arena, struct explanation);
    assert_true(explain(t->policy, &t->facts, s, &t->arena, t->e));
}

void stage_search(struct stage *t)
{
    struct explain_trial_run *run = explain_trial_new(&t->stores);
    struct explain_trial trial = explain_trial_of(run);
    assert_non_null(run);
    assert_true(explain_search(t->e, &trial));
    explain_trial_free(run);
}

/* "10.0.0.5 10.0.0.1:25 tls user=alice size=100" */
struct explain_session stage_session(const char *words, const char *from, const char *to)
{
    struct explain_session s = {.helo = SPAN("[192.0.2.1]"),
                                .sender = span_of(from),
                                .header_from = span_of(from),
                                .recipient = span_of(to)};
    size_t n = 0;
    for (struct span rest = span_of(words), word; span_split(&rest, ' ', &word); n++) {
        if (n == 0)
            assert_true(ip_parse(word, &s.remote));
        else if (n == 1)
            assert_true(ip_parse_endpoint(word, &s.local));
        else if (span_eq(word, SPAN("tls")))
            s.tls = true;
        else if (span_starts(word, SPAN("size=")))
            s.size = strtoull(word.ptr + 5, NULL, 10);
        else if (span_starts(word, SPAN("header=")))
            s.header_from = span_from(word, 7);
        else if (span_starts(word, SPAN("helo=")))
            s.helo = span_from(word, 5);
        else if (span_starts(word, SPAN("user="))) {
            s.auth = true;
            s.user = span_from(word, 5);
        } else if (span_starts(word, SPAN("by=")))
            s.mechanism = span_from(word, 3);
        else
            fail_msg("%.*s", SPAN_ARG(word));
    }
    return s;
}

struct span stage_last_reply(const struct explanation *e)
{
    return e->step_count ? e->steps[e->step_count - 1].reply : SPAN("");
}

bool stage_contains(struct span s, const char *part)
{
    return memmem(s.ptr, s.len, part, strlen(part));
}
