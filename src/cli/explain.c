/*
 * explain.c: `mailreeve explain`: the arguments, the stores for reading, and the exit status.
 *
 * Invariant: nothing below the state folder is made or changed, and no lock is taken, so it works beside a running
 * server and cannot disturb one. As root it reads the certificates with root's rights and all else with those of
 * the state's owner.
 */
#include "base/num.h"
#include "cli/cli.h"
#include "cli/explain_client.h"
#include "cli/explain_code.h"
#include "cli/explain_stores.h"
#include "directory/embedded.h"
#include "mail/domain.h"
#include "role/common/directory_objects.h"
#include "runtime/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_ALLOWED = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNKNOWN = 3 };
enum { ARENA_MAX = 512 << 20, PRINT_MAX = 64 << 20, PEM_MAX = 64 * 1024, TEXT_MAX = 1024 };

struct arguments {
    const char *state, *remote, *local, *user, *mechanism, *cert, *from, *to, *header_from, *helo, *size;
    bool tls, json;
};

/* ---- arguments ---- */

static bool complain(const char *option, const char *value, const char *rule)
{
    if (value)
        fprintf(stderr, "mailreeve explain: --%s %s: %s\n", option, value, rule);
    else
        fprintf(stderr, "mailreeve explain: --%s is missing: %s\n", option, rule);
    return false;
}

/* An address may stand in brackets; "<>" is the null sender. */
static struct span address_of(const char *text)
{
    struct span s = span_of(text);
    if (s.len >= 2 && span_starts(s, SPAN("<")) && span_ends(s, SPAN(">")))
        s = span_head(span_from(s, 1), s.len - 2);
    return s;
}

/* What goes into a line of the dialogue must be one. */
static bool check_lines(const struct arguments *a)
{
    const struct {
        const char *option, *value;
    } texts[] = {
        {"from", a->from}, {"to", a->to},     {"header-from", a->header_from},
        {"helo", a->helo}, {"user", a->user}, {"mechanism", a->mechanism},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct span s = span_of(texts[i].value);
        for (size_t k = 0; k < s.len; k++)
            if ((unsigned char)s.ptr[k] < 0x20 || s.ptr[k] == 0x7f)
                return complain(texts[i].option, "...", "it has a control character; give it without");
        if (s.len > TEXT_MAX)
            return complain(texts[i].option, "...", "it is longer than 1024 bytes; no address or name is");
    }
    return true;
}

static bool read_size(const char *text, uint64_t *ret)
{
    int64_t bytes = 0;
    if (text && (!value_parse_size(span_of(text), &bytes) || bytes <= 0))
        return complain("size", text, "a size in bytes is expected, such as 35000000 or 35MB");
    *ret = (uint64_t)bytes;
    return true;
}

static bool read_mechanism(const struct arguments *a, struct span *ret)
{
    static const struct span known[] = {SPAN_INIT("GSSAPI"), SPAN_INIT("LOGIN"), SPAN_INIT("PLAIN")};
    if (!a->mechanism)
        return true;
    if (!a->user)
        return complain("mechanism", a->mechanism, "it needs --user, who logs on by it");
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (span_ieq(known[i], span_of(a->mechanism))) {
            *ret = known[i];
            return true;
        }
    return complain("mechanism", a->mechanism, "GSSAPI, LOGIN or PLAIN is expected; this server knows no other");
}

static struct span default_helo(struct ip_addr remote, struct arena *arena)
{
    struct buf b;
    buf_init(&b, 128);
    domain_literal_print(&b, remote);
    struct span text = arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return text;
}

static bool read_session(const struct arguments *a, struct arena *arena, struct explain_session *ret)
{
    *ret = (struct explain_session){.tls = a->tls, .auth = a->user, .user = span_of(a->user)};
    if (!a->remote || !ip_parse(span_of(a->remote), &ret->remote))
        return complain("remote", a->remote, "the client's IP address is expected, such as 192.0.2.7");
    if (!a->local || !ip_parse_endpoint(span_of(a->local), &ret->local))
        return complain("local", a->local,
                        "the server's IP address and port are expected, such as 10.0.0.1:25 or [2001:db8::1]:25");
    if (ip_is_any(ret->local.addr) || ip_is_v4(ret->local.addr) != ip_is_v4(ret->remote))
        return complain("local", a->local,
                        "the very address that the client connects to is expected, of the same family as --remote");
    if (!a->from)
        return complain("from", NULL, "the sender's address is expected, or <> for the null sender");
    if (!a->to || !address_of(a->to).len)
        return complain("to", a->to, "the recipient's address is expected, such as bob@example.net");
    if (a->user && !*a->user)
        return complain("user", a->user, "a user's name or address is expected");
    if (a->cert && !a->tls)
        return complain("cert", a->cert, "it needs --tls: a client shows its certificate in the TLS handshake");
    if (!check_lines(a) || !read_mechanism(a, &ret->mechanism) || !read_size(a->size, &ret->size))
        return false;
    ret->helo = a->helo ? span_of(a->helo) : default_helo(ret->remote, arena);
    ret->sender = address_of(a->from);
    ret->recipient = address_of(a->to);
    ret->header_from = a->header_from ? address_of(a->header_from) : ret->sender;
    ret->now_ms = clock_wall_ms();
    return true;
}

/* ---- the stores ---- */

/* Reading as the state's owner leaves nothing of root's in the folder. There is no way back, and none is needed. */
static enum err_code become_owner(const char *policy, struct err *err)
{
    struct stat owner;
    if (stat(policy, &owner) < 0)
        return err_errno(err, errno, "cannot read %s", policy);
    if (geteuid() != 0 || owner.st_uid == 0)
        return ERR_NONE;
    if (setgid(owner.st_gid) < 0 || setuid(owner.st_uid) < 0)
        return err_errno(err, errno, "cannot take the rights of the state's owner");
    return ERR_NONE;
}

/* Says who may, where this user may not. */
static enum err_code explain_denied(enum err_code code, const char *path, struct err *err)
{
    struct stat st;
    const struct passwd *owner = stat(path, &st) == 0 ? getpwuid(st.st_uid) : NULL;
    if (code != ERR_DENIED)
        return code;
    return err_set(err, code, "this user may not read %s; root and %s may, as with sudo", path,
                   owner ? owner->pw_name : "its owner");
}

static enum err_code open_stores(struct explain_stores *s, const char *state, struct err *err)
{
    char policy[STATE_PATH_MAX + 64], recipients[STATE_PATH_MAX + 64];
    enum err_code code = state_path(state, "policy.db", policy, sizeof policy, err);
    if (!code)
        code = state_path(state, "directory.db", recipients, sizeof recipients, err);
    if (!code)
        code = become_owner(policy, err);
    if (!code)
        code = explain_denied(object_store_sqlite_open_reader(policy, &s->policy, err), policy, err);
    if (code)
        return code;
    /* Without the directory much can still be said. */
    explain_denied(directory_embedded_open_reader(recipients, &s->directory, &s->directory_err), recipients,
                   &s->directory_err);
    s->recipients = s->directory ? directory_objects_new(s->directory) : object_store_memory_new();
    return s->recipients ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static void close_stores(struct explain_stores *s)
{
    object_store_close(s->recipients);
    directory_close(s->directory);
    object_store_close(s->policy);
}

/* ---- output ---- */

static bool print(const struct explanation *e, bool json)
{
    struct buf out;
    buf_init(&out, PRINT_MAX);
    if (json)
        explain_print_json(&out, e);
    else
        explain_print(&out, e);
    bool ok = !out.failed && fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_done(&out);
    if (!ok)
        fprintf(stderr, "mailreeve explain: the output could not be written: %s\n", strerror(errno));
    return ok;
}

static int run(struct explain_stores *stores, const struct explain_session *session, struct arena *arena, bool json)
{
    static const int exits[] = {
        [EXPLAIN_ALLOWED] = EXIT_ALLOWED, [EXPLAIN_REFUSED] = EXIT_REFUSED, [EXPLAIN_UNKNOWN] = EXIT_UNKNOWN};
    struct explain_facts facts = explain_stores_facts(stores);
    struct explanation *e = ARENA_NEW(arena, struct explanation);
    struct explain_trial_run *trial = explain_trial_new(stores);
    struct policy *policy = NULL;
    struct buf block;
    struct err err = {0};
    int status = EXIT_UNKNOWN;
    if (explain_stores_compile(stores->policy, &block, &policy, &err)) {
        fprintf(stderr, "mailreeve explain: %s\n", err.text);
    } else if (!e || !trial || !explain(policy, &facts, session, arena, e)) {
        fprintf(stderr, "mailreeve explain: out of memory\n");
    } else {
        struct explain_trial tries = explain_trial_of(trial);
        status = explain_search(e, &tries) && print(e, json) ? exits[e->verdict] : EXIT_UNKNOWN;
    }
    explain_trial_free(trial);
    policy_close(policy);
    buf_done(&block);
    return status;
}

static int with_state(const char *state, const struct explain_session *session, struct arena *arena, bool json)
{
    static struct explain_certificates certificates;
    struct node_settings node;
    struct err err = {0};
    struct pressure pressure;
    struct keytab_file keytab;
    struct explain_stores stores = {
        .certificates = &certificates, .keytab = &keytab, .node = &node, .now_ms = session->now_ms};
    int status = EXIT_UNKNOWN;
    if (state_load(state, &node, &err)) {
        fprintf(stderr, "mailreeve explain: %s\n", err.text);
        return EXIT_UNKNOWN;
    }
    explain_certificates_read(&certificates, state);
    keytab_file_read(state, &keytab);
    enum err_code code = open_stores(&stores, state, &err);
    if (!code && explain_pressure_ask(state, &pressure))
        stores.pressure = &pressure;
    if (code)
        fprintf(stderr, "mailreeve explain: %s\n", err.text);
    else
        status = run(&stores, session, arena, json);
    close_stores(&stores);
    explain_certificates_free(&certificates);
    keytab_file_done(&keytab);
    return status;
}

int cli_explain(int argc, char **argv)
{
    struct arguments a = {0};
    const struct cli_option options[] = {{"state", &a.state, NULL},
                                         {"remote", &a.remote, NULL},
                                         {"local", &a.local, NULL},
                                         {"tls", NULL, &a.tls},
                                         {"user", &a.user, NULL},
                                         {"cert", &a.cert, NULL},
                                         {"from", &a.from, NULL},
                                         {"to", &a.to, NULL},
                                         {"header-from", &a.header_from, NULL},
                                         {"helo", &a.helo, NULL},
                                         {"size", &a.size, NULL},
                                         {"json", NULL, &a.json},
                                         {"mechanism", &a.mechanism, NULL}};
    struct explain_session session;
    struct arena arena;
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options)), status = EXIT_USAGE;
    if (left == 1 && !a.remote && !a.to) /* a refusal of the past, by its code */
        return explain_code(cli_state(a.state), argv[1], a.json);
    if (left > 0)
        fprintf(stderr,
                "mailreeve explain: `%s` is too much; a session is given by options, a refusal by one code\n",
                argv[left]);
    if (left)
        return EXIT_USAGE;
    arena_init(&arena, ARENA_MAX);
    struct explain_client client = {0};
    struct err err = {0};
    if (read_session(&a, &arena, &session)) {
        if (a.cert && explain_client_read(&client, a.cert, cli_state(a.state), &arena, &session, &err))
            complain("cert", a.cert, err.text);
        else
            status = with_state(cli_state(a.state), &session, &arena, a.json);
    }
    explain_client_free(&client);
    arena_clear(&arena);
    return status;
}
