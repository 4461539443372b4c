/* test_keytab.c: what keytabs are of use, what is said of them, and what is no keytab. */
#include "check.h"
#include "sasl/keytab.h"
#include "sasl/test_keytab_bytes.h"

#include <string.h>

enum { AES256 = 18, AES256_SHA384 = 20, RC4 = 23 };

struct key {
    const char *service, *host;
    unsigned enctype;
    size_t octets;
    uint32_t kvno;
    bool wide;
};

#define SMTP(kvno_)                                                                                                \
    {                                                                                                              \
        "smtp", "mail.example.com", AES256, 32, kvno_, true                                                        \
    }

static const struct {
    const char *row;
    struct key keys[3];
    enum err_code code;
    const char *text; /* what is described, or a part of why it is of no use */
} rows[] = {
    {"one key", {SMTP(3)}, ERR_NONE, "smtp/mail.example.com@EXAMPLE.COM (version 3)"},
    {"the newest version", {SMTP(3), SMTP(5), SMTP(4)}, ERR_NONE, "smtp/mail.example.com@EXAMPLE.COM (version 5)"},
    {"a version above 255", {SMTP(300)}, ERR_NONE, "smtp/mail.example.com@EXAMPLE.COM (version 300)"},
    {"a version of one octet",
     {{"smtp", "a.example.com", AES256, 32, 7, false}},
     ERR_NONE,
     "smtp/a.example.com@EXAMPLE.COM (version 7)"},
    {"as Windows writes it",
     {{"SMTPSVC", "mail", AES256_SHA384, 32, 1, true}, SMTP(1)},
     ERR_NONE,
     "SMTPSVC/mail@EXAMPLE.COM (version 1), smtp/mail.example.com@EXAMPLE.COM (version 1)"},
    {"beside others",
     {{"host", "mail.example.com", AES256, 32, 1, true}, SMTP(2), {"imap", "x", AES256, 32, 1, true}},
     ERR_NONE,
     "smtp/mail.example.com@EXAMPLE.COM (version 2)"},
    {"of another service",
     {{"imap", "mail.example.com", AES256, 32, 1, true}},
     ERR_NOT_FOUND,
     "no key for smtp/HOST (but one for imap/...)"},
    {"a user's", {{"smtp", NULL, AES256, 32, 1, true}}, ERR_NOT_FOUND, "no key for smtp/HOST"},
    {"without a host", {{"smtp", "", AES256, 32, 1, true}}, ERR_NOT_FOUND, "no key for smtp/HOST"},
    {"RC4", {{"smtp", "mail.example.com", RC4, 16, 1, true}}, ERR_NOT_FOUND, "unsafe types"},
    {"a key of another length", {{"smtp", "mail.example.com", AES256, 31, 1, true}}, ERR_NOT_FOUND, "unsafe types"},
    {"a name with a line end", {{"smtp", "a\nb", AES256, 32, 1, true}}, ERR_NOT_FOUND, "no key"},
    {"nothing in it", {{NULL, NULL, 0, 0, 0, false}}, ERR_NOT_FOUND, "no key for smtp/HOST"},
};

static void test_describe(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf file, out;
        struct err err = {0};
        buf_init(&file, 4096);
        buf_init(&out, 512);
        keytab_begin(&file);
        for (size_t k = 0; k < 3 && rows[i].keys[k].service; k++) {
            const struct key *e = &rows[i].keys[k];
            keytab_add(&file, e->service, e->host, e->enctype, e->octets, e->kvno, e->wide);
            keytab_add_hole(&file, k * 5 + 1);
        }
        CHECK_INT(rows[i].row, keytab_describe(buf_span(&file), &out, &err), rows[i].code);
        if (rows[i].code) {
            CHECK(rows[i].row, strstr(err.text, rows[i].text));
            CHECK_INT(rows[i].row, out.len, 0);
        } else {
            CHECK_SPAN(rows[i].row, buf_span(&out), span_of(rows[i].text));
        }
        buf_done(&file);
        buf_done(&out);
    }
}

static void count(void *context, const struct keytab_entry *e)
{
    (void)e;
    ++*(size_t *)context;
}

/* Cut anywhere but between two entries, it is malformed. */
static void test_truncated(void **state)
{
    (void)state;
    struct buf file;
    struct err err = {0};
    buf_init(&file, 4096);
    keytab_begin(&file);
    size_t begin = file.len;
    keytab_add(&file, "smtp", "a", AES256, 32, 1, false);
    size_t first = file.len;
    keytab_add(&file, "smtp", "b", AES256, 32, 1, false);
    for (size_t cut = 0; cut <= file.len; cut++) {
        size_t n = 0;
        bool whole = cut == begin || cut == first || cut == file.len;
        enum err_code code = keytab_read(span_head(buf_span(&file), cut), count, &n, &err);
        assert_int_equal(code, whole ? ERR_NONE : ERR_INVALID);
        assert_int_equal(n, cut >= file.len ? 2 : cut >= first ? 1 : 0);
    }
    buf_done(&file);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        struct span file;
        enum err_code code;
    } bad[] = {
        {"empty", SPAN_INIT(""), ERR_INVALID},
        {"version 1", SPAN_INIT("\x05\x01"), ERR_INVALID},
        {"a text", SPAN_INIT("-----BEGIN"), ERR_INVALID},
        {"no entries", SPAN_INIT("\x05\x02"), ERR_NONE},
        {"an end", SPAN_INIT("\x05\x02\0\0\0\0rest"), ERR_NONE},
        {"a longest hole", SPAN_INIT("\x05\x02\x80\0\0\0"), ERR_INVALID},
        {"a longest entry", SPAN_INIT("\x05\x02\x7f\xff\xff\xff"), ERR_INVALID},
        {"too many components", SPAN_INIT("\x05\x02\0\0\0\x04\0\x09\0\0"), ERR_INVALID},
        {"a component too long", SPAN_INIT("\x05\x02\0\0\0\x06\0\x01\0\0\0\x09"), ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t n = 0;
        struct err err = {0};
        CHECK_INT(bad[i].row, keytab_read(bad[i].file, count, &n, &err), bad[i].code);
        CHECK_INT(bad[i].row, n, 0);
        CHECK(bad[i].row, !bad[i].code == !err.text[0]);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct buf file, out;
    struct err err = {0};
    size_t n = 0;
    buf_init(&file, 2 * KEYTAB_FILE_MAX);
    buf_init(&out, 60); /* room for one principal */
    keytab_begin(&file);
    for (int i = 0; i < KEYTAB_ENTRIES_MAX; i++)
        keytab_add(&file, "x", NULL, 1, 0, 1, false);
    assert_int_equal(keytab_read(buf_span(&file), count, &n, &err), ERR_NONE);
    assert_int_equal(n, KEYTAB_ENTRIES_MAX);
    keytab_add(&file, "x", NULL, 1, 0, 1, false);
    assert_int_equal(keytab_read(buf_span(&file), count, &n, &err), ERR_LIMIT);
    buf_clear(&file);
    keytab_begin(&file);
    keytab_add(&file, "smtp", "a.example.com", AES256, 32, 1, false);
    keytab_add(&file, "smtp", "b.example.com", AES256, 32, 1, false);
    assert_int_equal(keytab_describe(buf_span(&file), &out, &err), ERR_NONE);
    CHECK_SPAN("cut", buf_span(&out), SPAN("smtp/a.example.com@EXAMPLE.COM (version 1), ..."));
    keytab_add_hole(&file, KEYTAB_FILE_MAX - file.len - 4);
    assert_int_equal(file.len, KEYTAB_FILE_MAX);
    assert_int_equal(keytab_read(buf_span(&file), count, &n, &err), ERR_NONE);
    buf_add_char(&file, 0);
    assert_int_equal(keytab_read(buf_span(&file), count, &n, &err), ERR_LIMIT);
    buf_done(&file);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
