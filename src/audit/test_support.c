/* test_support.c: see test_support.h. */
#include "audit/test_support.h"

#include "check.h"

#include <string.h>

static const struct audit_address addresses[] = {
    {.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 2}},
     .flags = AUDIT_OWN,
     .interface = SPAN_INIT("eth0")},
    {.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 172, 17, 0, 1}},
     .flags = AUDIT_OWN | AUDIT_BRIDGE,
     .interface = SPAN_INIT("docker0")},
    {.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}},
     .flags = AUDIT_GATEWAY,
     .interface = SPAN_INIT("eth1")},
};
static const struct audit_certificate certificates[] = {
    {SPAN_INIT("mail.example.com"), NOW - 100 * DAY, NOW + 100 * DAY},
    {SPAN_INIT("mail.example.com"), NOW - 9 * DAY, NOW + 5 * DAY},
    {SPAN_INIT("soon.example.com"), NOW - 100 * DAY, NOW + 13 * DAY},
    {SPAN_INIT("late.example.com"), NOW - 100 * DAY, NOW - 3 * DAY},
    {SPAN_INIT("early.example.com"), NOW + 2 * DAY, NOW + 30 * DAY},
};
const struct audit_facts row_facts = {.now_ms = NOW,
                                      .host = SPAN_INIT("mail.example.com"),
                                      .addresses = addresses,
                                      .address_count = ARRAY_LEN(addresses),
                                      .certificates_known = true,
                                      .certificates = certificates,
                                      .certificate_count = ARRAY_LEN(certificates),
                                      .keytab_known = true,
                                      .keytab_text = SPAN_INIT("there is no certs/smtp.keytab")};

static void check_row(const struct row *row)
{
    struct test_policy t;
    struct arena arena;
    struct audit_report r;
    struct err err = {0};
    struct buf got, texts;
    test_policy_init(&t);
    arena_init(&arena, 0);
    buf_init(&got, 1 << 16);
    buf_init(&texts, 1 << 16);
    test_add(&t, "AcceptedDomain: Name=main|DomainName=example.com|Default=$true");
    test_add(&t, row->policy);
    test_open(&t);
    if (audit_run(t.policy, &row_facts, AUDIT_ALL, &arena, &r, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < r.count; i++) {
        const struct audit_finding *f = &r.findings[i];
        buf_addf(&got, "%s %s %.*s\n", audit_severity_name(f->severity), audit_kind_info(f->kind)->name,
                 SPAN_ARG(f->object));
        if (i == 0)
            buf_addf(&texts, "%.*s\n%.*s\n%.*s\n", SPAN_ARG(f->text), SPAN_ARG(f->witness), SPAN_ARG(f->remedy));
        CHECK(row->name, f->text.len && audit_kind_info(f->kind)->why && f->remedy.len);
    }
    CHECK_SPAN(row->name, buf_span(&got), span_of(row->want));
    for (size_t i = 0; i < ARRAY_LEN(row->has) && row->has[i]; i++)
        if (!memmem(texts.ptr, texts.len, row->has[i], strlen(row->has[i]))) {
            print_error("row `%s`: there is no `%s` in: %.*s\n", row->name, row->has[i],
                        SPAN_ARG(buf_span(&texts)));
            fail();
        }
    buf_done(&got);
    buf_done(&texts);
    arena_clear(&arena);
    test_policy_done(&t);
}

void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_row(&rows[i]);
}
