/* certificate.h: what the cmdlets of ExchangeCertificate and ReceiveConnector share about certificates. */
#pragma once

#include "cmdlet/internal.h"

/* Which certificate a receive connector presents. */
struct connector_certificate {
    const struct certificate *certificate; /* NULL: none */
    struct span why_not;                   /* then: the reason with its remedy */
};

/* What there is. ERR_UNAVAILABLE: certificates cannot be administered from here; others: they cannot be read. */
enum err_code certificates_list(struct cmdlet_context *c, const struct certificate **ret, size_t *ret_count,
                                struct err *err);
/* By the rules of the handshake: the connector's Fqdn (or the server's name), among those that are enabled. */
enum err_code certificate_of_connector(struct cmdlet_context *c, const struct record *connector,
                                       struct arena *arena, struct connector_certificate *ret, struct err *err);
/* The same for a name that is greeted with. */
enum err_code certificate_of_host(struct cmdlet_context *c, struct span host, struct arena *arena,
                                  struct connector_certificate *ret, struct err *err);
/* The value of ReceiveConnector's TlsCertificate: always a text, also where certificates cannot be read. */
struct value certificate_property(struct cmdlet_context *c, const struct record *connector, struct arena *arena);

/* The object that Get-ExchangeCertificate shows, passed on. */
enum err_code certificate_emit(struct shell_call *call, const struct certificate *certificate, struct err *err);
/* The names of the receive connectors that present it. */
enum err_code certificate_used_by(struct shell_call *call, const struct certificate *certificate, struct value *ret,
                                  struct err *err);
/* -Services as one word: true for SMTP, false for None. Absent: as *ret is. */
enum err_code certificate_services(struct shell_call *call, bool *ret, struct err *err);
/* Stages a change; errors get the cmdlet's name. */
enum err_code certificate_stage(struct shell_call *call, const struct certificate_change *change, struct err *err);
/* The listed one of that name, which must be there. */
enum err_code certificate_by_name(struct shell_call *call, struct span name, const struct certificate **ret,
                                  struct err *err);
