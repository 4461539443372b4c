/*
 * message.c: see message.h.
 *
 * Invariants: a file is settled exactly once. Nothing of it is in the queue before it was read to its end, and it
 * is removed behind the queue's "stored" only. Reading goes in pieces, one a turn of the loop, and stops while a
 * spool file is awaited, so that no file holds up the others however large it is.
 */
#include "role/pickup/message.h"

#include "mail/date.h"
#include "mail/header.h"
#include "mail/intake.h"
#include "mail/line_ends.h"
#include "policy/domain.h"
#include "role/common/content.h"
#include "role/common/submission.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "smtp/pickup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, REPLAY_HEADER_MAX = 8 << 20, ARENA_MAX = 64 << 20, HOPS_MAX = 30, STAMP_MAX = 1024 };

enum stage {
    STAGE_HEADER,  /* its end is looked for */
    STAGE_BODY,    /* the intake has its header */
    STAGE_STORING, /* the queue has it */
    STAGE_SETTLED,
};

struct message {
    struct message *next, *previous;
    struct role *role;
    struct policy_ref *policy_ref;
    const struct policy *policy;
    enum message_kind kind;
    enum stage stage;
    struct folder_file file;
    struct message_owner owner;
    uv_timer_t turn;
    struct line_ends lines;
    struct buf header;
    size_t line; /* where the last line of `header` begins */
    size_t max_header;
    struct arena arena;
    struct pickup_envelope envelope;
    struct intake intake;
    bool intake_open;
    struct intake_result result;
    struct content *content;
    uint64_t internal_id;
    struct err err; /* why it cannot be sent; code 0: nothing yet */
};

static struct message *all;
static size_t active;

static const char *kind_name(enum message_kind kind)
{
    return kind == MESSAGE_PICKUP ? "Pickup" : "Replay";
}

/* ---- the end ---- */

static void log_settled(const struct message *m, enum folder_outcome outcome, const struct err *trouble)
{
    static const char *const events[] = {
        [FOLDER_SENT] = "pickup", [FOLDER_BACK] = "pickup-deferred", [FOLDER_BAD] = "pickup-bad"};
    bool sent = outcome == FOLDER_SENT;
    struct log_line l = log_begin(sent                    ? LOG_INFO
                                  : outcome == FOLDER_BAD ? LOG_ERROR
                                                          : LOG_WARNING,
                                  events[outcome]);
    log_str(&l, "folder", kind_name(m->kind));
    log_str(&l, "file", m->file.stem);
    if (sent) {
        log_int(&l, "message", (int64_t)m->internal_id);
        log_span(&l, "message-id", m->result.message_id);
    } else {
        log_str(&l, "why", m->err.text);
    }
    if (trouble->code)
        log_err(&l, trouble);
    log_end(&l);
}

static void on_turn_closed(uv_handle_t *h)
{
    struct message *m = h->data;
    policy_ref_drop(m->policy_ref);
    buf_done(&m->header);
    arena_clear(&m->arena);
    free(m);
}

static void settle(struct message *m, enum folder_outcome outcome)
{
    struct err trouble = {0};
    ASSERT(m->stage != STAGE_SETTLED);
    m->stage = STAGE_SETTLED;
    IGNORE_RESULT(folder_settle(&m->file, outcome, &trouble));
    log_settled(m, outcome, &trouble);
    if (m->intake_open)
        intake_done(&m->intake);
    content_free(m->content);
    if (m->next)
        m->next->previous = m->previous;
    if (m->previous)
        m->previous->next = m->next;
    else
        all = m->next;
    active--;
    uv_close((uv_handle_t *)&m->turn, on_turn_closed);
    m->owner.settled(m->owner.context, outcome == FOLDER_BACK || trouble.code);
}

/* By the error: what the file is to blame for stays that way. */
static void give_up(struct message *m)
{
    bool bad = m->err.code == ERR_INVALID || m->err.code == ERR_LIMIT;
    settle(m, bad ? FOLDER_BAD : FOLDER_BACK);
}

/* ---- into the queue ---- */

static void on_turn(uv_timer_t *t);

static void again(struct message *m)
{
    uv_timer_start(&m->turn, on_turn, 0, 0);
}

static void on_ready(void *context)
{
    again(context);
}

static void on_stored(void *context, enum content_outcome outcome, uint64_t internal_id, struct span text)
{
    struct message *m = context;
    m->internal_id = internal_id;
    if (outcome != CONTENT_STORED)
        err_set(&m->err, ERR_UNAVAILABLE, "%.*s",
                SPAN_ARG(text.len ? text : SPAN("the queue did not say whether it has it")));
    settle(m, outcome == CONTENT_STORED ? FOLDER_SENT : FOLDER_BACK);
}

static const struct content_owner content_owner = {on_ready, on_stored};

static bool put_envelope(struct message *m, struct buf *out)
{
    const struct pickup_envelope *e = &m->envelope;
    const struct intake_result *r = &m->result;
    struct submission_recipient *list = ARENA_ARRAY(&m->arena, e->recipient_count, struct submission_recipient);
    for (size_t i = 0; list && i < e->recipient_count; i++)
        list[i] = (struct submission_recipient){e->recipients[i].address, e->recipients[i].orcpt,
                                                e->recipients[i].notify};
    struct submission s = {.message_id = r->message_id,
                           .subject = r->subject,
                           .sender = e->sender,
                           .envid = e->envid,
                           .size = r->bytes_out,
                           .body = e->body,
                           .ret = e->ret,
                           .smtp_utf8 = e->smtp_utf8,
                           .tls_optional = r->tls_optional,
                           .eight_bit = r->eight_bit_body || r->eight_bit_header,
                           .internal = m->kind == MESSAGE_PICKUP,
                           .connector = span_of(kind_name(m->kind)),
                           .remote_ip = e->source_ip,
                           .recipients = list,
                           .recipient_count = e->recipient_count};
    if (!list)
        return false;
    submission_put(out, &s);
    return !out->failed;
}

static void store(struct message *m)
{
    struct buf envelope;
    buf_init(&envelope, SUBMISSION_MAX);
    intake_finish(&m->intake, &m->result);
    if (m->result.problem == INTAKE_NO_MEMORY)
        err_set(&m->err, ERR_NO_MEMORY, "out of memory");
    else if (m->result.problem)
        err_set(&m->err, ERR_INVALID, "%s", intake_problem_text(m->result.problem));
    else if (folder_file_changed(&m->file))
        err_set(&m->err, ERR_UNAVAILABLE,
                "somebody still writes to it; files are to be moved in when they are whole");
    else if (!put_envelope(m, &envelope))
        err_set(&m->err, ERR_NO_MEMORY, "out of memory");
    if (m->err.code) {
        buf_done(&envelope);
        give_up(m);
        return;
    }
    m->stage = STAGE_STORING;
    content_store(m->content, buf_span(&envelope));
    buf_done(&envelope);
}

/* ---- the header ---- */

static void on_intake_out(void *context, struct span bytes)
{
    struct message *m = context;
    content_add(m->content, bytes);
}

static struct span trace_of(struct message *m)
{
    struct buf b;
    buf_init(&b, STAMP_MAX);
    if (m->kind == MESSAGE_PICKUP)
        buf_addf(&b, "Received: from localhost by Pickup with Mailreeve SMTP Server id\r\n\t%s; ",
                 MAILREEVE_VERSION);
    else
        buf_addf(&b, "Received: from %s by Replay with Mailreeve\r\n\t%s; ", m->role->host, MAILREEVE_VERSION);
    date_print(&b, clock_wall_ms());
    buf_add(&b, SPAN("\r\n"));
    struct span trace = b.failed ? (struct span){NULL, 0} : arena_dup(&m->arena, buf_span(&b));
    buf_done(&b);
    return trace;
}

/*
 * Who may write to the pickup folder is of the organisation, as whoever an administrator lets relay. What is
 * replayed comes from anywhere, unless a server that says so of itself has kept the stamp.
 */
static struct span stamp_of(struct message *m)
{
    return arena_printf(&m->arena,
                        "X-MS-Exchange-Organization-AuthAs: %s\r\nX-MS-Exchange-Organization-AuthSource: %s\r\n%s",
                        m->kind == MESSAGE_PICKUP ? "Internal" : "Anonymous", m->role->host,
                        m->envelope.undisclosed ? "To: Undisclosed recipients:;\r\n" : "");
}

static bool build_options(struct message *m, struct intake_options *ret)
{
    unsigned char random[16];
    struct buf id, date;
    bool pickup = m->kind == MESSAGE_PICKUP;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    buf_init(&id, 512);
    buf_init(&date, 64);
    message_id_print(&id, span_make(random, sizeof random), span_of(m->role->host));
    date_print(&date, clock_wall_ms());
    *ret = (struct intake_options){.trace = trace_of(m),
                                   .stamp = stamp_of(m),
                                   .remove_routing = pickup,
                                   .remove_organization = !m->envelope.created_by_server,
                                   .remove_forest = !m->envelope.created_by_server,
                                   .remove_bcc = true,
                                   .add_message_id = true,
                                   .add_date = pickup,
                                   .message_id = arena_dup(&m->arena, buf_span(&id)),
                                   .date = arena_dup(&m->arena, buf_span(&date)),
                                   .max_header = m->max_header,
                                   .max_hops = HOPS_MAX};
    buf_done(&id);
    buf_done(&date);
    return ret->trace.ptr && ret->stamp.ptr && ret->message_id.ptr && ret->date.ptr;
}

static enum err_code parse(struct message *m, struct span section)
{
    const struct accepted_domain *own = policy_default_domain(m->policy);
    struct span domain = own ? policy_text(m->policy, own->domain) : SPAN("");
    size_t max = policy_settings(m->policy)->pickup_max_recipients;
    return m->kind == MESSAGE_PICKUP ? pickup_parse(section, domain, max, &m->arena, &m->envelope, &m->err)
                                     : pickup_parse_replay(section, domain, &m->arena, &m->envelope, &m->err);
}

/* The section is whole; what follows it in `header` is body. */
static void begin_body(struct message *m, size_t end)
{
    const struct span all_of_it = buf_span(&m->header);
    struct intake_options options;
    m->stage = STAGE_BODY;
    if (parse(m, span_head(all_of_it, end)))
        return;
    m->content = content_new(m->role, (uint64_t)m->file.claimed.st_size, &content_owner, m);
    if (!m->content || !build_options(m, &options)) {
        err_set(&m->err, ERR_NO_MEMORY, "out of memory");
        return;
    }
    intake_init(&m->intake, &options, &m->arena, on_intake_out, m);
    m->intake_open = true;
    intake_feed(&m->intake, m->envelope.header);
    /* The body's first line may look like a field where only the envelope stood in front of it. */
    if (!span_starts(span_from(all_of_it, end), SPAN("\r\n")))
        intake_feed(&m->intake, SPAN("\r\n"));
    intake_feed(&m->intake, span_from(all_of_it, end));
    /* The envelope has views of `header`, which therefore stays. */
}

/* Whether a whole line is of the header: as the intake decides it, a line that begins no field ends it. */
static bool is_header(struct span line, bool first)
{
    bool continues = !first && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
    return continues || header_name(line).len;
}

static void too_large(struct message *m)
{
    err_set(&m->err, ERR_LIMIT, "its header is larger than %s",
            m->kind == MESSAGE_PICKUP ? "PickupDirectoryMaxHeaderSize allows" : "8 MB");
}

static void take_header(struct message *m, struct span bytes)
{
    const struct span crlf = SPAN("\r\n");
    buf_add(&m->header, bytes);
    if (m->header.failed) {
        too_large(m);
        return;
    }
    if (!span_eq(bytes, crlf)) /* line ends come alone */
        return;
    struct span line = span_from(buf_span(&m->header), m->line);
    if (span_eq(line, crlf) || !is_header(line, m->line == 0))
        begin_body(m, m->line);
    else if (m->header.len > m->max_header)
        too_large(m);
    else
        m->line = m->header.len;
}

/* ---- reading ---- */

static void on_text(void *context, struct span bytes)
{
    struct message *m = context;
    if (m->err.code)
        return;
    if (span_find(bytes, '\0') != SIZE_MAX)
        err_set(&m->err, ERR_INVALID, "it holds a NUL, and so is no text");
    else if (m->stage == STAGE_HEADER)
        take_header(m, bytes);
    else
        intake_feed(&m->intake, bytes);
}

static void on_end(struct message *m)
{
    line_ends_finish(&m->lines, on_text, m);
    if (!m->err.code && m->stage == STAGE_HEADER)
        begin_body(m, m->header.len);
    if (m->err.code)
        give_up(m);
    else
        store(m);
}

static void on_turn(uv_timer_t *t)
{
    static char piece[PIECE]; /* used up before the next turn of anybody */
    struct message *m = t->data;
    if (m->stage >= STAGE_STORING || (m->content && content_paused(m->content)))
        return;
    ssize_t n = read(m->file.fd, piece, sizeof piece);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        err_errno(&m->err, errno, "cannot read it");
    if (n > 0)
        line_ends_feed(&m->lines, span_make(piece, (size_t)n), on_text, m);
    if (m->err.code)
        give_up(m);
    else if (n == 0)
        on_end(m);
    else
        again(m);
}

struct message *message_start(struct role *role, struct policy_ref *policy, enum message_kind kind,
                              struct folder_file *file, const struct message_owner *owner)
{
    struct message *m = calloc(1, sizeof *m);
    struct err ignored;
    if (!m) {
        IGNORE_RESULT(folder_settle(file, FOLDER_BACK, &ignored));
        return NULL;
    }
    *m = (struct message){.role = role,
                          .policy_ref = policy_ref_take(policy),
                          .policy = policy_ref_policy(policy),
                          .kind = kind,
                          .file = *file,
                          .owner = *owner,
                          .next = all};
    m->max_header =
        kind == MESSAGE_PICKUP ? policy_settings(m->policy)->pickup_max_header : (size_t)REPLAY_HEADER_MAX;
    buf_init(&m->header, m->max_header + PIECE); /* and a line that turns out to be body */
    arena_init(&m->arena, ARENA_MAX);
    uv_timer_init(&role->loop, &m->turn);
    m->turn.data = m;
    if (all)
        all->previous = m;
    all = m;
    active++;
    again(m);
    return m;
}

void messages_drain(void)
{
    for (struct message *m = all, *next; m; m = next) {
        next = m->next;
        if (m->stage < STAGE_STORING) {
            err_set(&m->err, ERR_UNAVAILABLE, "the server is stopping");
            settle(m, FOLDER_BACK);
        }
    }
}

size_t messages_active(void)
{
    return active;
}
