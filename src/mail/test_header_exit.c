/* The header firewall on the way out: which fields leave, and where a section ends however it is cut. */
#include "check.h"

#include "mail/header_exit.h"

#define ROUTING     "Received: from a\r\n by b\r\nResent-From: x@y.test\r\n"
#define SEEN        "X-MS-Exchange-Organization-AuthAs: Internal\r\nx-ms-exchange-organization-scl: -1\r\n"
#define INTERNAL    "X-MS-Exchange-Organization-Journal-Report:\r\n yes\r\n"
#define FOREST      "X-MS-Exchange-Forest-RulesExecuted: m\r\n"
#define ORDINARY    "Subject: X-MS-Exchange-Organization-SCL: 1\r\nX-MS-Exchange-Other: 1\r\n"
#define EVERY_FIELD ROUTING SEEN "From: a@b.test\r\n" INTERNAL FOREST ORDINARY

static void fields(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned remove;
        const char *in, *out;
    } rows[] = {
        {"nothing", 0, EVERY_FIELD, EVERY_FIELD},
        {"routing", HEADER_EXIT_ROUTING, EVERY_FIELD, SEEN "From: a@b.test\r\n" INTERNAL FOREST ORDINARY},
        {"organization", HEADER_EXIT_ORGANIZATION, EVERY_FIELD, ROUTING "From: a@b.test\r\n" FOREST ORDINARY},
        {"forest", HEADER_EXIT_FOREST, EVERY_FIELD, ROUTING SEEN "From: a@b.test\r\n" INTERNAL ORDINARY},
        {"for a mailbox", HEADER_EXIT_INTERNAL | HEADER_EXIT_FOREST, EVERY_FIELD,
         ROUTING SEEN "From: a@b.test\r\n" ORDINARY},
        {"all", HEADER_EXIT_ALL, EVERY_FIELD, "From: a@b.test\r\n" ORDINARY},
        {"all that there is", HEADER_EXIT_ALL, ROUTING, ""},
        {"an empty section", HEADER_EXIT_ALL, "", ""},
        {"the last without its line end", HEADER_EXIT_FOREST, "From: a@b.test\r\nX-MS-Exchange-Forest-A: 1",
         "From: a@b.test\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 4096);
        header_exit(&b, span_of(rows[i].in), rows[i].remove);
        CHECK_SPAN(rows[i].name, buf_span(&b), span_of(rows[i].out));
        CHECK_INT(rows[i].name, header_exit_applies(span_of(rows[i].in), rows[i].remove),
                  !span_eq(span_of(rows[i].in), span_of(rows[i].out)));
        buf_done(&b);
    }
}

/* The end is the same whether the bytes come at once or one by one. */
static void section_end(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        size_t end;
    } rows[] = {
        {"A: 1\r\n\r\nbody", 6},
        {"A: 1\r\nB: 2\r\n b\r\n\r\n\r\n", 16},
        {"\r\nbody", 0},
        {"A: 1\r\nB: 2\r\n", SIZE_MAX},
        {"A: 1", SIZE_MAX},
        {"", SIZE_MAX},
        {"A: 1\r\n\rx\r\n\r\nbody", 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span all = span_of(rows[i].message);
        size_t scanned = 0, found = SIZE_MAX;
        CHECK_INT(rows[i].message, header_section_end(all, &scanned), rows[i].end);
        scanned = 0;
        for (size_t n = 0; n <= all.len && found == SIZE_MAX; n++)
            found = header_section_end(span_head(all, n), &scanned);
        CHECK_INT(rows[i].message, found, rows[i].end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields), cmocka_unit_test(section_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
