/* test_explain_stage.h: an explanation over a policy that cmdlets have made. */
#pragma once

#include "check.h"
#include "cli/explain_stores.h"
#include "cmdlet/test_support.h"

struct stage {
    struct bench bench;
    struct directory *directory;
    struct explain_certificates certificates;
    struct keytab_file keytab;
    struct node_settings node;
    struct explain_stores stores;
    struct arena arena;
    struct buf block;
    struct policy *policy;
    struct explain_facts facts;
    struct explanation *e;
};

/* Beside BENCH_EDGE: there are no keys for GSSAPI. */
enum { STAGE_NO_KEYTAB = 1 << 16 };

/* A state as init makes it, changed by a script; certificate: the name of the only one, or NULL. */
void stage_open(struct stage *t, unsigned flags, const char *script, const char *certificate);
void stage_close(struct stage *t);
/* Explains over the stores as they are now, into t->e. */
void stage_explain(struct stage *t, const struct explain_session *s);
/* Looks for remedies. */
void stage_search(struct stage *t);
/* "REMOTE LOCAL[ tls][ user=NAME[ by=MECHANISM]][ size=N][ header=FROM][ helo=NAME]". */
struct explain_session stage_session(const char *words, const char *from, const char *to);
struct span stage_last_reply(const struct explanation *e);
bool stage_contains(struct span s, const char *part);

#define ALICE "New-Mailbox -Name alice -PrimarySmtpAddress alice@example.com;"
#define SALES                                                                                                      \
    "New-Mailbox -Name sales -PrimarySmtpAddress sales@example.com -EmailAddresses "                               \
    "sales@example.com,shop@example.com;"
#define OUT "New-SendConnector -Name out -AddressSpaces '*';"
#define APPS                                                                                                       \
    "New-ReceiveConnector -Name Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.0/24 "            \
    "-PermissionGroups AnonymousUsers;"
#define PORT25 "10.0.0.5 10.0.0.1:2025"
#define CLIENT "10.0.0.5 10.0.0.1:2587"
#define CERT   "mail.example.com"
#define TAKEN  "250 2.6.0 <explain@mailreeve.invalid> [InternalId=N] Queued mail for delivery"
#define ANON   "'NT AUTHORITY\\ANONYMOUS LOGON'"
