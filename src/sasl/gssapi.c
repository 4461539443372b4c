/*
 * gssapi.c: GSSAPI by MIT's libgssapi_krb5. Why not by GNU SASL:
 * docs/decisions/0009-gssapi.md.
 *
 *   client                                server
 *   token                            ->   gss_accept_sec_context, until it is complete
 *                                    <-   token
 *   (empty, if the last token was ours) ->
 *                                    <-   wrapped: 01 000000, "no security layer"
 *   wrapped: 01, size, identity      ->   done
 *
 * Invariants: the mechanism is Kerberos alone, never what else may be installed. No delegated credentials are
 * taken. Without mutual authentication a recorded dialogue could be played again word for word, so tickets are
 * remembered (the replay cache) whether or not the client asks for it.
 */
#include "sasl/gssapi.h"

#include "base/utf8.h"
#include "sasl/keytab.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYER_NONE = 1, LAYER_HEAD = 4, WHY_MAX = 300 };

/* ---- the acceptor ---- */

struct gssapi_acceptor {
    unsigned references;
    krb5_context krb5;
    krb5_keytab keytab; /* keeps the keys in memory alive */
    gss_cred_id_t credential;
    /* while keys are added */
    krb5_error_code failure;
};

static gss_buffer_desc gss_buffer(struct span s)
{
    return (gss_buffer_desc){.length = s.len, .value = (void *)(uintptr_t)s.ptr};
}

static void add_key(void *context, const struct keytab_entry *e)
{
    struct gssapi_acceptor *a = context;
    krb5_keytab_entry entry = {.vno = e->kvno};
    if (a->failure || !keytab_entry_usable(e))
        return;
    a->failure = krb5_build_principal_ext(a->krb5, &entry.principal, (unsigned)e->realm.len, e->realm.ptr,
                                          (unsigned)e->components[0].len, e->components[0].ptr,
                                          (unsigned)e->components[1].len, e->components[1].ptr, 0);
    if (a->failure)
        return;
    entry.key = (krb5_keyblock){
        .enctype = e->enctype, .length = (unsigned)e->key.len, .contents = (krb5_octet *)(uintptr_t)e->key.ptr};
    a->failure = krb5_kt_add_entry(a->krb5, a->keytab, &entry);
    krb5_free_principal(a->krb5, entry.principal);
}

static void print_why(char *out, size_t cap, OM_uint32 major, OM_uint32 minor)
{
    OM_uint32 m, more = 0;
    gss_buffer_desc general = GSS_C_EMPTY_BUFFER, special = GSS_C_EMPTY_BUFFER;
    gss_display_status(&m, major, GSS_C_GSS_CODE, GSS_C_NO_OID, &more, &general);
    more = 0;
    gss_display_status(&m, minor, GSS_C_MECH_CODE, gss_mech_krb5, &more, &special);
    bool says = general.length && !(GSS_ROUTINE_ERROR(major) == GSS_S_FAILURE && minor); /* "look at the other" */
    snprintf(out, cap, "%.*s%s%.*s", says ? (int)general.length : 0, says ? (char *)general.value : "",
             says && minor ? "; " : "", minor ? (int)special.length : 0,
             special.length ? (char *)special.value : "");
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
    gss_release_buffer(&m, &general);
    gss_release_buffer(&m, &special);
}

static enum err_code acquire(struct gssapi_acceptor *a, const char *keytab, const char *replay_cache,
                             struct err *err)
{
    char cache[1200], why[WHY_MAX];
    OM_uint32 major, minor;
    gss_key_value_element_desc elements[] = {{"keytab", keytab}, {"rcache", cache}};
    gss_key_value_set_desc store = {ARRAY_LEN(elements), elements};
    gss_OID_set_desc kerberos = {1, (gss_OID)gss_mech_krb5};
    int n = snprintf(cache, sizeof cache, "file2:%s", replay_cache);
    if (n < 0 || (size_t)n >= sizeof cache)
        return err_set(err, ERR_LIMIT, "the path of the replay cache is too long");
    major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &kerberos, GSS_C_ACCEPT, &store,
                                  &a->credential, NULL, NULL);
    if (!GSS_ERROR(major))
        return ERR_NONE;
    print_why(why, sizeof why, major, minor);
    return err_set(err, ERR_INTERNAL, "cannot be used: %s", why);
}

enum err_code gssapi_acceptor_new(struct span keytab, const char *replay_cache, struct gssapi_acceptor **ret,
                                  struct err *err)
{
    static unsigned made;
    char name[64];
    struct buf described;
    buf_init(&described, KEYTAB_FILE_MAX);
    enum err_code code = keytab_describe(keytab, &described, err);
    buf_done(&described);
    if (code)
        return code;
    struct gssapi_acceptor *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_NO_MEMORY, "cannot be used: out of memory");
    a->references = 1;
    snprintf(name, sizeof name, "MEMORY:smtp-%u", made++); /* each acceptor has its own keys */
    a->failure = krb5_init_context(&a->krb5);
    if (!a->failure)
        a->failure = krb5_kt_resolve(a->krb5, name, &a->keytab);
    if (!a->failure)
        code = keytab_read(keytab, add_key, a, err);
    if (a->failure)
        code = err_set(err, ERR_INTERNAL, "cannot be used: Kerberos error %d", a->failure);
    if (!code)
        code = acquire(a, name, replay_cache, err);
    if (code)
        gssapi_acceptor_unref(a);
    else
        *ret = a;
    return code;
}

struct gssapi_acceptor *gssapi_acceptor_ref(struct gssapi_acceptor *a)
{
    a->references++;
    return a;
}

void gssapi_acceptor_unref(struct gssapi_acceptor *a)
{
    OM_uint32 minor;
    if (!a || --a->references)
        return;
    gss_release_cred(&minor, &a->credential);
    if (a->keytab)
        krb5_kt_close(a->krb5, a->keytab);
    if (a->krb5)
        krb5_free_context(a->krb5);
    free(a);
}

/* ---- an exchange ---- */

enum state {
    STATE_CONTEXT, /* tokens of the security context */
    STATE_EMPTY,   /* the last one was ours: the client has nothing left to say */
    STATE_LAYER,   /* the layers are offered */
    STATE_ENDED,
};

struct gssapi_exchange {
    struct gssapi_acceptor *acceptor;
    enum state state;
    gss_ctx_id_t context;
    struct buf principal, authorization_id;
    enum gssapi_refusal refusal;
    char why[WHY_MAX];
};

struct gssapi_exchange *gssapi_exchange_new(struct gssapi_acceptor *a)
{
    struct gssapi_exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->acceptor = gssapi_acceptor_ref(a);
    buf_init(&x->principal, GSSAPI_PRINCIPAL_MAX);
    buf_init(&x->authorization_id, GSSAPI_AUTHORIZATION_MAX);
    return x;
}

void gssapi_exchange_free(struct gssapi_exchange *x)
{
    OM_uint32 minor;
    if (!x)
        return;
    gss_delete_sec_context(&minor, &x->context, GSS_C_NO_BUFFER);
    gssapi_acceptor_unref(x->acceptor);
    buf_done(&x->principal);
    buf_done(&x->authorization_id);
    free(x);
}

static enum gssapi_status refuse(struct gssapi_exchange *x, const char *why)
{
    x->refusal = GSSAPI_BAD_MESSAGE;
    snprintf(x->why, sizeof x->why, "%s", why);
    return GSSAPI_REFUSED;
}

static enum gssapi_status no_memory(struct gssapi_exchange *x)
{
    snprintf(x->why, sizeof x->why, "out of memory");
    return GSSAPI_UNAVAILABLE;
}

/* What is nobody's fault but ours: then nothing was decided. */
static bool is_unavailable(OM_uint32 minor)
{
    static const krb5_error_code ours[] = {KRB5_RC_IO,       KRB5_RC_IO_MALLOC,  KRB5_RC_IO_PERM,
                                           KRB5_RC_IO_SPACE, KRB5_RC_IO_UNKNOWN, KRB5_RC_MALLOC,
                                           KRB5_RC_UNKNOWN,  KRB5_RCACHE_BADVNO};
    int32_t code = (int32_t)minor;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (code == ours[i])
            return true;
    return code > 0 && code < 256; /* errno: of the replay cache, or of memory */
}

static enum gssapi_status failed(struct gssapi_exchange *x, OM_uint32 major, OM_uint32 minor)
{
    print_why(x->why, sizeof x->why, major, minor);
    if (GSS_ROUTINE_ERROR(major) == GSS_S_FAILURE && is_unavailable(minor))
        return GSSAPI_UNAVAILABLE;
    bool replay = (int32_t)minor == KRB5KRB_AP_ERR_REPEAT || GSS_ROUTINE_ERROR(major) == GSS_S_DUPLICATE_TOKEN;
    x->refusal = replay ? GSSAPI_REPLAY : GSSAPI_BAD_TICKET;
    return GSSAPI_REFUSED;
}

static bool is_text(struct span s)
{
    return utf8_valid(s) && (!s.len || !memchr(s.ptr, '\0', s.len));
}

/*
 * Whom the ticket names. A backslash is how the library quotes what stands within a name, such as another @: such
 * names mean no user of ours, and must not be taken for one.
 */
static enum gssapi_status keep_principal(struct gssapi_exchange *x, gss_name_t name)
{
    OM_uint32 major, minor;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    gss_OID type = GSS_C_NO_OID;
    major = gss_display_name(&minor, name, &text, &type);
    if (GSS_ERROR(major))
        return failed(x, major, minor);
    struct span s = span_make(text.value, text.length);
    size_t at = span_find(s, '@');
    bool good = type && gss_oid_equal(type, gss_nt_krb5_name) && s.len <= GSSAPI_PRINCIPAL_MAX && is_text(s) &&
                at != SIZE_MAX && at > 0 && at == span_rfind(s, '@') && at + 1 < s.len &&
                span_find(s, '\\') == SIZE_MAX;
    if (good)
        buf_add(&x->principal, s);
    gss_release_buffer(&minor, &text);
    return !good                 ? refuse(x, "the ticket's client has no name of the form user@REALM")
           : x->principal.failed ? no_memory(x)
                                 : GSSAPI_CONTINUE;
}

/* Appends the offer of layers: none. The size is 0, since nothing is going to be wrapped. */
static enum gssapi_status offer(struct gssapi_exchange *x, struct buf *challenge)
{
    static const char layers[LAYER_HEAD] = {LAYER_NONE, 0, 0, 0};
    gss_buffer_desc plain = gss_buffer(span_make(layers, sizeof layers)), wrapped = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, major = gss_wrap(&minor, x->context, 0, GSS_C_QOP_DEFAULT, &plain, NULL, &wrapped);
    if (GSS_ERROR(major))
        return failed(x, major, minor);
    buf_add(challenge, span_make(wrapped.value, wrapped.length));
    gss_release_buffer(&minor, &wrapped);
    x->state = STATE_LAYER;
    return challenge->failed ? no_memory(x) : GSSAPI_CONTINUE;
}

static enum gssapi_status complete(struct gssapi_exchange *x, gss_name_t client, gss_OID mechanism, OM_uint32 flags)
{
    if (!mechanism || !gss_oid_equal(mechanism, gss_mech_krb5))
        return refuse(x, "the mechanism is not Kerberos");
    if (flags & GSS_C_ANON_FLAG)
        return refuse(x, "the ticket is anonymous");
    if (!(flags & GSS_C_INTEG_FLAG))
        return refuse(x, "the context cannot protect the messages that follow");
    return keep_principal(x, client);
}

static enum gssapi_status accept_token(struct gssapi_exchange *x, struct span token, struct buf *challenge)
{
    gss_buffer_desc in = gss_buffer(token), out = GSS_C_EMPTY_BUFFER;
    gss_name_t client = GSS_C_NO_NAME;
    gss_OID mechanism = GSS_C_NO_OID;
    OM_uint32 flags = 0, ignored, minor;
    OM_uint32 major =
        gss_accept_sec_context(&minor, &x->context, x->acceptor->credential, &in, GSS_C_NO_CHANNEL_BINDINGS,
                               &client, &mechanism, &out, &flags, NULL, NULL);
    enum gssapi_status status = GSS_ERROR(major) ? failed(x, major, minor) : GSSAPI_CONTINUE;
    bool more = major & GSS_S_CONTINUE_NEEDED;
    if (status == GSSAPI_CONTINUE && !more)
        status = complete(x, client, mechanism, flags);
    if (status == GSSAPI_CONTINUE && out.length)
        buf_add(challenge, span_make(out.value, out.length));
    if (status == GSSAPI_CONTINUE && challenge->failed)
        status = no_memory(x);
    if (status == GSSAPI_CONTINUE && !more && out.length)
        x->state = STATE_EMPTY;
    else if (status == GSSAPI_CONTINUE && !more)
        status = offer(x, challenge);
    gss_release_name(&ignored, &client);
    gss_release_buffer(&ignored, &out);
    return status;
}

/* The client's choice: one octet of layer, three of size, which count for layers only, and an identity. */
static enum gssapi_status take_choice(struct gssapi_exchange *x, struct span token)
{
    gss_buffer_desc in = gss_buffer(token), plain = GSS_C_EMPTY_BUFFER;
    int confidential = 0;
    gss_qop_t quality = 0;
    OM_uint32 minor, major = gss_unwrap(&minor, x->context, &in, &plain, &confidential, &quality);
    if (major != GSS_S_COMPLETE) /* also what is late or came before */
        return failed(x, major, minor);
    struct span s = span_make(plain.value, plain.length), identity = span_from(s, LAYER_HEAD);
    enum gssapi_status status = GSSAPI_DONE;
    if (s.len < LAYER_HEAD)
        status = refuse(x, "the choice of a security layer is too short");
    else if (s.ptr[0] != LAYER_NONE)
        status = refuse(x, "a security layer was chosen, and none is offered");
    else if (identity.len > GSSAPI_AUTHORIZATION_MAX || !is_text(identity))
        status = refuse(x, "the authorization identity is too long, or no UTF-8");
    else
        buf_add(&x->authorization_id, identity);
    gss_release_buffer(&minor, &plain);
    return x->authorization_id.failed ? no_memory(x) : status;
}

static enum gssapi_status step(struct gssapi_exchange *x, struct span token, struct buf *challenge)
{
    if (token.len > GSSAPI_TOKEN_MAX)
        return refuse(x, "a token is too long");
    if (x->state != STATE_EMPTY && !token.len)
        return refuse(x, "an empty token where one is due");
    switch (x->state) {
    case STATE_CONTEXT: return accept_token(x, token, challenge);
    case STATE_EMPTY: return token.len ? refuse(x, "a token where an empty response is due") : offer(x, challenge);
    case STATE_LAYER: return take_choice(x, token);
    case STATE_ENDED: break;
    }
    return refuse(x, "the exchange is over");
}

enum gssapi_status gssapi_exchange_step(struct gssapi_exchange *x, struct span token, struct buf *challenge)
{
    enum gssapi_status status = step(x, token, challenge);
    if (status != GSSAPI_CONTINUE) {
        x->state = STATE_ENDED;
        buf_clear(challenge);
    }
    return status;
}

const char *gssapi_exchange_why(const struct gssapi_exchange *x)
{
    return x->why;
}

enum gssapi_refusal gssapi_exchange_refusal(const struct gssapi_exchange *x)
{
    return x->refusal;
}

struct span gssapi_exchange_principal(const struct gssapi_exchange *x)
{
    return buf_span(&x->principal);
}

struct span gssapi_exchange_authorization_id(const struct gssapi_exchange *x)
{
    return buf_span(&x->authorization_id);
}
