/*
 * job.h: DELIVER_JOB between queue and deliver on the wire: one message for recipients that share a destination,
 * and the report of its attempt. As in messages.h, decoders take everything as from an enemy.
 */
#pragma once

#include "base/arena.h"
#include "base/cursor.h"
#include "delivery/delivery.h"

/* What a job's head may take, so that it and a small body always fit into one frame. */
enum { JOB_HEAD_MAX = 72 * 1024, JOB_RECIPIENTS_MAX = 1000, JOB_REPORT_TEXT_MAX = 512 };

/*
 * Appends the job's head. The body is no part of it: it follows as the tail of the frame when it is small, or goes
 * with it as a descriptor of a regular (or sealed memory) file; job->body and job->body_fd are not read.
 */
void job_put(struct buf *out, const struct delivery_job *job);
/*
 * Reads a frame's body. Text lives in the arena; the message's body stays a view of the frame's (job.body) unless
 * has_fd, when job.body_fd is the caller's to fill in and nothing may follow the head. The password is copied into
 * *ret_password, which the caller wipes (secret_done). False: malformed.
 */
NODISCARD bool job_get(struct span body, bool has_fd, struct arena *arena, struct delivery_job *ret,
                       struct secret *ret_password);

/*
 * Appends a report of at most JOB_RECIPIENTS_MAX results, which then always fits into a frame behind an octet:
 * texts are cut at JOB_REPORT_TEXT_MAX, all of them shorter where there are too many long ones, at a character's
 * end; control characters become '?'.
 */
void job_put_report(struct buf *out, const struct delivery_report *report);
/* Reads it; text and results live in the arena. False: malformed, or not `count` results. */
NODISCARD bool job_get_report(struct span body, size_t count, struct arena *arena, struct delivery_report *ret);
