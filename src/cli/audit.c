/*
 * audit.c: `mailreeve audit`: what is dangerous in the policy of a state folder. Reads only: the policy's file, the
 * certificates, and what this host is (host_facts.h), whether the server runs or not.
 */
#include "audit/audit.h"

#include "cli/cli.h"
#include "cli/host_facts.h"
#include "cmdlet/policy_block.h"
#include "role/common/state.h"
#include "runtime/clock.h"
#include "shell/json.h"
#include "store/objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_MAX = 256 << 20 };

/* ---- JSON ---- */

static bool set_text(struct record *r, const char *name, struct span text)
{
    return record_set(r, span_of(name), text.len ? value_string(text) : value_null());
}

static struct record *finding_record(struct arena *arena, const struct audit_finding *f, struct span explain)
{
    struct span witness = arena_printf(arena, "%.*s %.*s", SPAN_ARG(explain), SPAN_ARG(f->witness));
    const struct audit_kind_info *kind = audit_kind_info(f->kind);
    struct record *r = record_new(arena, SPAN("Finding"));
    bool ok = r && witness.ptr && set_text(r, "severity", span_of(audit_severity_name(f->severity))) &&
              set_text(r, "kind", span_of(kind->name)) && set_text(r, "class", span_of(f->class_name)) &&
              set_text(r, "object", f->object) && set_text(r, "text", f->text) &&
              set_text(r, "why", span_of(kind->why)) &&
              set_text(r, "witness", f->witness.len ? witness : SPAN("")) && set_text(r, "remedy", f->remedy);
    return ok ? r : NULL;
}

static struct record *access_record(struct arena *arena, const struct audit_access *a)
{
    const struct {
        const char *name;
        struct value value;
    } fields[] = {
        {"connector", value_string(a->connector)},
        {"who", value_string(a->who)},
        {"tls", value_bool(a->tls)},
        {"submit", value_bool(a->submit)},
        {"relay", value_bool(a->relay)},
        {"ownSender", value_bool(a->own_sender)},
        {"otherSender", value_bool(a->other_sender)},
    };
    struct record *r = record_new(arena, SPAN("Access"));
    for (size_t i = 0; r && i < ARRAY_LEN(fields); i++)
        if (!record_set(r, span_of(fields[i].name), fields[i].value))
            return NULL;
    return r;
}

/* access of the report as records; NULL when memory is out. */
static struct value *access_values(const struct audit_report *report, struct arena *arena)
{
    struct value *items = ARENA_ARRAY(arena, report->access_count, struct value);
    for (size_t i = 0; items && i < report->access_count; i++) {
        struct record *r = access_record(arena, &report->access[i]);
        if (!r)
            return NULL;
        items[i] = value_record(r);
    }
    return items;
}

static bool print_json(struct buf *out, const struct audit_report *report, struct span explain, struct arena *arena)
{
    static const char *const counts[AUDIT_SEVERITIES] = {"notes", "warnings", "dangers"};
    struct record *r = record_new(arena, SPAN("Audit"));
    struct value *items = ARENA_ARRAY(arena, report->count, struct value);
    struct value *access = access_values(report, arena);
    bool ok = r && items && access;
    for (size_t i = AUDIT_SEVERITIES; ok && i-- > 0;)
        ok = record_set(r, span_of(counts[i]), value_int((int64_t)report->by_severity[i]));
    for (size_t i = 0; ok && i < report->count; i++) {
        struct record *f = finding_record(arena, &report->findings[i], explain);
        ok = f;
        if (ok)
            items[i] = value_record(f);
    }
    if (!ok || !record_set(r, SPAN("findings"), value_list(items, report->count)) ||
        !record_set(r, SPAN("access"), value_list(access, report->access_count)))
        return false;
    json_print(out, value_record(r), (struct json_options){.depth = 3});
    buf_add_char(out, '\n');
    return true;
}

/* ---- the audit ---- */

static enum err_code load_policy(const char *state, struct buf *block, struct policy **ret, struct arena *arena,
                                 struct audit_facts *facts, struct err *err)
{
    char path[STATE_PATH_MAX + 64];
    struct object_store *store = NULL;
    enum err_code code = state_path(state, "policy.db", path, sizeof path, err);
    if (!code)
        code = object_store_sqlite_open_reader(path, &store, err);
    if (!code)
        code = cmdlet_policy_block(store, object_store_generation(store), block, err);
    if (!code)
        code = host_facts_uses(state, store, arena, facts, err);
    object_store_close(store);
    return code ? code : policy_open(buf_span(block), ret, err);
}

/* A path with anything but the plainest characters is quoted for the shell. */
static struct span explain_command(struct arena *arena, const char *state)
{
    struct buf b;
    bool plain =
        strspn(state, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == strlen(state);
    buf_init(&b, 8192);
    buf_addf(&b, "mailreeve explain --state %s", plain ? "" : "'");
    for (const char *c = state; *c; c++)
        buf_add(&b, *c == '\'' ? SPAN("'\\''") : span_make(c, 1));
    buf_addf(&b, "%s", plain ? "" : "'");
    struct span s = arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return s;
}

static enum err_code audit(const char *state, bool json, struct arena *arena, struct buf *out, size_t *ret_dangers,
                           struct err *err)
{
    struct node_settings node;
    struct buf block;
    struct policy *policy = NULL;
    struct audit_facts facts = {.now_ms = clock_wall_ms()};
    struct audit_report report;
    struct err unreadable = {0}, no_keytab = {0};
    buf_init(&block, POLICY_BLOCK_MAX);
    enum err_code code = state_load(state, &node, err);
    if (!code)
        code = load_policy(state, &block, &policy, arena, &facts, err);
    if (!code) {
        facts.host = span_of(node.host);
        code = host_facts_addresses(arena, &facts, err);
    }
    if (!code)
        code = host_facts_certificates(state, policy, arena, &facts, &unreadable, err);
    if (!code)
        host_facts_keytab(state, arena, &facts, &no_keytab);
    if (!code)
        code = audit_run(policy, &facts, AUDIT_ALL, arena, &report, err);
    if (!code) {
        struct span explain = explain_command(arena, state);
        bool printed = explain.ptr;
        *ret_dangers = report.by_severity[AUDIT_DANGER];
        if (json)
            printed = printed && print_json(out, &report, explain, arena);
        else
            audit_print(out, &report, explain);
        if (!printed || out->failed)
            code = err_set(err, ERR_NO_MEMORY, "out of memory");
        if (!facts.certificates_known)
            fprintf(stderr, "mailreeve audit: nothing is said about certificates: %s\n", unreadable.text);
        if (!facts.keytab_known)
            fprintf(stderr, "mailreeve audit: nothing is said about keys for GSSAPI: %s\n", no_keytab.text);
    }
    policy_close(policy);
    buf_wipe(&block); /* it holds the passwords of smart hosts */
    return code;
}

int cli_audit(int argc, char **argv)
{
    const char *state = NULL;
    bool json = false;
    const struct cli_option options[] = {{"state", &state, NULL}, {"json", NULL, &json}};
    struct arena arena;
    struct buf out;
    struct err err = {0};
    size_t dangers = 0;
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options));
    if (left > 0)
        fprintf(stderr, "mailreeve audit: `%s` is too much; all is given by options\n", argv[1]);
    if (left)
        return CLI_USAGE;
    arena_init(&arena, 0);
    buf_init(&out, REPORT_MAX);
    enum err_code code = audit(cli_state(state), json, &arena, &out, &dangers, &err);
    if (code)
        fprintf(stderr, "mailreeve audit: %s\n", err.text);
    fwrite(out.ptr, 1, out.len, stdout);
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (!written)
        fprintf(stderr, "mailreeve audit: the output could not be written: %s\n", strerror(errno));
    buf_done(&out);
    arena_clear(&arena);
    return code || !written ? CLI_IMPOSSIBLE : dangers ? CLI_FAILED : CLI_OK;
}
