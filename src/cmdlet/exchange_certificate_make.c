/*
 * exchange_certificate_make.c: New- and Import-ExchangeCertificate.
 *
 * Invariants: a key is seen in buffers that are wiped and in the change that is staged, and nowhere else. A file or
 * a password is asked for before anything is staged, so that running the statement again finds all as it was.
 */
#include "base/num.h"
#include "cmdlet/certificate.h"
#include "mail/domain.h"

enum { PEM_MAX = 4 * TLS_FILE_MAX, DAYS = 825, NAMES_MAX = 100 };

enum err_code certificate_run_new(struct shell_call *call, struct err *err);
enum err_code certificate_run_import(struct shell_call *call, struct err *err);

/* ---- what is given to New- ---- */

static enum err_code wrong(struct shell_call *call, const char *parameter, struct span given, const char *want,
                           struct err *err)
{
    return err_set(err, ERR_INVALID, "%s -%s: \"%.*s\" is not %s", call->command->name, parameter,
                   SPAN_ARG(span_head(given, 80)), want);
}

static struct span text_of(const struct value *v, struct arena *arena)
{
    if (v && v->kind == VALUE_INT)
        return arena_printf(arena, "%lld", (long long)v->i);
    return v && v->kind == VALUE_STRING ? v->s : SPAN("");
}

/* The CN of "C=US, CN=mail.example.com"; empty where it has none. */
static struct span common_name(struct span subject)
{
    struct span part;
    while (span_split(&subject, ',', &part)) {
        part = span_trim(part);
        if (span_istarts(part, SPAN("CN=")))
            return span_trim(span_from(part, 3));
    }
    return SPAN("");
}

/* A host name, with "*." in front for all names of its domain, or an address. */
static bool name_ok(struct span name)
{
    struct span host = span_starts(name, SPAN("*.")) ? span_from(name, 2) : name;
    return domain_valid(host, 0);
}

static enum err_code read_names(struct shell_call *call, struct tls_make *m, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "DomainName");
    struct span *names = ARENA_ARRAY(call->arena, NAMES_MAX, struct span);
    if (!names)
        return cmdlet_no_memory(err);
    m->names = names;
    if (!given) {
        struct span cn = common_name(m->subject);
        names[m->count++] = cn.len ? cn : cmdlet_context(call)->host;
    } else {
        const struct value *items = given->kind == VALUE_LIST ? given->list.items : given;
        size_t n = given->kind == VALUE_LIST ? given->list.count : 1;
        if (n > NAMES_MAX)
            return err_set(err, ERR_LIMIT, "%s -DomainName: more than %d names", call->command->name, NAMES_MAX);
        for (size_t i = 0; i < n; i++)
            names[m->count++] = items[i].kind == VALUE_STRING ? items[i].s : SPAN("?");
    }
    for (size_t i = 0; i < m->count; i++)
        if (!name_ok(names[i]))
            return wrong(call, "DomainName", names[i], "a host name such as mail.example.com, or *.example.com",
                         err);
    return ERR_NONE;
}

static enum err_code read_key_kind(struct shell_call *call, struct tls_make *m, struct err *err)
{
    static const struct {
        uint32_t bits;
        enum tls_key_kind kind;
    } sizes[] = {{256, TLS_KEY_ECDSA_P256},
                 {384, TLS_KEY_ECDSA_P384},
                 {2048, TLS_KEY_RSA},
                 {3072, TLS_KEY_RSA},
                 {4096, TLS_KEY_RSA}};
    const struct value *algorithm = cmdlet_argument(call, "Algorithm"), *size = cmdlet_argument(call, "KeySize");
    struct span name = text_of(algorithm, call->arena), digits = text_of(size, call->arena);
    bool rsa = span_ieq(name, SPAN("RSA"));
    uint32_t bits = rsa ? 2048 : 256;
    size_t i = 0;
    if (algorithm && !rsa && !span_ieq(name, SPAN("ECDSA")))
        return wrong(call, "Algorithm", name, "ECDSA or RSA", err);
    bool number = !size || num_parse_u32(digits, 65536, &bits);
    while (i < ARRAY_LEN(sizes) && sizes[i].bits != bits)
        i++;
    if (!number || i == ARRAY_LEN(sizes) || (algorithm && rsa != (sizes[i].kind == TLS_KEY_RSA)))
        return wrong(call, "KeySize", digits,
                     algorithm && rsa ? "2048, 3072 or 4096, which RSA keys have"
                     : algorithm      ? "256 or 384, which ECDSA keys have"
                                      : "256 or 384 (ECDSA), 2048, 3072 or 4096 (RSA)",
                     err);
    m->key = sizes[i].kind;
    m->rsa_bits = bits;
    return ERR_NONE;
}

/* ---- names of files ---- */

/* The host name in lower case with a tail that no other has; "*" becomes "wildcard". */
static struct span file_name(struct arena *arena, struct span host, struct span tail)
{
    enum { HOST_MAX = 100, TAIL = 8 };
    struct buf b;
    buf_init(&b, 256);
    for (size_t i = 0; i < host.len && i < HOST_MAX; i++) {
        char c = ascii_lower(host.ptr[i]);
        bool safe = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        if (c == '*')
            buf_add(&b, SPAN("wildcard"));
        else
            buf_add_char(&b, safe && !(c == '.' && b.len == 0) ? c : '_');
    }
    buf_addf(&b, "-%.*s", SPAN_ARG(span_head(tail, TAIL)));
    struct span name = arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return name;
}

static struct span random_tail(struct shell_call *call)
{
    unsigned char b[4];
    cmdlet_context(call)->random(b, sizeof b);
    return arena_printf(call->arena, "%02x%02x%02x%02x", b[0], b[1], b[2], b[3]);
}

/* ---- staging ---- */

/* Switches it off where -Services None is given, and shows it. */
static enum err_code finish(struct shell_call *call, struct span name, bool enabled, struct err *err)
{
    const struct certificate *c;
    struct certificate_change off = {.kind = CERTIFICATE_DISABLE, .name = name};
    enum err_code code = enabled ? ERR_NONE : certificate_stage(call, &off, err);
    if (!code)
        code = certificate_by_name(call, name, &c, err);
    return code ? code : certificate_emit(call, c, err);
}

static enum err_code find_same(struct shell_call *call, struct span thumbprint, struct err *err)
{
    const struct certificate *all;
    size_t count = 0;
    enum err_code code = certificates_list(cmdlet_context(call), &all, &count, err);
    for (size_t i = 0; !code && i < count; i++)
        if (all[i].id && span_eq(tls_identity_thumbprint(all[i].id), thumbprint))
            code = err_set(err, ERR_EXISTS, "%s: the certificate %.*s is here already, as \"%.*s\"",
                           call->command->name, SPAN_ARG(thumbprint), SPAN_ARG(span_head(all[i].name, 100)));
    return code;
}

static enum err_code add(struct shell_call *call, const struct buf *chain, const struct buf *key, bool enabled,
                         struct err *err)
{
    struct tls_identity *id = NULL;
    struct tls_facts facts;
    struct err inner = {0};
    enum err_code code = tls_identity_load(buf_span(chain), buf_span(key), &id, &inner);
    if (code)
        return err_set(err, code, "%s: %s", call->command->name, inner.text);
    code = tls_identity_facts(id, call->arena, &facts, err);
    struct span thumbprint = arena_dup(call->arena, tls_identity_thumbprint(id));
    int64_t until = tls_identity_not_after(id);
    tls_identity_free(id);
    if (!code)
        code = find_same(call, thumbprint, err);
    if (code)
        return code;
    struct span name = file_name(call->arena, facts.name_count ? facts.names[0] : SPAN("certificate"), thumbprint);
    if (until < cmdlet_context(call)->now_ms())
        cmdlet_warn(call, "The certificate %.*s has expired; no connector presents it.", SPAN_ARG(thumbprint));
    if (call->what_if) {
        cmdlet_say_what_if(call, name);
        return ERR_NONE;
    }
    struct certificate_change change = {CERTIFICATE_ADD, name, buf_span(chain), buf_span(key)};
    code = certificate_stage(call, &change, err);
    return code ? code : finish(call, name, enabled, err);
}

/* ---- New-ExchangeCertificate ---- */

static enum err_code add_request(struct shell_call *call, const struct tls_make *m, const struct buf *request,
                                 const struct buf *key, struct err *err)
{
    const struct certificate *c;
    struct span path = text_of(cmdlet_argument(call, "Path"), call->arena);
    struct span name = file_name(call->arena, m->names[0], random_tail(call));
    struct certificate_change change = {CERTIFICATE_REQUEST, name, buf_span(request), buf_span(key)};
    if (call->what_if) {
        cmdlet_say_what_if(call, name);
        return ERR_NONE;
    }
    if (path.len && !call->host->save)
        return err_set(err, ERR_UNAVAILABLE,
                       "%s -Path: files cannot be written from here; leave -Path out, and the "
                       "request is shown",
                       call->command->name);
    enum err_code code = certificate_stage(call, &change, err);
    if (!code && path.len)
        code = call->host->save(call->host, path, buf_span(request), err);
    if (!code)
        code = certificate_by_name(call, name, &c, err);
    return code ? code : certificate_emit(call, c, err);
}

enum err_code certificate_run_new(struct shell_call *call, struct err *err)
{
    struct cmdlet_context *c = cmdlet_context(call);
    struct tls_make m = {
        .subject = text_of(cmdlet_argument(call, "SubjectName"), call->arena), .now_ms = c->now_ms(), .days = DAYS};
    struct buf public, key;
    struct err inner = {0};
    bool enabled = true, request = cmdlet_switch(call, "GenerateRequest");
    enum err_code code = read_names(call, &m, err);
    if (!code)
        code = read_key_kind(call, &m, err);
    if (!code)
        code = certificate_services(call, &enabled, err);
    if (!code && cmdlet_argument(call, "Path") && !request)
        code = err_set(err, ERR_CONFLICT, "%s: -Path is for -GenerateRequest; a self-signed certificate stays here",
                       call->command->name);
    if (code)
        return code;
    buf_init(&public, PEM_MAX);
    buf_init(&key, PEM_MAX);
    if (!buf_reserve(&key, TLS_FILE_MAX)) /* at once, so that growing leaves no copy of the key behind */
        code = cmdlet_no_memory(err);
    else if (request ? tls_make_request(&m, &public, &key, &inner)
                     : tls_make_certificate(&m, &public, &key, &inner))
        code = err_set(err, inner.code, "%s: %s", call->command->name, inner.text);
    else
        code = request ? add_request(call, &m, &public, &key, err) : add(call, &public, &key, enabled, err);
    buf_done(&public);
    buf_wipe(&key);
    return code;
}

/* ---- Import-ExchangeCertificate ---- */

static enum err_code ask(struct shell_call *call, enum shell_ask_kind kind, struct span text, struct span *ret,
                         struct err *err)
{
    struct err why = {0};
    enum err_code code = call->host->ask(call->host, kind, text, call->arena, ret, &why);
    return code ? err_set(err, code, "%s: %s", call->command->name,
                          why.text[0] ? why.text : "nobody is there to give the file or the password")
                : ERR_NONE;
}

/* Of -Password or -PasswordFile; *ret_given false: neither. */
static enum err_code given_password(struct shell_call *call, struct span *ret, bool *ret_given, struct err *err)
{
    const struct value *text = cmdlet_argument(call, "Password"), *file = cmdlet_argument(call, "PasswordFile");
    *ret_given = text || file;
    if (text && file)
        return err_set(err, ERR_CONFLICT, "%s: give -Password or -PasswordFile, not both", call->command->name);
    if (!file) {
        *ret = text && text->kind == VALUE_SECRET ? text->s : text_of(text, call->arena);
        return ERR_NONE;
    }
    enum err_code code = ask(call, SHELL_ASK_FILE, text_of(file, call->arena), ret, err);
    while (!code && ret->len && (ret->ptr[ret->len - 1] == '\n' || ret->ptr[ret->len - 1] == '\r'))
        ret->len--;
    return code;
}

static enum err_code read_file(struct shell_call *call, struct buf *chain, struct buf *key, bool *ret_has_key,
                               struct err *err)
{
    struct span path = text_of(cmdlet_argument(call, "Path"), call->arena), file, password = SPAN("");
    struct err inner = {0};
    bool given = false;
    enum err_code code = given_password(call, &password, &given, err);
    if (!code)
        code = ask(call, SHELL_ASK_FILE, path, &file, err);
    if (code)
        return code;
    code = tls_read_certificate_file(file, password, chain, key, ret_has_key, &inner);
    if (code == ERR_DENIED && !given) {
        code = ask(call, SHELL_ASK_SECRET, arena_printf(call->arena, "Password for %.*s", SPAN_ARG(path)),
                   &password, err);
        if (code)
            return code;
        code = tls_read_certificate_file(file, password, chain, key, ret_has_key, &inner);
    }
    return code ? err_set(err, code, "%s: \"%.*s\": %s", call->command->name, SPAN_ARG(span_head(path, 100)),
                          inner.text)
                : ERR_NONE;
}

/* Without a key it must be what a request of ours waits for. */
static enum err_code complete(struct shell_call *call, const struct buf *chain, bool enabled, struct err *err)
{
    const struct certificate *all, *request = NULL;
    size_t count = 0;
    struct tls_identity *id = NULL;
    enum err_code code = certificates_list(cmdlet_context(call), &all, &count, err);
    if (!code)
        code = tls_identity_load_public(buf_span(chain), &id, err);
    for (size_t i = 0; !code && i < count; i++)
        if (all[i].request.len && tls_identity_answers(id, all[i].request))
            request = &all[i];
    tls_identity_free(id);
    if (code)
        return code;
    if (!request)
        return err_set(err, ERR_NOT_FOUND,
                       "%s: the file has no private key, and no request of this server waits for it; give a file "
                       "with the key (PEM, or PKCS#12), or put the certificate first when the file has several",
                       call->command->name);
    struct span name = arena_dup(call->arena, request->name);
    struct certificate_change change = {CERTIFICATE_COMPLETE, name, buf_span(chain), SPAN("")};
    if (call->what_if) {
        cmdlet_say_what_if(call, name);
        return ERR_NONE;
    }
    code = certificate_stage(call, &change, err);
    return code ? code : finish(call, name, enabled, err);
}

enum err_code certificate_run_import(struct shell_call *call, struct err *err)
{
    struct buf chain, key;
    bool has_key = false, enabled = true;
    buf_init(&chain, PEM_MAX);
    buf_init(&key, PEM_MAX);
    enum err_code code = buf_reserve(&key, TLS_FILE_MAX) ? ERR_NONE : cmdlet_no_memory(err);
    if (!code)
        code = certificate_services(call, &enabled, err);
    if (!code)
        code = read_file(call, &chain, &key, &has_key, err);
    if (!code)
        code = has_key ? add(call, &chain, &key, enabled, err) : complete(call, &chain, enabled, err);
    buf_done(&chain);
    buf_wipe(&key);
    return code;
}
