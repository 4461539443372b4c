/*
 * message.h: the messages of the bench. Each carries an id (RUN-NUMBER) in its header and behind its body, and the
 * length of its body, so that a receiver can count what is lost, doubled or damaged.
 */
#pragma once

#include "base/buf.h"

enum {
    MESSAGE_RUN_MAX = 16,
    MESSAGE_SIZE_MIN = 1024, /* header and trailer fit in it */
    MESSAGE_LINE = 78,       /* a line of the body with its CRLF */
    MESSAGE_BLOCK = MESSAGE_LINE * 840,
    MESSAGE_HEAD_MAX = 16384, /* of an arriving message, with what servers on its way added */
    MESSAGE_TAIL_MAX = 64,
};

/* A message on its way out: the header, then body_left bytes of the block again and again, then the trailer. */
struct message_out {
    uint64_t body_left;
    size_t block_at;
    bool trailer_due;
    const char *run;
    uint64_t number;
};

/* Appends the header and prepares the rest; size is that of the whole content without the final dot. */
void message_begin(struct message_out *m, struct buf *out, const char *run, uint64_t number, uint64_t size,
                   struct span sender, struct span recipient);
/* Appends up to about max bytes more; the trailer and the final dot come last. False when nothing is left. */
bool message_more(struct message_out *m, struct buf *out, size_t max);

/* An arriving message. Zeroed but for `line_start = true` it is ready for the first byte behind the 354. */
struct message_in {
    uint64_t total; /* bytes of content so far */
    bool line_start;
    uint8_t dot; /* 1: a dot began this line, 2: a CR follows it */
    size_t head_len, tail_len;
    char head[MESSAGE_HEAD_MAX];
    char tail[MESSAGE_TAIL_MAX];
};

void message_in_reset(struct message_in *m);
/* Takes bytes until the final dot's line. Gives how many it took; *ret_done when the message is complete. */
size_t message_in_take(struct message_in *m, struct span s, bool *ret_done);

enum message_state {
    MESSAGE_WHOLE,
    MESSAGE_FOREIGN, /* no id, or that of another run */
    MESSAGE_DAMAGED, /* its body is longer or shorter than it says, or ends otherwise */
};
/* What a complete message is; its number unless foreign. */
enum message_state message_in_read(const struct message_in *m, const char *run, uint64_t *ret_number);
