/* host_facts.c: see host_facts.h. Interfaces come from getifaddrs, routes from /proc, bridges from /sys. */
#include "cli/host_facts.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 4096, ROUTE_GATEWAY = 2 /* RTF_GATEWAY */ };

struct collector {
    struct arena *arena;
    struct audit_address *items;
    size_t count;
    bool failed; /* no memory */
};

static void add(struct collector *c, struct audit_address a, const char *interface)
{
    for (size_t i = 0; i < c->count; i++)
        if (ip_cmp(c->items[i].addr, a.addr) == 0) {
            c->items[i].flags |= a.flags;
            return;
        }
    a.interface = arena_dup(c->arena, span_of(interface));
    c->failed = c->failed || !a.interface.ptr;
    if (!c->failed && c->count < ADDRESSES_MAX)
        c->items[c->count++] = a;
}

/* ---- interfaces ---- */

/* By the kernel's word, or where it is hidden, by the names that container engines give. */
static bool is_bridge(const char *interface)
{
    static const char *const prefixes[] = {"docker", "br-", "virbr", "cni", "podman", "lxcbr", "lxdbr", "incusbr"};
    char path[64 + IF_NAMESIZE];
    snprintf(path, sizeof path, "/sys/class/net/%.*s/bridge", IF_NAMESIZE, interface);
    if (access(path, F_OK) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (span_starts(span_of(interface), span_of(prefixes[i])))
            return true;
    return false;
}

static bool address_of(const struct sockaddr *sa, struct ip_addr *ret)
{
    if (sa && sa->sa_family == AF_INET) {
        uint8_t b[4];
        memcpy(b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, sizeof b);
        *ret = ip_v4(b[0], b[1], b[2], b[3]);
        return true;
    }
    if (sa && sa->sa_family == AF_INET6) {
        memcpy(ret->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, sizeof ret->bytes);
        return true;
    }
    return false;
}

static enum err_code add_interfaces(struct collector *c, struct err *err)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return err_set(err, ERR_IO, "the addresses of this host cannot be read");
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct audit_address a = {.flags = AUDIT_OWN};
        if (!address_of(i->ifa_addr, &a.addr))
            continue;
        if (is_bridge(i->ifa_name))
            a.flags |= AUDIT_BRIDGE;
        add(c, a, i->ifa_name);
    }
    freeifaddrs(all);
    return ERR_NONE;
}

/* ---- routes ---- */

bool host_facts_read_route(const char *line, struct audit_address *ret, char interface[static 17])
{
    unsigned destination, gateway, flags;
    uint8_t b[4];
    if (sscanf(line, "%16s %8x %8x %8x", interface, &destination, &gateway, &flags) != 4 ||
        !(flags & ROUTE_GATEWAY) || gateway == 0)
        return false;
    memcpy(b, &gateway, sizeof b); /* the kernel prints the word as this machine has it in memory */
    *ret = (struct audit_address){.addr = ip_v4(b[0], b[1], b[2], b[3]), .flags = AUDIT_GATEWAY};
    return true;
}

bool host_facts_read_route6(const char *line, struct audit_address *ret, char interface[static 17])
{
    char next[33];
    unsigned flags;
    struct audit_address a = {.flags = AUDIT_GATEWAY};
    bool any = false;
    if (sscanf(line, "%*32s %*2x %*32s %*2x %32s %*8x %*8x %*8x %8x %16s", next, &flags, interface) != 3 ||
        !(flags & ROUTE_GATEWAY) || strlen(next) != 2 * sizeof a.addr.bytes)
        return false;
    for (size_t i = 0; i < sizeof a.addr.bytes; i++) {
        unsigned byte;
        if (sscanf(next + 2 * i, "%2x", &byte) != 1)
            return false;
        a.addr.bytes[i] = (uint8_t)byte;
        any = any || byte;
    }
    *ret = a;
    return any;
}

static void add_routes(struct collector *c, const char *path,
                       bool (*read)(const char *line, struct audit_address *ret, char interface[static 17]))
{
    FILE *f = fopen(path, "re");
    char line[512], interface[17];
    struct audit_address a;
    while (f && fgets(line, sizeof line, f))
        if (read(line, &a, interface))
            add(c, a, interface);
    if (f)
        fclose(f);
}

enum err_code host_facts_addresses(struct arena *arena, struct audit_facts *facts, struct err *err)
{
    struct collector c = {.arena = arena, .items = ARENA_ARRAY(arena, ADDRESSES_MAX, struct audit_address)};
    enum err_code code = c.items ? add_interfaces(&c, err) : err_set(err, ERR_NO_MEMORY, "out of memory");
    if (code)
        return code;
    add_routes(&c, "/proc/net/route", host_facts_read_route);
    add_routes(&c, "/proc/net/ipv6_route", host_facts_read_route6);
    if (c.failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    facts->addresses = c.items;
    facts->address_count = c.count;
    return ERR_NONE;
}
