/*
 * check.h: cmocka with its four includes, and checks that name the row of a table that does not hold.
 *
 * CHECK_* print the row's name, both values and the place, then fail the test as cmocka's asserts do.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/span.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define CHECK(row, cond)                                                                                           \
    do {                                                                                                           \
        if (!(cond)) {                                                                                             \
            print_error("row `%s`: %s does not hold\n", (row), #cond);                                             \
            _fail(__FILE__, __LINE__);                                                                             \
        }                                                                                                          \
    } while (0)

#define CHECK_INT(row, got, want)                                                                                  \
    do {                                                                                                           \
        intmax_t got_ = (intmax_t)(got), want_ = (intmax_t)(want);                                                 \
        if (got_ != want_) {                                                                                       \
            print_error("row `%s`: %s is %" PRIdMAX ", want %" PRIdMAX "\n", (row), #got, got_, want_);            \
            _fail(__FILE__, __LINE__);                                                                             \
        }                                                                                                          \
    } while (0)

#define CHECK_SPAN(row, got, want)                                                                                 \
    do {                                                                                                           \
        struct span got_ = (got), want_ = (want);                                                                  \
        if (!span_eq(got_, want_)) {                                                                               \
            print_error("row `%s`: %s is `%.*s`, want `%.*s`\n", (row), #got, SPAN_ARG(got_), SPAN_ARG(want_));    \
            _fail(__FILE__, __LINE__);                                                                             \
        }                                                                                                          \
    } while (0)

#define CHECK_STR(row, got, want) CHECK_SPAN(row, span_of(got), span_of(want))
