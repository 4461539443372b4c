/* queue_action.h: what an administrator does to queues, and to messages on their way. */
#pragma once

enum queue_action {
    /* of a queue, by its name */
    QUEUE_ACTION_SUSPEND_QUEUE, /* nothing of it is sent any more, over restarts, until it is resumed */
    QUEUE_ACTION_RESUME_QUEUE,  /* and what waits in it is tried at once */
    QUEUE_ACTION_RETRY_QUEUE,   /* what waits in it is routed and tried at once; refused while it is suspended */
    /* of messages, by their ids */
    QUEUE_ACTION_SUSPEND_MESSAGES, /* what is being sent goes on; what is not delivered by it waits */
    QUEUE_ACTION_RESUME_MESSAGES,
    QUEUE_ACTION_REMOVE_MESSAGES, /* what is being sent goes on; what is not delivered by it is removed */
    QUEUE_ACTION_REMOVE_REPORTED, /* and the sender is told so */
    QUEUE_ACTIONS,
};

enum { QUEUE_ACTION_IDS_MAX = 1000 }; /* messages of one action */

static inline int queue_action_is_of_queue(enum queue_action a)
{
    return a <= QUEUE_ACTION_RETRY_QUEUE;
}
