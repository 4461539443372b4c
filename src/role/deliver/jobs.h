/* jobs.h: the deliveries that the queue has asked for, from the question to the answer. */
#pragma once

#include "role/common/role.h"

struct delivery_engine;

/* role_answer, or what a test has instead. */
typedef void jobs_answer_fn(const struct role_asker *asker, struct span head, struct span tail, const int *fds,
                            size_t fd_count);

struct jobs {
    struct delivery_engine *engine;
    jobs_answer_fn *answer;
    size_t running;
    bool refusing;                /* no new ones: the role ends */
    void (*idle)(struct jobs *j); /* when `refusing`: the last one has ended */
};

/* Takes a DELIVER_JOB and answers it, now when it is not begun, otherwise when the attempt is over. */
void jobs_begin(struct jobs *j, struct link *link, struct frame *f);
/* No new ones from now on; calls idle, from inside this call when nothing is under way. */
void jobs_refuse(struct jobs *j, void (*idle)(struct jobs *j));
