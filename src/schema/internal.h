/* internal.h: what the schema's files share. */
#pragma once

#include "schema/schema.h"

enum {
    SCHEMA_RECEIVE_RULES = 18,
    SCHEMA_SEND_RULES = 8,
    SCHEMA_DOMAIN_RULES = 1,
    SCHEMA_SERVER_RULES = 4,
    SCHEMA_CONFIG_RULES = 2,
};
extern const struct schema_rule schema_receive_rules[SCHEMA_RECEIVE_RULES], schema_send_rules[SCHEMA_SEND_RULES],
    schema_domain_rules[SCHEMA_DOMAIN_RULES], schema_server_rules[SCHEMA_SERVER_RULES],
    schema_config_rules[SCHEMA_CONFIG_RULES];

/* The properties that every class begins with, and those that it ends with. */
#define SCHEMA_NAME(flags_, help_)                                                                                 \
    {                                                                                                              \
        "Name", SCHEMA_STRING, flags_, SINCE_2007, NULL, NULL, 1, 64, NULL, help_                                  \
    }
#define SCHEMA_TAIL                                                                                                \
    {"Guid",                                                                                                       \
     SCHEMA_STRING,                                                                                                \
     SCHEMA_READ_ONLY,                                                                                             \
     SINCE_2007,                                                                                                   \
     NULL,                                                                                                         \
     NULL,                                                                                                         \
     1,                                                                                                            \
     64,                                                                                                           \
     NULL,                                                                                                         \
     "Identifies the object for ever."},                                                                           \
        {"WhenCreated", SCHEMA_TIME, SCHEMA_READ_ONLY, SINCE_2007, NULL, NULL, 0, 0, NULL, "When it was made."},   \
    {                                                                                                              \
        "WhenChanged", SCHEMA_TIME, SCHEMA_READ_ONLY, SINCE_2007, NULL, NULL, 0, 0, NULL,                          \
            "When it was last changed."                                                                            \
    }

/* A switch; a number; a time span. */
#define SCHEMA_SWITCH(name_, since_, initial_, help_)                                                              \
    {                                                                                                              \
        name_, SCHEMA_BOOL, 0, since_, initial_, NULL, 0, 0, NULL, help_                                           \
    }
#define SCHEMA_NUMBER(name_, flags_, since_, initial_, min_, max_, help_)                                          \
    {                                                                                                              \
        name_, SCHEMA_INT, flags_, since_, initial_, NULL, min_, max_, NULL, help_                                 \
    }
#define SCHEMA_SPAN(name_, since_, initial_, edge_, min_, max_, help_)                                             \
    {                                                                                                              \
        name_, SCHEMA_TIMESPAN, 0, since_, initial_, edge_, min_, max_, NULL, help_                                \
    }

#define SCHEMA_SECOND INT64_C(1000)
#define SCHEMA_DAY    INT64_C(86400000)
#define SCHEMA_INT32  INT64_C(2147483647)

extern const char *const schema_words_logging[], *const schema_words_auth[], *const schema_words_group[];

/* One item of a list, or a single value that is not null. */
enum err_code schema_parse_one(const struct schema_property *p, struct value in, struct arena *arena,
                               struct value *ret, struct err *err);
/* A LIST without repetitions: a whole value, or a Hashtable of Add and Remove. */
enum err_code schema_parse_list(const struct schema_property *p, struct value in, const struct value *current,
                                struct arena *arena, struct value *ret, struct err *err);
