/*
 * exchange_certificate.c: Get-, Enable- and Remove-ExchangeCertificate, and the table of all five. New- and Import-
 * are in exchange_certificate_make.c.
 *
 * A certificate is known by its thumbprint (SHA-1, or SHA-256) or by the name of its files; a request, which has no
 * thumbprint yet, by its name.
 */
#include "cmdlet/certificate.h"

/* Thumbprints are pasted with blanks and colons, and from some dialogs with an invisible mark in front. */
static struct span plain_thumbprint(struct span given, struct arena *arena)
{
    struct buf b;
    buf_init(&b, 256);
    for (size_t i = 0; i < given.len; i++)
        if (given.ptr[i] > ' ' && given.ptr[i] != ':' && given.ptr[i] != 0x7f)
            buf_add_char(&b, given.ptr[i]);
    struct span copy = b.failed ? given : arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return copy;
}

static bool is_meant(const struct certificate *c, struct span text, struct span thumbprint)
{
    if (shell_like(c->name, text))
        return true;
    return c->id && (shell_like(tls_identity_thumbprint(c->id), thumbprint) ||
                     shell_like(tls_identity_fingerprint(c->id), thumbprint));
}

/* The text of -Identity or of the object from the pipeline; empty: none is given. */
static enum err_code identity_text(struct shell_call *call, struct span *ret, struct err *err)
{
    const struct value *v = cmdlet_argument(call, "Identity");
    v = v ? v : call->input;
    *ret = SPAN("");
    if (!v)
        return ERR_NONE;
    if (v->kind == VALUE_RECORD && span_ieq(v->record->type, SPAN("ExchangeCertificate")))
        *ret = record_string(v->record, SPAN("Name"));
    else if (v->kind == VALUE_STRING)
        *ret = v->s;
    else if (v->kind == VALUE_INT) /* a name of digits alone */
        *ret = arena_printf(call->arena, "%lld", (long long)v->i);
    return ret->len ? ERR_NONE
                    : err_set(err, ERR_INVALID,
                              "%s -Thumbprint: the thumbprint or name of a certificate is expected; "
                              "Get-ExchangeCertificate shows them",
                              call->command->name);
}

static enum err_code not_found(struct shell_call *call, struct span text, struct err *err)
{
    return err_set(
        err, ERR_NOT_FOUND,
        "%s: no certificate has the thumbprint or name \"%.*s\"; Get-ExchangeCertificate shows what there "
        "is",
        call->command->name, SPAN_ARG(span_head(text, 100)));
}

/* The one that is meant. */
static enum err_code target(struct shell_call *call, const struct certificate **ret, struct err *err)
{
    const struct certificate *all, *found = NULL;
    size_t count = 0;
    struct span text;
    enum err_code code = identity_text(call, &text, err);
    if (!code && !text.len)
        code = err_set(err, ERR_INVALID, "%s: which certificate? Give -Thumbprint, or pipe it in",
                       call->command->name);
    if (!code)
        code = certificates_list(cmdlet_context(call), &all, &count, err);
    if (code)
        return code;
    struct span thumbprint = plain_thumbprint(text, call->arena);
    for (size_t i = 0; i < count; i++)
        if (is_meant(&all[i], text, thumbprint)) {
            if (found)
                return err_set(err, ERR_CONFLICT, "%s: \"%.*s\" means more than one certificate; give a thumbprint",
                               call->command->name, SPAN_ARG(span_head(text, 100)));
            found = &all[i];
        }
    if (!found)
        return not_found(call, text, err);
    *ret = found;
    return ERR_NONE;
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    const struct certificate *all;
    size_t count = 0, shown = 0;
    struct span text, domain = SPAN("");
    const struct value *wanted = cmdlet_argument(call, "DomainName");
    if (wanted && wanted->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "%s -DomainName: a host name is expected", call->command->name);
    if (wanted)
        domain = wanted->s;
    enum err_code code = identity_text(call, &text, err);
    if (!code)
        code = certificates_list(cmdlet_context(call), &all, &count, err);
    struct span thumbprint = plain_thumbprint(text, call->arena);
    for (size_t i = 0; !code && i < count; i++) {
        if ((text.len && !is_meant(&all[i], text, thumbprint)) ||
            (domain.len && !(all[i].id && tls_identity_matches(all[i].id, domain))))
            continue;
        shown++;
        code = certificate_emit(call, &all[i], err);
    }
    bool pattern = span_find(text, '*') != SIZE_MAX || span_find(text, '?') != SIZE_MAX;
    return !code && text.len && !shown && !pattern ? not_found(call, text, err) : code;
}

static enum err_code run_enable(struct shell_call *call, struct err *err)
{
    const struct certificate *c;
    bool smtp = true;
    enum err_code code = target(call, &c, err);
    if (!code)
        code = certificate_services(call, &smtp, err);
    if (code)
        return code;
    if (c->request.len)
        return err_set(err, ERR_CONFLICT,
                       "%s: \"%.*s\" is a request that waits for its certificate; Import-ExchangeCertificate first",
                       call->command->name, SPAN_ARG(c->name));
    if (smtp && c->problem.len)
        return err_set(err, ERR_CONFLICT, "%s: \"%.*s\" cannot be used: %.*s", call->command->name,
                       SPAN_ARG(c->name), SPAN_ARG(span_head(c->problem, 300)));
    struct certificate_change change = {.kind = smtp ? CERTIFICATE_ENABLE : CERTIFICATE_DISABLE, .name = c->name};
    if (call->what_if)
        cmdlet_say_what_if(call, c->name);
    return call->what_if || c->enabled == smtp ? ERR_NONE : certificate_stage(call, &change, err);
}

/* Another certificate may take its place; where none does, TLS is not offered any more. */
static enum err_code warn_users(struct shell_call *call, const struct certificate *c, struct err *err)
{
    struct value connectors;
    struct buf b;
    enum err_code code = certificate_used_by(call, c, &connectors, err);
    if (code || connectors.list.count == 0)
        return code;
    buf_init(&b, 4096);
    value_print(&b, connectors);
    cmdlet_warn(
        call,
        "The certificate \"%.*s\" is presented by %.*s; Get-ReceiveConnector | fl Name, TlsCertificate shows "
        "what takes its place.",
        SPAN_ARG(span_head(c->name, 100)), SPAN_ARG(span_head(buf_span(&b), 200)));
    buf_done(&b);
    return ERR_NONE;
}

static enum err_code run_remove(struct shell_call *call, struct err *err)
{
    const struct certificate *c;
    enum err_code code = target(call, &c, err);
    if (!code)
        code = warn_users(call, c, err);
    if (code)
        return code;
    if (call->what_if) {
        cmdlet_say_what_if(call, c->name);
        return ERR_NONE;
    }
    struct certificate_change change = {.kind = CERTIFICATE_REMOVE, .name = arena_dup(call->arena, c->name)};
    return certificate_stage(call, &change, err);
}

enum err_code certificate_run_new(struct shell_call *call, struct err *err);
enum err_code certificate_run_import(struct shell_call *call, struct err *err);

#define THUMBPRINT(flags_)                                                                                         \
    {                                                                                                              \
        "Identity", "Thumbprint", PARAMETER_POSITION_0 | PARAMETER_PIPELINE | (flags_), "<Thumbprint>",            \
            "Its thumbprint (SHA-1 or SHA-256) or the name of its files."                                          \
    }
#define SERVICES                                                                                                   \
    {                                                                                                              \
        "Services", NULL, 0, "SMTP | None", "SMTP: connectors may present it. None: it is kept, and nobody does."  \
    }
#define COMMON                                                                                                     \
    {                                                                                                              \
        "DomainController", NULL, PARAMETER_HIDDEN, "<Fqdn>", "Accepted."                                          \
    }

static const struct shell_parameter get_parameters[] = {
    THUMBPRINT(0),
    {"DomainName", NULL, 0, "<Fqdn>", "Only certificates for this host name."},
    {"Server", NULL, PARAMETER_HIDDEN, "<Server>", "This server."},
    COMMON,
};
static const struct shell_parameter new_parameters[] = {
    {"DomainName", NULL, PARAMETER_POSITION_0, "<Fqdn[]>",
     "The names that it is for, a,b,c. Default: the CN of -SubjectName, else this server's name."},
    {"SubjectName", NULL, 0, "<String>", "\"C=US, O=Example, CN=mail.example.com\". Default: CN=the first name."},
    {"Algorithm", NULL, 0, "ECDSA | RSA",
     "Of the key. RSA is for clients of long ago that know nothing else. Default: ECDSA."},
    {"KeySize", NULL, 0, "256 | 384 | 2048 | 3072 | 4096", "256 and 384 are ECDSA's, the others RSA's."},
    {"GenerateRequest", NULL, PARAMETER_SWITCH, NULL,
     "A request for an authority (PKCS#10) instead of a certificate. Its key stays here until the certificate is "
     "imported."},
    {"Path", NULL, 0, "<File>", "Where the request is written. Without it, it is shown as Request."},
    SERVICES,
    {"PrivateKeyExportable", NULL, PARAMETER_HIDDEN, "<Bool>", "Accepted; keys are never exported."},
    {"FriendlyName", NULL, PARAMETER_HIDDEN, "<String>", "Accepted."},
    COMMON,
};
static const struct shell_parameter import_parameters[] = {
    {"Path", "FileName", PARAMETER_POSITION_0 | PARAMETER_REQUIRED, "<File>",
     "PEM (certificate, chain and key, in any order) or PKCS#12 (.pfx, .p12), as whoever runs the shell can read "
     "it."},
    {"Password", NULL, 0, "<String>",
     "Of a PKCS#12 file or an encrypted key. Without it, it is asked for if needed."},
    {"PasswordFile", NULL, 0, "<File>", "A file that holds the password."},
    SERVICES,
    {"PrivateKeyExportable", NULL, PARAMETER_HIDDEN, "<Bool>", "Accepted; keys are never exported."},
    {"FriendlyName", NULL, PARAMETER_HIDDEN, "<String>", "Accepted."},
    COMMON,
};
static const struct shell_parameter enable_parameters[] = {THUMBPRINT(0), SERVICES, COMMON};
static const struct shell_parameter remove_parameters[] = {THUMBPRINT(0), COMMON};

const struct shell_command certificate_commands[CERTIFICATE_COMMANDS] = {
    {.name = "Get-ExchangeCertificate",
     .parameters = get_parameters,
     .parameter_count = ARRAY_LEN(get_parameters),
     .synopsis = "Shows this server's certificates, or one.",
     .description =
         "Connectors are those that present it now: the one that names the connector's Fqdn is chosen, issued "
         "by an authority before self-signed, then the newest. A client that asks for another name of this "
         "host gets the certificate for that. Files that are put into certs/ (NAME.crt and NAME.key) are "
         "in use within seconds.",
     .examples = "    Get-ExchangeCertificate | Format-List\n"
                 "    Get-ReceiveConnector | Format-Table Name, Fqdn, TlsCertificate\n",
     .run = run_get},
    {.name = "New-ExchangeCertificate",
     .parameters = new_parameters,
     .parameter_count = ARRAY_LEN(new_parameters),
     .synopsis = "Makes a self-signed certificate, or a request for an authority.",
     .description = "A self-signed certificate is in use at once where none of an authority names the same host.",
     .examples = "    New-ExchangeCertificate -DomainName mail.example.com,smtp.example.com\n"
                 "    New-ExchangeCertificate -GenerateRequest -DomainName mail.example.com -Path mail.csr\n",
     .changes = true,
     .run = certificate_run_new},
    {.name = "Import-ExchangeCertificate",
     .parameters = import_parameters,
     .parameter_count = ARRAY_LEN(import_parameters),
     .synopsis = "Takes in a certificate that an authority or another server has made.",
     .description = "A file without a key must answer a request of this server (New-ExchangeCertificate "
                    "-GenerateRequest), whose key it then gets.",
     .examples = "    Import-ExchangeCertificate -Path mail.pfx -PasswordFile secret.txt\n",
     .changes = true,
     .run = certificate_run_import},
    {.name = "Enable-ExchangeCertificate",
     .parameters = enable_parameters,
     .parameter_count = ARRAY_LEN(enable_parameters),
     .synopsis = "Says whether connectors may present a certificate.",
     .description = "A new certificate may be presented. One that may not keeps its files as NAME.crt.disabled.",
     .examples = "    Enable-ExchangeCertificate 5113AE0233A72FCCB75B1D0198628675333D010E -Services None\n",
     .changes = true,
     .run = run_enable},
    {.name = "Remove-ExchangeCertificate",
     .parameters = remove_parameters,
     .parameter_count = ARRAY_LEN(remove_parameters),
     .synopsis = "Removes a certificate, or a request, with its key.",
     .description = "Asks for confirmation unless -Confirm:$false is given. The key cannot be had again.",
     .examples = "    Get-ExchangeCertificate | where {$_.Status -eq 'DateInvalid'} | Remove-ExchangeCertificate\n",
     .changes = true,
     .confirms = true,
     .run = run_remove},
};
