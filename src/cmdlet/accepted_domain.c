/*
 * accepted_domain.c: the noun AcceptedDomain.
 *
 * Invariants: no domain is listed twice; where there are any, exactly one is the default, and it is no wildcard.
 */
#include "cmdlet/internal.h"

static enum err_code check_unique(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record **found;
    size_t count = 0;
    struct span domain = record_string(r, SPAN("DomainName"));
    enum err_code code = object_store_find(cmdlet_context(call)->policy, SPAN("AcceptedDomain"), SPAN("DomainName"),
                                           domain, call->arena, &found, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        if (!span_ieq(record_string(found[i], SPAN("Guid")), record_string(r, SPAN("Guid"))))
            code =
                err_set(err, ERR_EXISTS, "%s -DomainName: %.*s is listed already as the accepted domain \"%.*s\"",
                        call->command->name, SPAN_ARG(domain), SPAN_ARG(record_string(found[i], SPAN("Name"))));
    return code;
}

/* Takes the mark from the present default domain. */
static enum err_code unmark_others(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record **all;
    size_t count = 0;
    struct object_store *s = cmdlet_context(call)->policy;
    enum err_code code = object_store_list(s, SPAN("AcceptedDomain"), call->arena, &all, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++) {
        if (!record_bool(all[i], SPAN("Default"), false) ||
            span_ieq(record_string(all[i], SPAN("Guid")), record_string(r, SPAN("Guid"))))
            continue;
        code = cmdlet_set(all[i], "Default", value_bool(false), err);
        if (code == ERR_NONE)
            code = object_store_put(s, all[i], err);
    }
    return code;
}

static enum err_code make_default(struct shell_call *call, bool *ret, struct err *err)
{
    static const struct schema_property p = {"MakeDefault", SCHEMA_BOOL};
    const struct value *given = cmdlet_argument(call, "MakeDefault");
    struct value v = value_bool(false);
    enum err_code code = given ? cmdlet_parse(call, &p, *given, NULL, &v, err) : ERR_NONE;
    *ret = v.b;
    return code;
}

static enum err_code prepare(struct shell_call *call, const struct record *old, struct record *r, struct err *err)
{
    struct record **all;
    size_t count = 0;
    bool make;
    struct span domain = record_string(r, SPAN("DomainName"));
    enum err_code code = make_default(call, &make, err);
    if (code == ERR_NONE)
        code = check_unique(call, r, err);
    if (code == ERR_NONE)
        code =
            object_store_list(cmdlet_context(call)->policy, SPAN("AcceptedDomain"), call->arena, &all, &count, err);
    if (code)
        return code;
    bool wildcard = span_starts(domain, SPAN("*"));
    if (make && wildcard)
        return err_set(err, ERR_CONFLICT,
                       "%s: %.*s is a wildcard and cannot be the default domain; choose one that names "
                       "a domain",
                       call->command->name, SPAN_ARG(domain));
    if (make || (!old && count == 0 && !wildcard))
        return cmdlet_set(r, "Default", value_bool(true), err);
    return ERR_NONE;
}

static enum err_code stored(struct shell_call *call, const struct record *old UNUSED, struct record *r,
                            struct err *err)
{
    return record_bool(r, SPAN("Default"), false) ? unmark_others(call, r, err) : ERR_NONE;
}

static enum err_code removing(struct shell_call *call UNUSED, const struct record *r, struct err *err)
{
    if (record_bool(r, SPAN("Default"), false))
        return err_set(err, ERR_DENIED,
                       "Remove-AcceptedDomain: \"%.*s\" is the default domain; first make another one the "
                       "default: Set-AcceptedDomain NAME -MakeDefault $true",
                       SPAN_ARG(record_string(r, SPAN("Name"))));
    return ERR_NONE;
}

static const struct noun_parameter parameters[] = {
    {VERB_BIT(VERB_NEW) | VERB_BIT(VERB_SET),
     {"MakeDefault", NULL, 0, "<Boolean>", "Makes it the default domain, in the place of the present one."}},
};
static const char *const keys[] = {"DomainName", NULL};

const struct noun noun_accepted_domain = {
    .class = &schema_accepted_domain,
    .keys = keys,
    .parameters = parameters,
    .parameter_count = ARRAY_LEN(parameters),
    .examples =
        {
            [VERB_NEW] =
                "    New-AcceptedDomain -Name app.example -DomainName app.example -DomainType InternalRelay\n",
            [VERB_GET] = "    Get-AcceptedDomain | where {$_.DomainType -ne 'Authoritative'}\n",
            [VERB_SET] = "    Set-AcceptedDomain app.example -MakeDefault $true\n",
            [VERB_REMOVE] = "    Remove-AcceptedDomain app.example -Confirm:$false\n",
        },
    .prepare = prepare,
    .stored = stored,
    .removing = removing,
};
