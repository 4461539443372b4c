/*
 * explain_code.c: see explain_code.h. Reads only; works with the server running and stopped. What clients said is
 * printed with control characters as "?", since it goes to a terminal.
 */
#include "cli/explain_code.h"

#include "cli/cli.h"
#include "role/common/denial.h"
#include "shell/json.h"
#include "store/ring/ring.h"

#include <stdio.h>

static enum err_code find(const char *state, struct span code, struct buf *record, struct err *err)
{
    char path[1400];
    struct ring *ring;
    if (!denials_path(state, path, sizeof path))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    enum err_code e = ring_open_read(path, &ring, err);
    if (e == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "no refusals are kept in %s", state);
    if (e)
        return e;
    e = ring_find(ring, code, record, err);
    ring_close(ring);
    return e == ERR_NOT_FOUND
               ? err_set(
                     err, ERR_NOT_FOUND,
                     "%.*s is not among the last %d refusals of this server; codes of other servers are kept there",
                     SPAN_ARG(code), DENIALS_KEPT)
               : e;
}

static void put_text(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, (unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f ? '?' : s.ptr[i]);
}

static void put_line(struct buf *out, const char *label, struct span text, const char *otherwise)
{
    buf_addf(out, "  %-11s", label);
    put_text(out, text.len ? text : span_of(otherwise));
    buf_add_char(out, '\n');
}

static struct span address_of(struct span endpoint)
{
    struct span a = span_head(endpoint, span_rfind(endpoint, ':'));
    return span_starts(a, SPAN("[")) && a.len > 2 ? span_head(span_from(a, 1), a.len - 2) : a;
}

/* One word for a POSIX shell, whatever a client made of it. */
static void put_word(struct buf *out, struct span s)
{
    buf_add_char(out, '\'');
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\'')
            buf_add(out, SPAN("'\\''"));
        else
            buf_add_char(out, (unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f ? '?' : s.ptr[i]);
    buf_add_char(out, '\'');
}

/* A program of this machine, at submit.sock: what it may no connector says, and there is no port to ask about. */
static bool is_local(const struct event *e)
{
    return span_ends(e->field[DENIAL_LOCAL], SPAN(":0"));
}

/* The same question to the present policy. */
static void put_again(struct buf *out, const struct event *e)
{
    struct span recipient = e->field[DENIAL_RECIPIENT];
    if (is_local(e)) {
        buf_add(out,
                SPAN("  mailreeve shell -c 'Get-TransportServer | fl LocalSubmission'\n"
                     "  Set-TransportServer -LocalSubmission AnySender    lets every user of this machine send as "
                     "anybody\n"
                     "  Set-TransportServer -LocalSubmission OwnSender    as themselves, and root as anybody\n"));
        return;
    }
    buf_add(out, SPAN("  mailreeve explain --remote "));
    put_text(out, address_of(e->field[DENIAL_REMOTE]));
    buf_add(out, SPAN(" --local "));
    put_text(out, e->field[DENIAL_LOCAL]);
    if (e->field[DENIAL_TLS].len)
        buf_add(out, SPAN(" --tls"));
    if (e->field[DENIAL_USER].len) {
        buf_add(out, SPAN(" --user "));
        put_word(out, e->field[DENIAL_USER]);
    }
    buf_add(out, SPAN(" --from "));
    put_word(out, e->field[DENIAL_SENDER].len ? e->field[DENIAL_SENDER] : SPAN("<>"));
    buf_add(out, SPAN(" --to "));
    put_word(out, recipient.len ? recipient : SPAN("somebody@example.com"));
    buf_add_char(out, '\n');
}

static void print_text(struct buf *out, const struct event *e)
{
    struct span rest = e->field[DENIAL_TRACE], line;
    buf_addf(out, "Refusal %.*s, ", SPAN_ARG(e->field[DENIAL_CODE]));
    value_print(out, value_time(e->at_ms));
    buf_add(out, SPAN("\n\n"));
    put_line(out, "Reply", e->field[DENIAL_REPLY], "");
    put_line(out, "Connector", e->field[DENIAL_CONNECTOR], "");
    put_line(out, "Client", e->field[DENIAL_REMOTE], "");
    put_line(out, "Server", e->field[DENIAL_LOCAL], "");
    put_line(out, "HELO", e->field[DENIAL_HELO], "(not said)");
    put_line(out, "TLS", e->field[DENIAL_TLS], "no");
    put_line(out, "User", e->field[DENIAL_USER], "(nobody had logged on)");
    put_line(out, "Sender", e->field[DENIAL_SENDER], "(not said, or the null sender)");
    put_line(out, "Recipient", e->field[DENIAL_RECIPIENT], "(none)");
    if (e->field[DENIAL_LIMIT].len)
        put_line(out, "Limit", e->field[DENIAL_LIMIT], "");
    buf_add(out, SPAN("\nWhy\n"));
    while (rest.len && span_split(&rest, '\n', &line))
        if (line.len) {
            buf_add(out, SPAN("  "));
            put_text(out, line);
            buf_add_char(out, '\n');
        }
    if (!e->field[DENIAL_TRACE].len)
        buf_add(out, SPAN("  as the reply says\n"));
    buf_add(out, SPAN("\nWhat the present policy says, and what would allow it\n"));
    put_again(out, e);
}

static enum err_code print(struct buf *out, struct span record, bool json, struct err *err)
{
    struct event e;
    struct arena arena;
    if (!denial_get(record, &e))
        return err_set(err, ERR_INVALID, "its record cannot be read");
    arena_init(&arena, 1 << 20);
    struct record *r = json ? denial_record(&e, &arena) : NULL;
    if (r) {
        json_print(out, value_record(r), (struct json_options){.depth = 4});
        buf_add_char(out, '\n');
    } else if (!json) {
        print_text(out, &e);
    }
    bool failed = (json && !r) || out->failed;
    arena_clear(&arena);
    return failed ? err_set(err, ERR_NO_MEMORY, "out of memory") : ERR_NONE;
}

int explain_code(const char *state, const char *code, bool json)
{
    struct span wanted = span_of(code);
    struct buf record, out;
    struct err err = {0};
    if (span_starts(wanted, SPAN("[")) && span_ends(wanted, SPAN("]")))
        wanted = span_head(span_from(wanted, 1), wanted.len - 2);
    if (!denial_is_code(wanted)) {
        fprintf(stderr,
                "mailreeve explain: %s is no code of a refusal; one looks like mr-7k2m9q4d and ends the reply\n",
                code);
        return CLI_USAGE;
    }
    buf_init(&record, 2 * RING_RECORD_MAX);
    buf_init(&out, 64 * 1024);
    enum err_code e = find(state, wanted, &record, &err);
    if (!e)
        e = print(&out, buf_span(&record), json, &err);
    if (e)
        fprintf(stderr, "mailreeve explain: %s\n", err.text);
    else
        fwrite(out.ptr, 1, out.len, stdout);
    buf_done(&record);
    buf_done(&out);
    return e ? CLI_FAILED : CLI_OK;
}
