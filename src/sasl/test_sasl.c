/* test_sasl.c: dialogues of PLAIN and LOGIN, their limits, and that nothing goes on after the end. */
#include "check.h"
#include "sasl/sasl.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_MAX = 3 };

struct step {
    bool silent; /* the client sends nothing: AUTH without initial response */
    struct span says;
    enum sasl_status want;
    const char *challenge; /* for SASL_CONTINUE */
};

#define SILENT(text)                                                                                               \
    {                                                                                                              \
        .silent = true, .want = SASL_CONTINUE, .challenge = (text)                                                 \
    }
#define SAYS(s, text)                                                                                              \
    {                                                                                                              \
        .says = SPAN_INIT(s), .want = SASL_CONTINUE, .challenge = (text)                                           \
    }
#define GOOD(s)                                                                                                    \
    {                                                                                                              \
        .says = SPAN_INIT(s), .want = SASL_CREDENTIALS                                                             \
    }
#define BAD(s)                                                                                                     \
    {                                                                                                              \
        .says = SPAN_INIT(s), .want = SASL_FAILED                                                                  \
    }

static const struct {
    const char *row, *mechanism;
    struct step steps[STEP_MAX];
    const char *authorization, *user, *password; /* what comes out, when anything does */
} rows[] = {
    {"plain, initial response", "PLAIN", {GOOD("\0alice\0pw")}, "", "alice", "pw"},
    {"plain, asked for", "plain", {SILENT(""), GOOD("\0alice\0pw")}, "", "alice", "pw"},
    {"plain, same authzid", "PLAIN", {GOOD("alice\0alice\0pw")}, "alice", "alice", "pw"},
    {"plain, same in another case", "PLAIN", {GOOD("Alice\0alice\0pw")}, "Alice", "alice", "pw"},
    {"plain, another's authzid", "PLAIN", {BAD("root\0alice\0pw")}},
    {"plain, no NUL", "PLAIN", {BAD("alice")}},
    {"plain, one NUL", "PLAIN", {BAD("alice\0pw")}},
    {"plain, three NULs", "PLAIN", {BAD("\0alice\0pw\0x")}},
    {"plain, NUL at the end", "PLAIN", {BAD("\0alice\0pw\0")}},
    {"plain, no user", "PLAIN", {BAD("\0\0pw")}},
    {"plain, no password", "PLAIN", {BAD("\0alice\0")}},
    {"plain, empty", "PLAIN", {BAD("")}},
    {"plain, utf-8", "PLAIN", {GOOD("\0j\xc3\xbcrgen\0p\xc3\xa4ss")}, "", "j\xc3\xbcrgen", "p\xc3\xa4ss"},
    {"plain, latin-1 user", "PLAIN", {BAD("\0j\xfcrgen\0pw")}},
    {"plain, latin-1 password", "PLAIN", {BAD("\0alice\0p\xe4ss")}},
    {"plain, a step too many", "PLAIN", {GOOD("\0alice\0pw"), BAD("\0alice\0pw")}, "", "alice", "pw"},
    {"plain, silent twice", "PLAIN", {SILENT(""), {.silent = true, .want = SASL_FAILED}, BAD("\0alice\0pw")}},
    {"plain, again after failure", "PLAIN", {BAD("x"), BAD("\0alice\0pw")}},
    {"login", "LOGIN", {SILENT("Username:"), SAYS("alice", "Password:"), GOOD("pw")}, "", "alice", "pw"},
    {"login, initial response", "login", {SAYS("alice", "Password:"), GOOD("pw")}, "", "alice", "pw"},
    {"login, empty initial",
     "LOGIN",
     {SAYS("", "Username:"), SAYS("alice", "Password:"), GOOD("pw")},
     "",
     "alice",
     "pw"},
    {"login, no user", "LOGIN", {SILENT("Username:"), BAD("")}},
    {"login, no password", "LOGIN", {SILENT("Username:"), SAYS("alice", "Password:"), BAD("")}},
    {"login, NUL in user", "LOGIN", {BAD("al\0ice")}},
    {"login, NUL in password", "LOGIN", {SAYS("alice", "Password:"), BAD("p\0w")}},
    {"login, latin-1", "LOGIN", {BAD("j\xfcrgen")}},
    {"login, silent later", "LOGIN", {SILENT("Username:"), {.silent = true, .want = SASL_FAILED}}},
};

static void test_dialogues(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl *s = sasl_start(span_of(rows[i].mechanism));
        struct buf challenge;
        buf_init(&challenge, 100);
        enum sasl_status last = SASL_CONTINUE;
        bool good = false;
        CHECK(rows[i].row, s != NULL);
        for (size_t k = 0; k < STEP_MAX; k++) {
            const struct step *step = &rows[i].steps[k];
            if (!step->silent && !step->says.ptr)
                break;
            buf_clear(&challenge);
            last = sasl_step(s, step->silent ? NULL : &step->says, &challenge);
            CHECK_INT(rows[i].row, last, step->want);
            CHECK_SPAN(rows[i].row, buf_span(&challenge), span_of(step->challenge));
            if (last == SASL_CREDENTIALS) {
                struct sasl_credentials c = sasl_credentials(s);
                CHECK_SPAN(rows[i].row, c.authorization_id, span_of(rows[i].authorization));
                CHECK_SPAN(rows[i].row, c.authentication_id, span_of(rows[i].user));
                CHECK_SPAN(rows[i].row, secret_reveal(c.password), span_of(rows[i].password));
                good = true;
            }
        }
        CHECK_INT(rows[i].row, good, rows[i].user != NULL);
        buf_done(&challenge);
        sasl_free(s);
    }
}

/* PLAIN and LOGIN with names and passwords of given lengths. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        size_t user, password;
        enum sasl_status want;
    } limits[] = {
        {"longest user", SASL_USER_MAX, 1, SASL_CREDENTIALS},
        {"user one too long", SASL_USER_MAX + 1, 1, SASL_FAILED},
        {"longest password", 1, SASL_PASSWORD_MAX, SASL_CREDENTIALS},
        {"password one too long", 1, SASL_PASSWORD_MAX + 1, SASL_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct buf message, challenge;
        buf_init(&message, 4096);
        buf_init(&challenge, 100);
        buf_add_char(&message, '\0');
        for (size_t k = 0; k < limits[i].user; k++)
            buf_add_char(&message, 'u');
        buf_add_char(&message, '\0');
        for (size_t k = 0; k < limits[i].password; k++)
            buf_add_char(&message, 'p');
        struct sasl *s = sasl_start(SPAN("PLAIN"));
        struct span all = buf_span(&message);
        CHECK_INT(limits[i].row, sasl_step(s, &all, &challenge), limits[i].want);
        sasl_free(s);
        s = sasl_start(SPAN("LOGIN"));
        struct span user = span_head(span_from(all, 1), limits[i].user),
                    password = span_from(all, limits[i].user + 2);
        enum sasl_status st = sasl_step(s, &user, &challenge);
        if (st == SASL_CONTINUE)
            st = sasl_step(s, &password, &challenge);
        CHECK_INT(limits[i].row, st, limits[i].want);
        sasl_free(s);
        buf_done(&message);
        buf_done(&challenge);
    }
}

static void test_mechanisms(void **state)
{
    (void)state;
    assert_true(sasl_supported(SPAN("Plain")));
    assert_true(sasl_supported(SPAN("login")));
    static const char *const unknown[] = {"", "PLAI", "PLAINX", "CRAM-MD5", "NTLM", "EXTERNAL"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        CHECK(unknown[i], !sasl_supported(span_of(unknown[i])));
        CHECK(unknown[i], sasl_start(span_of(unknown[i])) == NULL);
    }
    struct buf tiny;
    buf_init(&tiny, 3);
    struct sasl *s = sasl_start(SPAN("LOGIN"));
    assert_int_equal(sasl_step(s, NULL, &tiny), SASL_FAILED); /* no room for the prompt */
    sasl_free(s);
    sasl_free(NULL);
    buf_done(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_mechanisms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
