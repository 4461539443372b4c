/* send_connector.c: the noun SendConnector. A new one grants the usual send rights (cmdlet/acl.h). */
#include "cmdlet/acl.h"
#include "cmdlet/internal.h"

static enum err_code compute(struct shell_call *call UNUSED, struct record *r, struct err *err)
{
    return cmdlet_set(r, "Identity", value_string(record_string(r, SPAN("Name"))), err);
}

static enum err_code stored(struct shell_call *call, const struct record *old, struct record *r, struct err *err)
{
    struct acl acl;
    if (old)
        return ERR_NONE;
    enum err_code code = acl_load(&acl, cmdlet_context(call), call->arena, record_string(r, SPAN("Guid")), err);
    if (code == ERR_NONE)
        code = acl_add_send_defaults(&acl, err);
    return code ? code : acl_save(&acl, err);
}

static enum err_code removed(struct shell_call *call, const struct record *r, struct err *err)
{
    return acl_delete(cmdlet_context(call), call->arena, record_string(r, SPAN("Guid")), err);
}

#define HIDDEN(name, flags)                                                                                        \
    {                                                                                                              \
        VERB_BIT(VERB_NEW),                                                                                        \
        {                                                                                                          \
            name, NULL, PARAMETER_HIDDEN | (flags), "<Value>", "Accepted."                                         \
        }                                                                                                          \
    }

/* Usage types differ in nothing that Mailreeve has; there is one server. */
static const struct noun_parameter parameters[] = {
    HIDDEN("Usage", 0),
    HIDDEN("Custom", PARAMETER_SWITCH),
    HIDDEN("Internal", PARAMETER_SWITCH),
    HIDDEN("Internet", PARAMETER_SWITCH),
    HIDDEN("Partner", PARAMETER_SWITCH),
    HIDDEN("SourceTransportServers", 0),
};

const struct noun noun_send_connector = {
    .class = &schema_send_connector,
    .parameters = parameters,
    .parameter_count = ARRAY_LEN(parameters),
    .examples =
        {
            [VERB_NEW] =
                "    New-SendConnector -Name Internet -AddressSpaces '*'\n"
                "    New-SendConnector -Name Provider -AddressSpaces '*' -DNSRoutingEnabled $false -SmartHosts "
                "smtp.example.net -Port 587 -RequireTLS $true\n",
            [VERB_GET] = "    Get-SendConnector | Format-Table Name,AddressSpaces,SmartHosts\n",
            [VERB_SET] = "    Set-SendConnector Internet -AddressSpaces @{Add='*.partner.example;5'}\n",
            [VERB_REMOVE] = "    Remove-SendConnector Internet -Confirm:$false\n",
        },
    .compute = compute,
    .stored = stored,
    .removed = removed,
};
