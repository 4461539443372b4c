/* right.c: the table of rights. Documents mix letter case and the SMTP- part, hence the aliases. */
#include "policy/right.h"

#define R(n, a, d, t, s)                                                                                           \
    {                                                                                                              \
        .name = SPAN_INIT(n), .alias = SPAN_INIT(a), .display = SPAN_INIT(d), .token = SPAN_INIT(t),               \
        .send_side = s                                                                                             \
    }

static const struct right_info rights[] = {
    [RIGHT_SUBMIT] = R("ms-Exch-SMTP-Submit", "", "Submit Messages to Server", "SMTPSubmit", false),
    [RIGHT_ACCEPT_ANY_RECIPIENT] = R("ms-Exch-SMTP-Accept-Any-Recipient", "ms-Exch-Accept-Any-Recipient",
                                     "Submit Messages to any Recipient", "SMTPAcceptAnyRecipient", false),
    [RIGHT_ACCEPT_ANY_SENDER] = R("ms-Exch-SMTP-Accept-Any-Sender", "ms-Exch-Accept-Any-Sender",
                                  "Accept Any Sender", "SMTPAcceptAnySender", false),
    [RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER] =
        R("ms-Exch-SMTP-Accept-Authoritative-Domain-Sender", "ms-Exch-Accept-Authoritative-Domain-Sender",
          "Accept Authoritative Domain Sender", "SMTPAcceptAuthoritativeDomainSender", false),
    [RIGHT_ACCEPT_AUTHENTICATION_FLAG] =
        R("ms-Exch-SMTP-Accept-Authentication-Flag", "ms-Exch-Accept-Authentication-Flag",
          "Accept Authentication Flag", "SMTPAcceptAuthenticationFlag", false),
    [RIGHT_ACCEPT_EXCH50] =
        R("ms-Exch-SMTP-Accept-Exch50", "ms-Exch-Accept-Exch50", "Accept EXCH50", "SMTPAcceptEXCH50", false),
    [RIGHT_ACCEPT_HEADERS_ROUTING] = R("ms-Exch-Accept-Headers-Routing", "ms-Exch-SMTP-Accept-Headers-Routing",
                                       "Accept Routing Headers", "AcceptRoutingHeaders", false),
    [RIGHT_ACCEPT_HEADERS_ORGANIZATION] =
        R("ms-Exch-Accept-Headers-Organization", "ms-Exch-SMTP-Accept-Headers-Organization",
          "Accept Organization Headers", "AcceptOrganizationHeaders", false),
    [RIGHT_ACCEPT_HEADERS_FOREST] = R("ms-Exch-Accept-Headers-Forest", "ms-Exch-SMTP-Accept-Headers-Forest",
                                      "Accept Forest Headers", "AcceptForestHeaders", false),
    [RIGHT_BYPASS_ANTI_SPAM] =
        R("ms-Exch-Bypass-Anti-Spam", "ms-Exch-SMTP-Bypass-Anti-Spam", "Bypass Anti-Spam", "BypassAntiSpam", false),
    [RIGHT_BYPASS_MESSAGE_SIZE_LIMIT] =
        R("ms-Exch-Bypass-Message-Size-Limit", "ms-Exch-SMTP-Bypass-Message-Size-Limit",
          "Bypass Message Size Limit", "BypassMessageSizeLimit", false),
    [RIGHT_SEND_HEADERS_ROUTING] = R("ms-Exch-Send-Headers-Routing", "ms-Exch-SMTP-Send-Headers-Routing",
                                     "Send Routing Headers", "SendRoutingHeaders", true),
    [RIGHT_SEND_HEADERS_ORGANIZATION] =
        R("ms-Exch-Send-Headers-Organization", "ms-Exch-SMTP-Send-Headers-Organization",
          "Send Organization Headers", "SendOrganizationHeaders", true),
    [RIGHT_SEND_HEADERS_FOREST] = R("ms-Exch-Send-Headers-Forest", "ms-Exch-SMTP-Send-Headers-Forest",
                                    "Send Forest Headers", "SendForestHeaders", true),
    [RIGHT_SEND_EXCH50] =
        R("ms-Exch-SMTP-Send-Exch50", "ms-Exch-Send-Exch50", "Send Exch50", "SMTPSendEXCH50", true),
};
_Static_assert(ARRAY_LEN(rights) == RIGHT_COUNT, "every right has its row");

const struct right_info *right_info(enum right right)
{
    ASSERT((unsigned)right < RIGHT_COUNT);
    return &rights[right];
}

enum right right_from_name(struct span name)
{
    for (unsigned i = 0; i < RIGHT_COUNT; i++)
        if (span_ieq(name, rights[i].name) || (rights[i].alias.len && span_ieq(name, rights[i].alias)))
            return (enum right)i;
    return RIGHT_COUNT;
}

void rights_print(struct buf *out, unsigned set)
{
    const char *blank = "";
    for (unsigned r = 0; r < RIGHT_COUNT; r++)
        if (set & RIGHT_BIT(r)) {
            buf_addf(out, "%s%.*s", blank, SPAN_ARG(rights[r].token));
            blank = " ";
        }
}
