/*
 * openssl_pkcs12.c: the contents of a PKCS#12 file (RFC 7292).
 *
 * OpenSSL has one call for it, which derives keys as often as the file says: a file of some bytes could keep a
 * process busy for hours. So the parts are walked here, and each derivation is bounded before it is done. The
 * integrity check comes first, since it tells a wrong password from a broken file.
 */
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

/* What today's tools use is some thousands, the most careful a million. */
enum { ITERATIONS_MAX = 1000000, PASSWORD_MAX = 1024, SAFES_MAX = 16, BAGS_MAX = 64 };

struct walk {
    const char *password;
    EVP_PKEY *key; /* the first one */
    STACK_OF(X509) * certs;
    size_t bags;
    struct err *err;
};

static bool fail(struct walk *w, enum err_code code, const char *text)
{
    if (ERR_peek_last_error())
        tls_openssl_err(w->err, code, text);
    else
        err_set(w->err, code, "%s", text);
    return false;
}

#define UNREADABLE "the PKCS#12 file cannot be read"
#define OLD                                                                                                        \
    "the PKCS#12 file cannot be decrypted (one with algorithms of long ago, such as RC2, must be exported "        \
    "again with AES)"

/* ---- how often a key is derived ---- */

static bool is_bounded(const ASN1_INTEGER *iterations)
{
    int64_t n = 0;
    return ASN1_INTEGER_get_int64(&n, iterations) == 1 && n >= 1 && n <= ITERATIONS_MAX;
}

/* PBES2 (RFC 8018) or one of the older schemes, of which each names its count; unknown ones are refused. */
static bool algorithm_ok(struct walk *w, const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object;
    const void *parameter;
    int type;
    bool ok = false;
    X509_ALGOR_get0(&object, &type, &parameter, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return fail(w, ERR_INVALID, UNREADABLE);
    if (OBJ_obj2nid(object) == NID_pbes2) {
        PBE2PARAM *pbes2 = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
        PBKDF2PARAM *kdf = pbes2 && OBJ_obj2nid(pbes2->keyfunc->algorithm) == NID_id_pbkdf2
                               ? ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), pbes2->keyfunc->parameter)
                               : NULL;
        ok = kdf && is_bounded(kdf->iter);
        PBKDF2PARAM_free(kdf);
        PBE2PARAM_free(pbes2);
    } else {
        PBEPARAM *pbe = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
        ok = pbe && is_bounded(pbe->iter);
        PBEPARAM_free(pbe);
    }
    if (!ok) {
        ERR_clear_error();
        err_set(w->err, ERR_LIMIT,
                "the PKCS#12 file derives its keys in a way that is not taken: at most %d iterations",
                ITERATIONS_MAX);
    }
    return ok;
}

/* ---- bags ---- */

static bool take_key(struct walk *w, const PKCS8_PRIV_KEY_INFO *info)
{
    if (!w->key)
        w->key = EVP_PKCS82PKEY(info);
    return w->key || fail(w, ERR_INVALID, "the private key cannot be read");
}

static bool take_shrouded_key(struct walk *w, const PKCS12_SAFEBAG *bag)
{
    const X509_SIG *shrouded = PKCS12_SAFEBAG_get0_pkcs8(bag);
    const X509_ALGOR *algorithm = NULL;
    if (!shrouded)
        return fail(w, ERR_INVALID, UNREADABLE);
    X509_SIG_get0(shrouded, &algorithm, NULL);
    if (!algorithm_ok(w, algorithm))
        return false;
    PKCS8_PRIV_KEY_INFO *info = PKCS8_decrypt(shrouded, w->password, -1);
    bool ok = info ? take_key(w, info) : fail(w, ERR_INVALID, OLD);
    PKCS8_PRIV_KEY_INFO_free(info);
    return ok;
}

static bool take_certificate(struct walk *w, const PKCS12_SAFEBAG *bag)
{
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
        return true; /* another kind of certificate */
    X509 *cert = PKCS12_SAFEBAG_get1_cert(bag);
    if (cert && sk_X509_push(w->certs, cert))
        return true;
    X509_free(cert);
    return fail(w, ERR_INVALID, "a certificate cannot be read");
}

static bool take_bag(struct walk *w, const PKCS12_SAFEBAG *bag)
{
    if (++w->bags > BAGS_MAX)
        return fail(w, ERR_LIMIT, "the PKCS#12 file has more parts than are taken");
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag: return take_key(w, PKCS12_SAFEBAG_get0_p8inf(bag));
    case NID_pkcs8ShroudedKeyBag: return take_shrouded_key(w, bag);
    case NID_certBag: return take_certificate(w, bag);
    default: return true; /* revocation lists, secrets, bags within bags: nothing of ours */
    }
}

static bool take_safe(struct walk *w, PKCS7 *safe)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    if (PKCS7_type_is_data(safe)) {
        bags = PKCS12_unpack_p7data(safe);
    } else if (PKCS7_type_is_encrypted(safe) && safe->d.encrypted && safe->d.encrypted->enc_data) {
        if (!algorithm_ok(w, safe->d.encrypted->enc_data->algorithm))
            return false;
        bags = PKCS12_unpack_p7encdata(safe, w->password, -1);
    } else {
        return true; /* by public key: not for us */
    }
    bool ok = bags || fail(w, ERR_INVALID, OLD);
    for (int i = 0; ok && i < sk_PKCS12_SAFEBAG_num(bags); i++)
        ok = take_bag(w, sk_PKCS12_SAFEBAG_value(bags, i));
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return ok;
}

/* ---- the file ---- */

static bool check_mac(struct walk *w, PKCS12 *p12)
{
    const ASN1_INTEGER *iterations = NULL;
    if (!PKCS12_mac_present(p12))
        return fail(w, ERR_INVALID, "the PKCS#12 file has no integrity check; export it again with one");
    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, p12);
    if (iterations && !is_bounded(iterations)) {
        ERR_clear_error();
        err_set(w->err, ERR_LIMIT, "the PKCS#12 file wants more than %d iterations for its password",
                ITERATIONS_MAX);
        return false;
    }
    if (PKCS12_verify_mac(p12, w->password, -1) == 1)
        return true;
    unsigned long code = ERR_peek_last_error();
    if (code && ERR_GET_REASON(code) != PKCS12_R_MAC_VERIFY_FAILURE)
        return fail(w, ERR_INVALID, "the PKCS#12 file's integrity cannot be checked");
    ERR_clear_error();
    return fail(w, ERR_DENIED, "the password does not open the PKCS#12 file");
}

static bool take_safes(struct walk *w, PKCS12 *p12)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
    bool ok = safes || fail(w, ERR_INVALID, UNREADABLE);
    if (ok && sk_PKCS7_num(safes) > SAFES_MAX)
        ok = fail(w, ERR_LIMIT, "the PKCS#12 file has more parts than are taken");
    for (int i = 0; ok && i < sk_PKCS7_num(safes); i++)
        ok = take_safe(w, sk_PKCS7_value(safes, i));
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return ok;
}

enum err_code tls_read_pkcs12(struct span file, struct span password, EVP_PKEY **ret_key,
                              STACK_OF(X509) * *ret_certs, struct err *err)
{
    char text[PASSWORD_MAX + 1] = "";
    struct err why = {0};
    const unsigned char *at = (const unsigned char *)file.ptr;
    if (password.len > PASSWORD_MAX || (password.len && memchr(password.ptr, '\0', password.len)))
        return err_set(err, ERR_INVALID, "the password must be at most %d bytes, without NUL", PASSWORD_MAX);
    PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)file.len);
    if (!p12) {
        ERR_clear_error();
        return err_set(
            err, ERR_INVALID,
            "it holds neither PEM (BEGIN CERTIFICATE) nor PKCS#12; a DER certificate is made PEM by openssl "
            "x509 -inform DER");
    }
    if (password.len)
        memcpy(text, password.ptr, password.len);
    struct walk w = {.password = text, .certs = sk_X509_new_null(), .err = &why};
    bool ok = w.certs ? check_mac(&w, p12) && take_safes(&w, p12) : fail(&w, ERR_NO_MEMORY, "out of memory");
    explicit_bzero(text, sizeof text);
    PKCS12_free(p12);
    ERR_clear_error();
    if (!ok) {
        EVP_PKEY_free(w.key);
        sk_X509_pop_free(w.certs, X509_free);
        return err_set(err, why.code ? why.code : ERR_INVALID, "%s", why.text);
    }
    *ret_key = w.key;
    *ret_certs = w.certs;
    return ERR_NONE;
}
