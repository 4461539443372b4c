/*
 * pressure_page.h: the state of the resources (policy/pressure.h) as the supervisor publishes it: one memory that
 * it alone can write and receive, queue, manage and pickup read. To know the level costs the load of a word.
 */
#pragma once

#include "base/err.h"
#include "policy/pressure.h"
#include "runtime/frame.h"

struct pressure_page;

/* ---- who publishes ---- */

/* A new one, on which nothing is known; *ret_fd is to be handed over, and the caller's. */
enum err_code pressure_page_make(struct pressure_page **ret, int *ret_fd, struct err *err);
void pressure_page_write(struct pressure_page *page, const struct pressure *p);

/* ---- who reads ---- */

/* Takes a CONTROL_RESOURCES frame; what cannot be used is logged, and the page is as before. */
void pressure_page_take(struct frame *f);
/* The overall level; normal before there is a page. */
enum pressure_level pressure_page_level(void);
/* All of it as it was at one moment. False: there is no page yet, or it cannot be read; *ret is zeroed then. */
bool pressure_page_read(struct pressure *ret);

/* For tests, and for a peer that reads what it made itself. */
bool pressure_page_copy(const struct pressure_page *page, struct pressure *ret);
void pressure_page_use(const struct pressure_page *page);
