/*
 * certificate_calls.c: what manage asks about certificates (CERTIFICATES_*) and the keytab (KEYTAB_DESCRIBE), done
 * with the supervisor's rights: the folder certs/ is its own, so that no process which speaks to clients can read a
 * key.
 *
 * Invariants: names, counts and lengths of a question are checked by the decoder and by the folder; keys go in and
 * never come out. What was changed is in use before the answer is sent, or the answer says why it is not.
 */
#include "role/supervisor/internal.h"

#include "role/common/certificates.h"
#include "runtime/large_body.h"
#include "runtime/log.h"
#include "tls/certificate_folder.h"

#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 64 << 20 };

static void send_answer(struct link *link, const struct frame *f, struct span body)
{
    struct large_body packed = {0};
    struct err err = {0};
    enum err_code code = large_body_pack(body, &packed, &err);
    if (!code)
        code = link_send(link, f->type | LINK_ANSWER, f->id, packed.part, packed.fds, packed.fd_count);
    if (code)
        log_text(LOG_ERROR, "answer-lost", "manage did not get an answer about certificates: %s",
                 err_code_name(code));
    large_body_done(&packed);
}

static void put_outcome(struct buf *out, enum err_code code, const struct err *err)
{
    put_u8(out, (uint8_t)code);
    put_bytes(out, span_of(code ? err->text : ""));
}

static void answer_list(struct supervisor *s, struct link *link, const struct frame *f)
{
    struct arena arena;
    struct buf out;
    struct err err = {0};
    struct certificate *list = NULL;
    size_t count = 0;
    arena_init(&arena, ARENA_MAX);
    buf_init(&out, CERTIFICATES_BODY_MAX);
    enum err_code code = certificate_folder.list(s->certs, &arena, &list, &count, &err);
    put_outcome(&out, code, &err);
    if (!code)
        certificates_put_list(&out, list, count);
    if (out.failed) {
        buf_clear(&out);
        put_outcome(&out, err_set(&err, ERR_NO_MEMORY, "out of memory"), &err);
    }
    send_answer(link, f, buf_span(&out));
    buf_done(&out);
    arena_clear(&arena);
}

static void log_changes(const struct certificate_change *changes, size_t count)
{
    static const char *const events[CERTIFICATE_CHANGES] = {
        [CERTIFICATE_ADD] = "certificate-added",         [CERTIFICATE_REQUEST] = "certificate-requested",
        [CERTIFICATE_COMPLETE] = "certificate-answered", [CERTIFICATE_ENABLE] = "certificate-enabled",
        [CERTIFICATE_DISABLE] = "certificate-disabled",  [CERTIFICATE_REMOVE] = "certificate-removed"};
    for (size_t i = 0; i < count; i++) {
        struct log_line l = log_begin(LOG_NOTICE, events[changes[i].kind]);
        log_span(&l, "name", changes[i].name);
        log_end(&l);
    }
}

static enum err_code apply(struct supervisor *s, struct span body, struct err *err)
{
    struct certificate_change changes[CERTIFICATE_CHANGES_MAX];
    size_t count = 0;
    struct err why = {0};
    struct cursor c = cursor_of(body);
    if (!certificates_get_changes(&c, changes, &count))
        return err_set(err, ERR_INVALID, "a malformed change of certificates");
    enum err_code code = certificate_folder.apply(s->certs, changes, count, err);
    if (!code)
        log_changes(changes, count);
    if (watch_load(s, &why) && !code)
        code = err_set(err, ERR_CONFLICT,
                       "it was done, but the server goes on with the certificates that it had before, because %s",
                       why.text);
    return code;
}

static void answer_apply(struct supervisor *s, struct link *link, const struct frame *f)
{
    struct large_body_view body = {0};
    struct buf out;
    struct err err = {0};
    enum err_code code = large_body_open(f, CERTIFICATES_BODY_MAX, &body, &err);
    if (!code)
        code = apply(s, body.bytes, &err);
    large_body_close(&body);
    explicit_bzero((char *)(uintptr_t)f->body.ptr, f->body.len); /* keys */
    buf_init(&out, 2 * sizeof err);
    put_outcome(&out, code, &err);
    send_answer(link, f, buf_span(&out));
    buf_done(&out);
}

static void answer_keytab(struct supervisor *s, struct link *link, const struct frame *f)
{
    struct buf out;
    struct err none = {0};
    buf_init(&out, 4 * KEYTAB_TEXT_MAX);
    put_outcome(&out, ERR_NONE, &none);
    keytab_describe_to(s, &out);
    ASSERT(!out.failed);
    send_answer(link, f, buf_span(&out));
    buf_done(&out);
}

static void on_call(void *context, struct frame *f)
{
    struct supervisor *s = context;
    if (f->type == CERTIFICATES_LIST)
        answer_list(s, s->calls, f);
    else if (f->type == CERTIFICATES_APPLY)
        answer_apply(s, s->calls, f);
    else if (f->type == KEYTAB_DESCRIBE)
        answer_keytab(s, s->calls, f);
    else
        role_bad_frame(ROLE_MANAGE, f, "not expected by the supervisor");
}

static void on_calls_lost(void *context)
{
    ((struct supervisor *)context)->calls = NULL;
}

void certificate_calls_open(struct supervisor *s, struct child *manage)
{
    int fds[2];
    struct err err = {0};
    link_close(s->calls);
    s->calls = NULL;
    if (frame_pair(fds, &err)) {
        log_text(LOG_ERROR, "link-failed", "%s", err.text);
        return;
    }
    if (link_send(manage->control, CONTROL_CALLS, 0, SPAN(""), &fds[1], 1))
        log_text(LOG_ERROR, "link-failed", "manage did not get its link to the supervisor");
    close(fds[1]);
    s->calls = link_open(&s->loop, fds[0], on_call, on_calls_lost, s);
}
