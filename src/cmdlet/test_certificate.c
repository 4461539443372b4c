/* test_certificate.c: the cmdlets of ExchangeCertificate over a folder, and what connectors say of their
 * certificates. */
#include "cmdlet/test_support.h"

#include "check.h"
#include "tls/certificate_folder.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct bench b;
static char folder[64];
static struct buf saved, saved_path;

static int64_t now(void)
{
    return (int64_t)time(NULL) * 1000;
}

static enum err_code save(struct shell_host *h UNUSED, struct span path, struct span content,
                          struct err *err UNUSED)
{
    buf_add(&saved_path, path);
    buf_add(&saved, content);
    return ERR_NONE;
}

static int make(void **state UNUSED)
{
    snprintf(folder, sizeof folder, "/tmp/mailreeve-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    bench_init(&b, 0);
    buf_init(&saved, 1 << 16);
    buf_init(&saved_path, 4096);
    b.context.certificates = certificate_store_new(&certificate_folder, folder);
    b.context.now_ms = now; /* certificates are valid at a real time */
    b.host.save = save;
    return 0;
}

static int drop(void **state UNUSED)
{
    char path[400];
    certificate_store_free(b.context.certificates);
    bench_done(&b);
    buf_done(&saved);
    buf_done(&saved_path);
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    closedir(d);
    return rmdir(folder);
}

static void rows(const struct bench_row *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bench_check(&b, &list[i]);
}

static void new_and_shown(void **state UNUSED)
{
    static const struct bench_row list[] = {
        {"none yet", "Get-ExchangeCertificate | fl", ERR_NONE, .lacks = {"Thumbprint"}},
        {"a connector says so", "Get-ReceiveConnector 'Default mail' | fl TlsCertificate", ERR_NONE,
         .has = {"none: no certificate names mail.example.com",
                 "New-ExchangeCertificate -DomainName mail.example.com"}},
        {"for another host", "New-ExchangeCertificate -DomainName smtp.example.com | fl", ERR_NONE,
         .has = {"Subject            : CN=smtp.example.com", "{smtp.example.com}", "IsSelfSigned       : True",
                 "Services           : {SMTP}", "Status             : Valid", "Connectors         : {}",
                 "ECDSA 256", "Name               : smtp.example.com-"},
         .lacks = {"PRIVATE"}},
        {"which helps no connector", "Get-ReceiveConnector 'Default mail' | fl TlsCertificate", ERR_NONE,
         .has = {"none: no certificate names mail.example.com"}},
        {"for this host", "New-ExchangeCertificate | fl Connectors, CertificateDomains", ERR_NONE,
         .has = {"Client mail", "Default mail", "{mail.example.com}"}},
        {"found", "Get-ReceiveConnector 'Default mail' | fl TlsCertificate", ERR_NONE,
         .has = {" mail.example.com-", "self-signed, valid until 20"}, .lacks = {"none:"}},
        {"no TLS",
         "Set-ReceiveConnector 'Default mail' -AuthMechanism None; Get-ReceiveConnector 'Default mail' | fl "
         "TlsCertificate",
         ERR_NONE, .has = {"none: AuthMechanism has no Tls"}},
        {"by domain", "Get-ExchangeCertificate -DomainName smtp.example.com | Measure-Object | fl", ERR_NONE,
         .has = {"Count : 1"}},
        {"several names and a subject",
         "New-ExchangeCertificate -DomainName a.example.com,*.b.example.com -SubjectName 'C=DE, O=Ex, CN=a' | fl",
         ERR_NONE, .has = {"{a.example.com, *.b.example.com}", "C=DE,O=Ex,CN=a"}},
        {"RSA", "New-ExchangeCertificate -DomainName r.example.com -KeySize 2048 | fl PublicKey", ERR_NONE,
         .has = {"RSA 2048"}},
        {"RSA by name", "New-ExchangeCertificate -DomainName r.example.com -Algorithm RSA | fl PublicKey", ERR_NONE,
         .has = {"RSA 2048"}},
        {"P-384", "New-ExchangeCertificate -DomainName p.example.com -Algorithm ECDSA -KeySize 384 | fl PublicKey",
         ERR_NONE, .has = {"ECDSA 384"}},
        {"the name of the subject", "New-ExchangeCertificate -SubjectName 'O=Ex, CN=cn.example.com' | fl", ERR_NONE,
         .has = {"{cn.example.com}"}},
        {"not for SMTP", "New-ExchangeCertificate -DomainName off.example.com -Services None | fl Services",
         ERR_NONE, .has = {"Services : {}"}},
        {"what if", "New-ExchangeCertificate -DomainName never.example.com -WhatIf", ERR_NONE, .warns = "What if"},
        {"nothing was made", "Get-ExchangeCertificate -DomainName never.example.com", ERR_NONE, .lacks = {"never"}},
        {"bad name", "New-ExchangeCertificate -DomainName 'a b'", ERR_INVALID, .has = {"-DomainName: \"a b\""}},
        {"bad size", "New-ExchangeCertificate -KeySize 1024", ERR_INVALID, .has = {"-KeySize", "2048"}},
        {"sizes are of kinds", "New-ExchangeCertificate -Algorithm ECDSA -KeySize 2048", ERR_INVALID,
         .has = {"256 or 384"}},
        {"bad algorithm", "New-ExchangeCertificate -Algorithm DSA", ERR_INVALID, .has = {"ECDSA or RSA"}},
        {"bad subject", "New-ExchangeCertificate -SubjectName mail", ERR_INVALID, .has = {"understood"}},
        {"other services", "New-ExchangeCertificate -Services IIS", ERR_INVALID, .has = {"SMTP or None"}},
        {"path", "New-ExchangeCertificate -Path /tmp/x", ERR_CONFLICT, .has = {"-GenerateRequest"}},
    };
    rows(list, ARRAY_LEN(list));
}

static void enabled_and_removed(void **state UNUSED)
{
    static const struct bench_row list[] = {
        {"one", "New-ExchangeCertificate", ERR_NONE},
        {"disabled", "Get-ExchangeCertificate mail* | Enable-ExchangeCertificate -Services None", ERR_NONE},
        {"is shown", "Get-ExchangeCertificate | fl", ERR_NONE, .has = {"Services           : {}"}},
        {"the connector says why", "Get-ReceiveConnector 'Default mail' | fl TlsCertificate", ERR_NONE,
         .has = {"is not enabled; Enable-ExchangeCertificate "}},
        {"twice is no error", "Get-ExchangeCertificate mail* | Enable-ExchangeCertificate -Services None",
         ERR_NONE},
        {"enabled", "Get-ExchangeCertificate mail* | Enable-ExchangeCertificate", ERR_NONE},
        {"again", "Get-ExchangeCertificate | fl", ERR_NONE, .has = {"Services           : {SMTP}"}},
        {"made and disabled at once", "New-ExchangeCertificate | Enable-ExchangeCertificate -Services None",
         ERR_NONE},
        {"two now", "Get-ExchangeCertificate mail* | Measure-Object | fl", ERR_NONE, .has = {"Count : 2"}},
        {"which of them", "Enable-ExchangeCertificate mail*", ERR_CONFLICT, .has = {"more than one"}},
        {"none", "Enable-ExchangeCertificate 0123456789", ERR_NOT_FOUND, .has = {"0123456789"}},
        {"nothing given", "Enable-ExchangeCertificate", ERR_INVALID, .has = {"which certificate"}},
        {"another type", "Get-ReceiveConnector 'Client mail' | Remove-ExchangeCertificate -Confirm:$false",
         ERR_INVALID, .has = {"thumbprint"}},
        {"an error undoes all",
         "Get-ExchangeCertificate | where {$_.Name} | Enable-ExchangeCertificate -Services IIS", ERR_INVALID},
        {"asked", "Get-ExchangeCertificate | Remove-ExchangeCertificate", ERR_UNAVAILABLE},
        {"still two", "Get-ExchangeCertificate | Measure-Object | fl", ERR_NONE, .has = {"Count : 2"}},
        {"removed", "Get-ExchangeCertificate | Remove-ExchangeCertificate -Confirm:$false", ERR_NONE,
         .warns = "is presented by {"},
        {"all gone", "Get-ExchangeCertificate | Measure-Object | fl", ERR_NONE, .has = {"Count : 0"}},
    };
    rows(list, ARRAY_LEN(list));
}

/* The thumbprint of the only certificate, as it is pasted from elsewhere. */
static void by_thumbprint(void **state UNUSED)
{
    char script[300];
    assert_int_equal(bench_run(&b, "New-ExchangeCertificate | fl Thumbprint, Sha256Thumbprint"), ERR_NONE);
    const char *at = memmem(b.out.ptr, b.out.len, "Thumbprint       : ", 19);
    assert_non_null(at);
    at += 19;
    snprintf(script, sizeof script, "Get-ExchangeCertificate '%.2s:%.2s %.36s' | fl Name", at, at + 2, at + 4);
    assert_int_equal(bench_run(&b, script), ERR_NONE);
    const char *print = memmem(b.out.ptr, b.out.len, "mail.example.com", 16);
    assert_non_null(print);
    assert_int_equal(bench_run(&b, "Get-ExchangeCertificate 00 "), ERR_NOT_FOUND);
}

static void requested(void **state UNUSED)
{
    static const struct bench_row list[] = {
        {"shown without a path", "New-ExchangeCertificate -GenerateRequest -DomainName a.example.com | fl",
         ERR_NONE, .has = {"PendingRequest", "-----BEGIN CERTIFICATE REQUEST-----", "Name     : a.example.com-"},
         .lacks = {"PRIVATE"}},
        {"written", "New-ExchangeCertificate -GenerateRequest -DomainName b.example.com -Path b.csr", ERR_NONE},
        {"serves nobody", "Get-ReceiveConnector 'Default mail' | fl TlsCertificate", ERR_NONE, .has = {"none: no"}},
        {"cannot be enabled", "Enable-ExchangeCertificate a.*", ERR_CONFLICT,
         .has = {"Import-ExchangeCertificate"}},
        {"dropped", "Remove-ExchangeCertificate a.* -Confirm:$false", ERR_NONE},
    };
    rows(list, ARRAY_LEN(list));
    CHECK_SPAN("path", buf_span(&saved_path), SPAN("b.csr"));
    assert_non_null(memmem(saved.ptr, saved.len, "BEGIN CERTIFICATE REQUEST", 25));
    assert_null(memmem(saved.ptr, saved.len, "PRIVATE", 7));
}

static void imported(void **state UNUSED)
{
    struct buf chain, key;
    struct span name = SPAN("mail.example.com");
    buf_init(&chain, 1 << 16);
    buf_init(&key, 1 << 16);
    assert_int_equal(tls_make_self_signed(&name, 1, now(), 30, &chain, &key, NULL), ERR_NONE);
    buf_add(&chain, buf_span(&key));
    buf_add_char(&chain, '\0');
    b.file = chain.ptr;
    static const struct bench_row list[] = {
        {"certificate and key", "Import-ExchangeCertificate -Path mail.pem | fl", ERR_NONE,
         .has = {"CN=mail.example.com", "Client mail", "Status             : Valid"}, .lacks = {"PRIVATE"}},
        {"twice", "Import-ExchangeCertificate -Path mail.pem", ERR_EXISTS, .has = {"is here already"}},
        {"both passwords", "Import-ExchangeCertificate -Path a -Password x -PasswordFile y", ERR_CONFLICT},
        {"no path", "Import-ExchangeCertificate", ERR_INVALID, .has = {"-Path"}},
    };
    rows(list, ARRAY_LEN(list));
    b.file = "nothing of the kind";
    static const struct bench_row junk[] = {
        {"junk", "Import-ExchangeCertificate -Path junk.pem", ERR_INVALID, .has = {"\"junk.pem\"", "neither PEM"}}};
    rows(junk, 1);
    chain.ptr[chain.len - key.len - 1] = '\0'; /* the certificate alone */
    b.file = chain.ptr;
    static const struct bench_row alone[] = {{"no key", "Import-ExchangeCertificate -Path mail.crt", ERR_NOT_FOUND,
                                              .has = {"no private key", "request"}}};
    rows(alone, 1);
    buf_wipe(&chain);
    buf_wipe(&key);
}

static void nobody_can(void **state UNUSED)
{
    struct bench x;
    bench_init(&x, 0);
    static const struct bench_row list[] = {
        {"get", "Get-ExchangeCertificate", ERR_UNAVAILABLE, .has = {"cannot be administered from here"}},
        {"new", "New-ExchangeCertificate", ERR_UNAVAILABLE},
        {"a connector", "Get-ReceiveConnector 'Default mail' | fl TlsCertificate", ERR_NONE, .has = {"unknown: "}},
    };
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        bench_check(&x, &list[i]);
    bench_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_and_shown, make, drop),
        cmocka_unit_test_setup_teardown(enabled_and_removed, make, drop),
        cmocka_unit_test_setup_teardown(by_thumbprint, make, drop),
        cmocka_unit_test_setup_teardown(requested, make, drop),
        cmocka_unit_test_setup_teardown(imported, make, drop),
        cmocka_unit_test(nobody_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
