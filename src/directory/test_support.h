/* test_support.h: records of recipients, short to write, for the tests of this directory. */
#pragma once

#include "base/value.h"
#include "directory/directory.h"

enum { TEST_LIST_MAX = 6 };

/* What a test wants to say of a recipient; what is not given is not in the record. */
struct test_recipient {
    const char *type, *guid, *name, *primary, *display_name, *principal, *external, *password;
    const char *addresses[TEST_LIST_MAX], *members[TEST_LIST_MAX], *send_as[TEST_LIST_MAX];
    bool disabled, authenticated_only;
};

struct record *test_record(struct arena *arena, const struct test_recipient *t);
