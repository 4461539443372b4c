/* dialogue.h: a dialogue under way. Private to dialogue*.c. */
#pragma once

#include "explain/internal.h"

struct dialogue {
    struct explanation *e;
    const struct explain_facts *facts; /* NULL: only EHLO is said */
    struct gate gate;
    uint8_t marks[POLICY_ACL_MAX]; /* the gate's */
    struct smtp_server_profile profile;
    struct smtp_server *server;
    enum explain_stage last; /* the client leaves behind it */
    int64_t now;
    struct buf replies;
    bool closed, tls_wanted, asked, failed;
    struct smtp_answer answer;
    enum explain_cause cause; /* of the answer, where it refuses */
    struct explain_step *step;
    /* the transaction */
    struct arena transaction;
    struct intake intake;
    bool intake_open;
    unsigned rights;
    uint64_t max_size; /* of the message; 0: unlimited */
};

/* Answers what the machine asks; the answer is given when its call has returned. */
void dialogue_ask(struct dialogue *d, const struct smtp_ask *ask);
/* Lets go of a content under way. */
void dialogue_drop_content(struct dialogue *d);
