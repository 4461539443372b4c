/* Facts as events, there and back, and events that are no facts. */
#include "check.h"

#include "role/common/event_sender.h"
#include "role/common/fact.h"

static struct event sent;
static struct buf bytes;

/* Instead of the link to manage. */
void event_send(struct event e)
{
    buf_clear(&bytes);
    event_put(&bytes, &e);
    struct cursor c = cursor_of(buf_span(&bytes));
    assert_true(event_get(&c, &sent));
}

static void there_and_back(void **state UNUSED)
{
    buf_init(&bytes, 65536);
    for (unsigned q = 0; q < FACT_QUESTIONS; q++)
        for (unsigned level = 0; level < FACT_LEVELS; level++) {
            char texts[FACT_TEXTS][8];
            struct fact f = {.question = (enum fact_question)q,
                             .level = (enum fact_level)level,
                             .code = 200 + q,
                             .count = 1 + level,
                             .size = q * 1000,
                             .first_ms = 5,
                             .last_ms = 7},
                        back;
            for (size_t i = 0; i < FACT_TEXTS; i++) {
                snprintf(texts[i], sizeof texts[i], "t%zu", i);
                f.text[i] = span_of(texts[i]);
            }
            fact_send(&f);
            assert_true(fact_of_event(&sent, &back));
            assert_int_equal(back.question, q);
            assert_int_equal(back.level, level);
            assert_int_equal(back.code, f.code);
            assert_int_equal(back.count, f.count);
            assert_int_equal(back.size, f.size);
            assert_int_equal(back.last_ms, 7);
            for (size_t i = 0; i < FACT_TEXTS; i++)
                CHECK_SPAN("text", back.text[i], f.text[i]);
        }
    buf_done(&bytes);
}

static void no_facts(void **state UNUSED)
{
    static const struct {
        const char *name, *verdict, *level, *count;
        bool good;
    } rows[] = {
        {"good", "Rcpt 550", "0", "1 0", true},
        {"no question", "550", "0", "1 0", false},
        {"unknown question", "Help 550", "0", "1 0", false},
        {"no code", "Rcpt", "0", "1 0", false},
        {"empty code", "Rcpt ", "0", "1 0", false},
        {"large code", "Rcpt 1000", "0", "1 0", false},
        {"code and more", "Rcpt 550 1", "0", "1 0", false},
        {"no level", "Rcpt 550", "", "1 0", false},
        {"unknown level", "Rcpt 550", "3", "1 0", false},
        {"never", "Rcpt 550", "0", "0 0", false},
        {"too often", "Rcpt 550", "0", "99999999999999999999 0", false},
        {"negative", "Rcpt 550", "0", "-1 0", false},
        {"a size", "Message 250", "0", "1 35000000", true},
        {"no size", "Message 250", "0", "1", false},
        {"too large a size", "Message 250", "0", "1 9223372036854775808", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct event e = {.kind = EVENT_FACT,
                          .field = {[FACT_VERDICT] = span_of(rows[i].verdict),
                                    [FACT_LEVEL] = span_of(rows[i].level),
                                    [FACT_COUNT] = span_of(rows[i].count)}};
        struct fact f;
        CHECK_INT(rows[i].name, fact_of_event(&e, &f), rows[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(no_facts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
