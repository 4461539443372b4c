/* settings.c: the nouns TransportServer and TransportConfig: one object each, which init makes. */
#include "cmdlet/internal.h"

const struct noun noun_transport_server = {
    .class = &schema_transport_server,
    .singleton = true,
    .examples =
        {
            [VERB_GET] = "    Get-TransportServer | Format-List *Retry*\n",
            [VERB_SET] =
                "    Set-TransportServer -MessageExpirationTimeout 1.00:00:00\n"
                "    Set-TransportServer -MailboxDeliveryProtocol Lmtp -MailboxDeliveryHost 127.0.0.1:24\n",
        },
};

const struct noun noun_transport_config = {
    .class = &schema_transport_config,
    .singleton = true,
    .examples =
        {
            [VERB_GET] = "    Get-TransportConfig | Format-List\n",
            [VERB_SET] =
                "    Set-TransportConfig -MaxReceiveSize 25MB -ExternalPostmasterAddress postmaster@example.com\n",
        },
};
