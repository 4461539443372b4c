/* access.c: who may do what on each connector that a client can reach, with and without TLS. */
#include "audit/internal.h"

static void add_rows(struct audit *a, size_t connector, struct audit_access *rows, size_t *count,
                     const struct session_kind *kinds, size_t kind_count)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, connector);
    for (size_t i = 0; i < kind_count; i++)
        for (int tls = 0; tls < 2; tls++) {
            unsigned may = session_rights(a->policy, c, &kinds[i], tls, &a->probes);
            if (!session_exists(c, kinds[i].kind, tls))
                continue;
            rows[(*count)++] = (struct audit_access){.connector = policy_text(a->policy, c->name),
                                                     .who = kinds[i].who,
                                                     .tls = tls,
                                                     .submit = may & SESSION_SUBMIT,
                                                     .relay = may & SESSION_RELAY,
                                                     .own_sender = may & SESSION_OWN_SENDER,
                                                     .other_sender = may & SESSION_OTHER_SENDER};
        }
}

enum err_code audit_list_access(struct audit *a, struct audit_report *ret, struct err *err)
{
    enum { STATES = 2, KINDS_BESIDE_NAMED = 8 };
    size_t connectors = policy_receive_connector_count(a->policy), most = 0;
    for (size_t i = 0; i < connectors; i++)
        most += STATES * ((size_t)policy_receive_connector(a->policy, i)->acl.count + KINDS_BESIDE_NAMED);
    ret->access = ARENA_ARRAY(a->arena, most, struct audit_access);
    if (!ret->access)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < connectors; i++) {
        struct session_kind *kinds;
        size_t count;
        if (!a->reach[i].example)
            continue;
        enum err_code code =
            session_kinds(a->policy, policy_receive_connector(a->policy, i), a->arena, &kinds, &count, err);
        if (code)
            return code;
        add_rows(a, i, ret->access, &ret->access_count, kinds, count);
    }
    return ERR_NONE;
}
