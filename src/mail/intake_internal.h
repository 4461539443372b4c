/* intake_internal.h: between intake.c (finds the end of the header section) and intake_rewrite.c (what becomes of
 * it). */
#pragma once

#include "mail/intake.h"

/* Hands bytes to the output and counts them. */
void intake_emit(struct intake *i, struct span bytes);
/*
 * The whole header section has come: fills the result from it and lets the rewritten section out, its blank line
 * included. On a problem nothing is let out and result.problem is set.
 */
void intake_rewrite(struct intake *i, struct span section);
