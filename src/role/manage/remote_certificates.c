/*
 * remote_certificates.c: the certificate port over CERTIFICATES_*, and the keytab's view over KEYTAB_DESCRIBE
 * (role/common/protocol.h). The bytes of keys that are sent are wiped here.
 */
#include "role/manage/remote_certificates.h"

#include "role/common/certificates.h"
#include "role/common/keytab_file.h"
#include "role/common/protocol.h"
#include "runtime/large_body.h"
#include "runtime/link.h"

enum { CALL_MS = 20000 };

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "the supervisor answered in a form that manage does not know");
}

/* Asks; *ret_view is the answer's body, to be closed by the caller, *ret what stands behind a good outcome. */
static enum err_code ask(struct remote_certificates *r, enum message_type type, struct span body,
                         struct large_body_view *ret_view, struct cursor *ret, struct err *err)
{
    struct large_body packed = {0};
    struct frame f;
    if (*r->fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "the supervisor cannot be asked yet; try again");
    enum err_code code = large_body_pack(body, &packed, err);
    if (!code)
        code = frame_call(*r->fd, (uint16_t)type, packed.part, packed.fds, packed.fd_count, CALL_MS, r->buffer, &f,
                          err);
    large_body_done(&packed);
    if (code)
        return code;
    code =
        f.type == (type | LINK_ANSWER) ? large_body_open(&f, CERTIFICATES_BODY_MAX, ret_view, err) : malformed(err);
    frame_close_fds(&f);
    if (code)
        return code;
    *ret = cursor_of(ret_view->bytes);
    uint8_t outcome = cursor_u8(ret);
    struct span text = cursor_bytes(ret, sizeof err->text);
    if (!cursor_ok(ret) || outcome >= ERR_CODE_MAX)
        return malformed(err);
    return outcome ? err_set(err, (enum err_code)outcome, "%.*s", SPAN_ARG(text)) : ERR_NONE;
}

static enum err_code remote_list(void *context, struct arena *arena, struct certificate **ret, size_t *ret_count,
                                 struct err *err)
{
    struct large_body_view view = {0};
    struct cursor c;
    enum err_code code = ask(context, CERTIFICATES_LIST, SPAN(""), &view, &c, err);
    if (!code && !certificates_get_list(&c, arena, ret, ret_count))
        code = malformed(err);
    large_body_close(&view);
    return code;
}

static enum err_code remote_apply(void *context, const struct certificate_change *changes, size_t count,
                                  struct err *err)
{
    struct large_body_view view = {0};
    struct cursor c;
    struct buf body;
    size_t size = certificates_changes_size(changes, count);
    buf_init(&body, size);
    enum err_code code = buf_reserve(&body, size) ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
    if (!code) {
        certificates_put_changes(&body, changes, count);
        ASSERT(!body.failed && body.len == size);
        code = ask(context, CERTIFICATES_APPLY, buf_span(&body), &view, &c, err);
    }
    buf_wipe(&body);
    large_body_close(&view);
    return code;
}

const struct certificate_adapter remote_certificates = {remote_list, remote_apply};

static enum err_code remote_describe(struct keytab_view *v, struct arena *arena, bool *ret_usable,
                                     struct span *ret_text, struct err *err)
{
    struct remote_keytab *k = (struct remote_keytab *)v;
    struct large_body_view view = {0};
    struct cursor c;
    enum err_code code = ask(k->asks, KEYTAB_DESCRIBE, SPAN(""), &view, &c, err);
    bool usable = !code && cursor_bool(&c);
    struct span text = code ? SPAN("") : arena_dup(arena, cursor_bytes(&c, 3 * KEYTAB_TEXT_MAX));
    if (!code && (!cursor_done(&c) || !text.ptr))
        code = malformed(err);
    large_body_close(&view);
    if (!code) {
        *ret_usable = usable;
        *ret_text = text;
    }
    return code;
}

void remote_keytab_init(struct remote_keytab *k, struct remote_certificates *asks)
{
    *k = (struct remote_keytab){.view = {.describe = remote_describe}, .asks = asks};
}
