/* classes_recipient.c: the tables of accepted domains and of what can receive mail in them. */
#include "schema/internal.h"

static const char *const domain_words[] = {"Authoritative", "InternalRelay", "ExternalRelay", NULL};

static const struct schema_property accepted_domain[] = {
    SCHEMA_NAME(SCHEMA_REQUIRED, "The entry's name."),
    {"DomainName", SCHEMA_DOMAIN, SCHEMA_REQUIRED | SCHEMA_CREATE_ONLY, .max = 255,
     .help =
         "The domain; *.example.com is every domain below example.com, but not example.com itself. A name beyond "
         "ASCII is kept as the DNS has it (xn--)."},
    {"DomainType", SCHEMA_ENUM, .initial = "Authoritative", .words = domain_words,
     .help = "Authoritative: all recipients are known here, others are returned with an NDR. InternalRelay: own "
             "recipients first, the rest goes on by a send connector. ExternalRelay: everything goes on."},
    {"Default", SCHEMA_BOOL, SCHEMA_READ_ONLY, .initial = "False",
     .help = "The organisation's default domain (-MakeDefault): reports come from its postmaster."},
    SCHEMA_TAIL,
};

/* Who holds the right Send-As on a recipient. */
#define SEND_AS                                                                                                    \
    {                                                                                                              \
        "SendAs", SCHEMA_STRING, SCHEMA_LIST | SCHEMA_READ_ONLY | SCHEMA_HIDDEN, SINCE_2007, NULL, NULL, 0, 64,    \
            NULL, "Who may send as it: user:GUID or group:GUID; Get-ADPermission shows them."                      \
    }

/* False for groups too, which Exchange makes with True: docs/exchange-fidelity.md says why. */
#define AUTHENTICATED_SENDERS                                                                                      \
    SCHEMA_SWITCH("RequireSenderAuthenticationEnabled", SINCE_2007, "False",                                       \
                  "It takes mail from users and trusted servers only; others are refused, or get a report.")

#define ADDRESSES(name_, flags_, help_)                                                                            \
    {                                                                                                              \
        name_, SCHEMA_ADDRESS, flags_, SINCE_2007, NULL, NULL, 0, 320, NULL, help_                                 \
    }

static const struct schema_property mailbox[] = {
    SCHEMA_NAME(0, "The mailbox's name. Default: the local part of its address."),
    {"DisplayName", SCHEMA_STRING, SCHEMA_NULLABLE, .max = 256, .help = "The person's name."},
    ADDRESSES("PrimarySmtpAddress", 0,
              "Its address, in an accepted domain. Default: UserPrincipalName, or the name in the default domain."),
    ADDRESSES(
        "EmailAddresses", SCHEMA_LIST,
        "All its addresses; the primary one is always among them. @{Add='x@example.com';Remove='y@example.com'} "
        "changes some."),
    ADDRESSES("UserPrincipalName", SCHEMA_NULLABLE,
              "A name to log on with beside the addresses and the mailbox's name; with Kerberos (AUTH GSSAPI) the "
              "principal, "
              "user@REALM. Without one, that is PrimarySmtpAddress."),
    SCHEMA_SWITCH("Enabled", SINCE_OURS, "True", "A disabled mailbox cannot log on; it still receives."),
    {"Password", SCHEMA_SECRET, SCHEMA_WRITE_ONLY | SCHEMA_HIDDEN, .min = 1, .max = 1024,
     .help =
         "The password. Only a salted hash of it is kept. Neither -Password nor -PasswordFile: it is asked for."},
    AUTHENTICATED_SENDERS,
    SEND_AS,
    SCHEMA_TAIL,
};

static const struct schema_property mail_contact[] = {
    SCHEMA_NAME(SCHEMA_REQUIRED, "The contact's name."),
    {"DisplayName", SCHEMA_STRING, SCHEMA_NULLABLE, .max = 256, .help = "The person's name."},
    ADDRESSES("PrimarySmtpAddress", 0,
              "Its address with us, in an accepted domain. Default: the name in the default domain."),
    ADDRESSES("EmailAddresses", SCHEMA_LIST, "All its addresses with us, the primary one always among them."),
    ADDRESSES("ExternalEmailAddress", SCHEMA_REQUIRED, "Where its mail goes."),
    AUTHENTICATED_SENDERS,
    SEND_AS,
    SCHEMA_TAIL,
};

static const struct schema_property distribution_group[] = {
    SCHEMA_NAME(SCHEMA_REQUIRED, "The group's name."),
    {"DisplayName", SCHEMA_STRING, SCHEMA_NULLABLE, .max = 256, .help = "What people call it."},
    ADDRESSES("PrimarySmtpAddress", 0,
              "Its address, in an accepted domain. Default: the name in the default domain."),
    ADDRESSES("EmailAddresses", SCHEMA_LIST, "All its addresses, the primary one always among them."),
    {"Members", SCHEMA_STRING, SCHEMA_LIST | SCHEMA_READ_ONLY | SCHEMA_HIDDEN, .max = 64,
     .help = "The Guids of its members; Get-DistributionGroupMember shows them."},
    AUTHENTICATED_SENDERS,
    SEND_AS,
    SCHEMA_TAIL,
};

const struct schema_class schema_accepted_domain = {
    .name = "AcceptedDomain",
    .label = "accepted domain",
    .properties = accepted_domain,
    .count = ARRAY_LEN(accepted_domain),
    .rules = schema_domain_rules,
    .rule_count = SCHEMA_DOMAIN_RULES,
};
const struct schema_class schema_mailbox = {
    .name = "Mailbox", .label = "mailbox", .properties = mailbox, .count = ARRAY_LEN(mailbox)};
const struct schema_class schema_mail_contact = {
    .name = "MailContact", .label = "mail contact", .properties = mail_contact, .count = ARRAY_LEN(mail_contact)};
const struct schema_class schema_distribution_group = {.name = "DistributionGroup",
                                                       .label = "distribution group",
                                                       .properties = distribution_group,
                                                       .count = ARRAY_LEN(distribution_group)};
