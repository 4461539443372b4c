/* test_peers.h: what test_support.c and test_peers.c share: frames that come to the bench's directory and deliver.
 */
#pragma once

#include "role/queue/test_support.h"

void peers_on_resolve(struct bench *b, struct frame *f);
void peers_on_job(struct bench *b, struct frame *f);
void peers_on_events(struct bench *b, struct frame *f);
