/*
 * test_support.h: policies out of short texts. An object is "Name=value|Name=value"; a value is "[a,b]" (a list),
 * $true, $false, #123 (a number), Unlimited, $null, ~text (a secret), anything else a string.
 */
#pragma once

#include "base/arena.h"
#include "policy/compile.h"
#include "policy/group.h"

enum { TEST_OBJECTS_MAX = 2048 };

/* Fingerprints of servers. */
#define TEST_PIN_HUB  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TEST_PIN_EDGE "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define TEST_PASSWORD "m4rk3r-S3cret"
/* Objects of every class with nearly every property set. */
extern const char test_everything[];

struct test_objects {
    const struct record *items[TEST_OBJECTS_MAX];
    size_t count;
};

struct test_policy {
    struct arena arena;
    struct test_objects receive, permissions, domains, send;
    const struct record *server, *config;
    struct buf block;
    struct policy *policy; /* after test_open */
};

void test_policy_init(struct test_policy *t);
void test_policy_done(struct test_policy *t);
/* Adds objects, one a line, each "CLASS: Name=value|..."; classes as in policy/compile.h. */
void test_add(struct test_policy *t, const char *lines);
void test_addf(struct test_policy *t, const char *format, ...) PRINTF(2, 3);
/* Adds the entries of a permission group to a connector. */
void test_add_group(struct test_policy *t, const char *connector, enum permission_group g);
void test_input(const struct test_policy *t, struct policy_input *ret);
/* Compiles and opens; fails the test if either does. */
void test_open(struct test_policy *t);
/* Puts the objects of each class in another order, by the seed. */
void test_shuffle(struct test_policy *t, uint64_t *seed);
/* The next of a sequence of numbers, below n. */
uint32_t test_draw(uint64_t *seed, uint32_t n);
/* The receive connector of this name; fails the test without one. */
const struct receive_connector *test_receive(const struct test_policy *t, const char *name);
struct ip_addr test_ip(const char *text);
struct ip_endpoint test_endpoint(const char *text);
