/* test_sts.c: a domain's policy over a fake DNS and fetches that the test answers: what is remembered and what
 * counts. */
#include "check.h"
#include "delivery/resolver_fake.h"
#include "delivery/sts_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fetches, in place of https_curl.c ---- */

struct https_get {
    uv_timer_t timer;
    https_done_fn *done;
    void *context;
};

static struct {
    const char *body; /* NULL: the fetch fails; "silent": it never ends */
    const char *type;
    unsigned count;
    char host[300];
} web;

struct https *https_new(uv_loop_t *loop, struct span (*trust)(void *context), void *context)
{
    (void)loop;
    (void)trust;
    (void)context;
    return NULL;
}

void https_close(struct https *h)
{
    (void)h;
}

static void on_get_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_get(uv_timer_t *timer)
{
    struct https_get *g = timer->data;
    struct https_result r = {web.body ? ERR_NONE : ERR_UNAVAILABLE, span_of(web.body ? web.body : ""),
                             span_of(web.type ? web.type : "text/plain; charset=utf-8"), "status 404"};
    g->done(g->context, &r);
    uv_close((uv_handle_t *)timer, on_get_closed);
}

static uv_loop_t loop;

struct https_get *https_get_start(struct https *h, const struct https_request *request, https_done_fn *done,
                                  void *context)
{
    (void)h;
    struct https_get *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->done = done;
    g->context = context;
    web.count++;
    snprintf(web.host, sizeof web.host, "%.*s%s", SPAN_ARG(request->host), request->path);
    uv_timer_init(&loop, &g->timer);
    g->timer.data = g;
    if (!web.body || strcmp(web.body, "silent") != 0)
        uv_timer_start(&g->timer, on_get, 0, 0);
    return g;
}

void https_get_cancel(struct https_get *g)
{
    uv_close((uv_handle_t *)&g->timer, on_get_closed);
}

/* ---- the bench ---- */

#define POLICY(mode, mx, age) "version: STSv1\nmode: " mode "\nmx: " mx "\nmax_age: " age "\n"

static struct resolver_fake_row rows[] = {
    {"_mta-sts.a.test", RESOLVER_TXT, "v=STSv1; id=1;"},
    {"mta-sts.a.test", RESOLVER_A, "192.0.2.1"},
    {"none.test", RESOLVER_A, "192.0.2.1"},
    {"_mta-sts.two.test", RESOLVER_TXT, "v=STSv1; id=1;"},
    {"_mta-sts.two.test", RESOLVER_TXT, "v=STSv1; id=2;"},
    {"_mta-sts.lost.test", RESOLVER_TXT, "v=STSv1; id=1;"},
    {"_mta-sts.other.test", RESOLVER_TXT, "v=spf1 -all"},
    {"_mta-sts.silent.test", RESOLVER_TXT, .silent = true},
};

static struct resolver *resolver;
static struct sts_cache *cache;
static struct sts *sts;
static unsigned answers, failures;
static char said[200];

static void on_failed(void *context, struct span domain, const char *text)
{
    (void)context;
    failures++;
    CHECK(text, domain.len && text[0]);
}

static void on_policy(void *context, const struct sts_policy *p)
{
    static const char *const modes[] = {"none", "testing", "enforce"};
    (void)context;
    answers++;
    if (p)
        snprintf(said, sizeof said, "%s %.*s", modes[p->mode], SPAN_ARG(p->mx[0]));
    else
        snprintf(said, sizeof said, "no policy");
}

static void begin(void)
{
    resolver = resolver_fake_new(&loop, rows, ARRAY_LEN(rows));
    cache = sts_cache_new();
    sts = sts_new(&loop, resolver, NULL, cache, on_failed, NULL);
    assert_true(resolver && cache && sts);
    web.count = answers = failures = 0;
    web.type = NULL;
}

static bool closed;

static void on_closed(void *context)
{
    (void)context;
    closed = true;
}

static void end(void)
{
    closed = false;
    sts_close(sts, on_closed, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(closed);
    resolver_close(resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    sts_cache_free(cache);
}

/* ---- tests ---- */

static void test_story(void **state UNUSED)
{
    static const struct {
        const char *name, *domain, *record; /* record: of a.test from now on, where not NULL */
        const char *body, *type;
        const char *want;
        unsigned fetches, failures;
        bool forget; /* what is remembered counts no more; a fetch may be tried again */
    } steps[] = {
        {"no record", "none.test", .want = "no policy"},
        {"another record", "other.test", .want = "no policy"},
        {"two records", "two.test", .want = "no policy"},
        {"no host of the policy", "lost.test", .want = "no policy", .failures = 1},
        {"not again at once", "lost.test", .want = "no policy", .failures = 1},
        {"a web server without it", "a.test", .want = "no policy", .fetches = 1, .failures = 2},
        {"not again at once, either", "a.test", .body = POLICY("enforce", "mx.a.test", "1000"), .want = "no policy",
         .fetches = 1, .failures = 2},
        {"a page", "a.test", .body = "<html>", .type = "text/html", .want = "no policy", .fetches = 2,
         .failures = 3, .forget = true},
        {"the policy of a page's type", "a.test", .body = POLICY("enforce", "mx.a.test", "1000"),
         .type = "text/html", .want = "no policy", .fetches = 3, .failures = 4, .forget = true},
        {"no policy at all", "a.test", .body = "version: STSv2\n", .want = "no policy", .fetches = 4, .failures = 5,
         .forget = true},
        {"the policy", "a.test", .body = POLICY("enforce", "mx.a.test", "1000"), .want = "enforce mx.a.test",
         .fetches = 5, .failures = 5, .forget = true},
        {"remembered", "A.TEST.", .body = POLICY("testing", "no.test", "1000"), .want = "enforce mx.a.test",
         .fetches = 5, .failures = 5},
        {"remembered without the record", "a.test", .record = "", .want = "enforce mx.a.test", .fetches = 5,
         .failures = 5},
        {"a new id, and a fetch that fails", "a.test", .record = "v=STSv1; id=2;", .want = "enforce mx.a.test",
         .fetches = 6, .failures = 6},
        {"not tried again at once", "a.test", .body = POLICY("testing", "mx.a.test", "1000"),
         .want = "enforce mx.a.test", .fetches = 6, .failures = 6},
        {"the new one", "a.test", .body = POLICY("testing", "*.a.test", "1000"), .want = "testing *.a.test",
         .fetches = 7, .failures = 6, .forget = true},
        {"mode none", "a.test", .record = "v=STSv1; id=3;", .body = "version: STSv1\nmode: none\nmax_age: 100\n",
         .want = "no policy", .fetches = 8, .failures = 6},
        {"which is remembered, too", "a.test", .body = POLICY("enforce", "mx.a.test", "1000"), .want = "no policy",
         .fetches = 8, .failures = 6},
        {"over at once", "a.test", .record = "v=STSv1; id=4;", .body = POLICY("enforce", "mx.a.test", "0"),
         .want = "no policy", .fetches = 9, .failures = 6},
    };
    begin();
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (steps[i].record)
            rows[0].data = steps[i].record;
        web.body = steps[i].body;
        web.type = steps[i].type;
        struct sts_entry *e = sts_cache_find(cache, SPAN("a.test"));
        if (steps[i].forget && e)
            e->retry_ms = 0;
        answers = 0;
        assert_non_null(sts_ask(sts, span_of(steps[i].domain), on_policy, NULL));
        CHECK_INT(steps[i].name, answers, 0); /* never from inside the call */
        while (!answers)
            uv_run(&loop, UV_RUN_ONCE);
        CHECK_SPAN(steps[i].name, span_of(said), span_of(steps[i].want));
        CHECK_INT(steps[i].name, web.count, steps[i].fetches);
        CHECK_INT(steps[i].name, failures, steps[i].failures);
        CHECK_INT(steps[i].name, answers, 1);
    }
    assert_string_equal(web.host, "mta-sts.a.test/.well-known/mta-sts.txt");
    end();
    rows[0].data = "v=STSv1; id=1;";
}

/* Many who ask at once cost one fetch; one that is cancelled hears nothing; closing breaks the rest off. */
static void test_together(void **state UNUSED)
{
    struct sts_question *q[5];
    begin();
    web.body = POLICY("enforce", "mx.a.test", "1000");
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        assert_non_null(q[i] = sts_ask(sts, SPAN("a.test"), on_policy, NULL));
    sts_question_cancel(q[2]);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, ARRAY_LEN(q) - 1);
    assert_int_equal(web.count, 1);
    assert_string_equal(said, "enforce mx.a.test");
    sts_question_cancel(sts_ask(sts, SPAN("silent.test"), on_policy, NULL));
    web.body = "silent";
    rows[0].data = "v=STSv1; id=9;";
    q[0] = sts_ask(sts, SPAN("a.test"), on_policy, NULL);
    while (web.count == 1)
        uv_run(&loop, UV_RUN_NOWAIT); /* the wait is for events of this loop alone */
    sts_question_cancel(q[0]);
    end();
    assert_int_equal(answers, ARRAY_LEN(q) - 1);
    rows[0].data = "v=STSv1; id=1;";
}

/* The one that was not asked for longest goes. */
static void test_cache(void **state UNUSED)
{
    char name[32];
    cache = sts_cache_new();
    for (unsigned i = 0; i < STS_CACHE_MAX; i++) {
        snprintf(name, sizeof name, "d%u.test", i);
        assert_non_null(sts_cache_touch(cache, span_of(name)));
    }
    assert_int_equal(sts_cache_count(cache), STS_CACHE_MAX);
    assert_non_null(sts_cache_find(cache, SPAN("D0.test")));
    assert_non_null(sts_cache_touch(cache, SPAN("more.test")));
    assert_int_equal(sts_cache_count(cache), STS_CACHE_MAX);
    assert_non_null(sts_cache_find(cache, SPAN("d0.test")));
    assert_null(sts_cache_find(cache, SPAN("d1.test")));
    assert_non_null(sts_cache_find(cache, SPAN("d2.test")));
    sts_cache_free(cache);
}

int main(void)
{
    uv_loop_init(&loop);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_story), cmocka_unit_test(test_together),
                                       cmocka_unit_test(test_cache)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return uv_loop_close(&loop) ? 1 : failed;
}
