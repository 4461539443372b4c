/* host_certificates.c: which certificates of a state folder are good for which names, and its keys for Kerberos. */
#include "cli/explain_stores.h"
#include "cli/host_facts.h"
#include "role/common/keytab_file.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    return span_icmp(*(const struct span *)a, *(const struct span *)b);
}

/* The names of all connectors and this host's own, each once. */
static size_t list_names(const struct policy *p, struct span host, struct span *ret)
{
    size_t n = 0, count = 0;
    ret[n++] = host;
    for (size_t i = 0; i < policy_receive_connector_count(p); i++)
        ret[n++] = policy_text(p, policy_receive_connector(p, i)->fqdn);
    qsort(ret, n, sizeof *ret, by_name);
    for (size_t i = 0; i < n; i++)
        if (ret[i].len && (count == 0 || !span_ieq(ret[count - 1], ret[i])))
            ret[count++] = ret[i];
    return count;
}

static enum err_code match(const struct explain_certificates *c, const struct policy *p, struct arena *arena,
                           struct audit_facts *facts, struct err *err)
{
    struct span *names = ARENA_ARRAY(arena, policy_receive_connector_count(p) + 1, struct span);
    size_t name_count = names ? list_names(p, facts->host, names) : 0, n = 0;
    struct audit_certificate *list =
        names ? ARENA_ARRAY(arena, name_count * c->count, struct audit_certificate) : NULL;
    if (!list)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < name_count; i++)
        for (size_t k = 0; k < c->count; k++)
            if (tls_identity_matches(c->ids[k], names[i]))
                list[n++] = (struct audit_certificate){names[i], tls_identity_not_before(c->ids[k]),
                                                       tls_identity_not_after(c->ids[k])};
    facts->certificates = list;
    facts->certificate_count = n;
    facts->certificates_known = true;
    return ERR_NONE;
}

enum err_code host_facts_certificates(const char *state, const struct policy *p, struct arena *arena,
                                      struct audit_facts *facts, struct err *ret_unreadable, struct err *err)
{
    struct explain_certificates *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    explain_certificates_read(c, state);
    *ret_unreadable = c->unreadable;
    enum err_code code = c->unreadable.code ? ERR_NONE : match(c, p, arena, facts, err);
    explain_certificates_free(c);
    free(c);
    return code;
}

void host_facts_keytab(const char *state, struct arena *arena, struct audit_facts *facts,
                       struct err *ret_unreadable)
{
    struct keytab_file k;
    keytab_file_read(state, &k);
    facts->keytab_known = !k.unknown;
    facts->keytab_usable = k.usable;
    facts->keytab_text = arena_dup(arena, span_of(k.text));
    if (k.unknown)
        err_set(ret_unreadable, ERR_DENIED, "%s", k.text);
    keytab_file_done(&k);
}
