/* summary.c: the generator's figures as JSON. */
#include "summary.h"

#include <inttypes.h>
#include <sys/resource.h>

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

double summary_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void summary_string(struct buf *out, struct span s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_addf(out, "\\u%04x", c);
        else if (c > 0x7f)
            buf_add(out, SPAN("\\ufffd"));
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

static void histogram(struct buf *out, const char *name, const struct histogram *h)
{
    buf_addf(out, ",\"%s\":{\"count\":%" PRIu64 ",\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name,
             h->count, ms(histogram_percentile(h, 0.5)), ms(histogram_percentile(h, 0.9)),
             ms(histogram_percentile(h, 0.99)), ms(h->max));
}

void summary_load(struct buf *out, const struct load *load, uint64_t start, uint64_t end, bool complete)
{
    const struct tally *t = &load->tally;
    double seconds = (double)(end - start) / 1e9;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"acknowledged", t->acknowledged},
        {"refused", t->refused},
        {"unknown", t->unknown},
        {"unsent",
         load->options->mode == MODE_LOAD && !load->options->seconds ? load->options->messages - load->next : 0},
        {"recipients_refused", t->recipients_refused},
        {"sessions", t->opened},
        {"sessions_failed", t->failed},
        {"sessions_resumed", t->resumed},
        {"sessions_closed_by_server", t->closed_by_server},
    };
    const char *comma = "";
    buf_addf(out,
             "{\"complete\":%s,\"started\":%.6f,\"ended\":%.6f,\"seconds\":%.6f,\"rate\":%.3f,\"cpu_seconds\":%.3f",
             complete ? "true" : "false", (double)start / 1e9, (double)end / 1e9, seconds,
             (double)t->acknowledged / seconds, summary_cpu());
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        buf_addf(out, ",\"%s\":%" PRIu64, counts[i].name, counts[i].value);
    histogram(out, "connect_ms", &load->connect);
    histogram(out, "handshake_ms", &load->handshake);
    histogram(out, "dot_ms", &load->dot);
    buf_add(out, SPAN(",\"refusals\":{"));
    for (unsigned code = 0; code < REPLY_CODES; code++)
        if (t->codes[code]) {
            buf_addf(out, "%s\"%u\":%" PRIu64, comma, code, t->codes[code]);
            comma = ",";
        }
    buf_add(out, SPAN("},\"first_refusal\":"));
    summary_string(out, span_of(t->first_refusal));
    buf_add(out, SPAN("}\n"));
}
