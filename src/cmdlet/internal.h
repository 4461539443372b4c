/* internal.h: what the cmdlets share. */
#pragma once

#include "cmdlet/context.h"
#include "cmdlet/table.h"
#include "schema/schema.h"

enum verb { VERB_NEW, VERB_GET, VERB_SET, VERB_REMOVE, VERB_COUNT };
#define VERB_BIT(verb) (1u << (verb))

/* A parameter that is no property of the class. */
struct noun_parameter {
    unsigned verbs; /* of which cmdlets: a set of VERB_BIT */
    struct shell_parameter parameter;
};

/*
 * What a noun does beyond its class; any hook may be NULL. All run inside the statement's transaction, so an error
 * undoes everything.
 */
struct noun {
    const struct schema_class *class;
    bool recipients;         /* kept in the store of recipients */
    bool singleton;          /* one object: Get- and Set- only, no identity needed */
    const char *const *keys; /* properties that identify an object beside Name and Guid; NULL-terminated, or NULL */
    const struct noun_parameter *parameters;
    size_t parameter_count;
    const char *examples[VERB_COUNT];
    /* A new object before its parameters are applied. */
    enum err_code (*preset)(struct shell_call *call, struct record *r, struct err *err);
    /* The computed properties of a stored object. */
    enum err_code (*compute)(struct shell_call *call, struct record *r, struct err *err);
    /* The complete new state: further values, checks against other objects. old: the present one; NULL for New-. */
    enum err_code (*prepare)(struct shell_call *call, const struct record *old, struct record *r, struct err *err);
    /* After it was put: objects that belong to it. */
    enum err_code (*stored)(struct shell_call *call, const struct record *old, struct record *r, struct err *err);
    enum err_code (*removing)(struct shell_call *call, const struct record *r, struct err *err);
    enum err_code (*removed)(struct shell_call *call, const struct record *r, struct err *err);
};

/* The parameter of every cmdlet that can change who may relay. */
#define CMDLET_FORCE                                                                                               \
    {                                                                                                              \
        "Force", NULL, PARAMETER_SWITCH, NULL,                                                                     \
            "Also where the result is an open relay, which is refused otherwise; the audit goes on to show it."    \
    }

extern const struct noun noun_receive_connector, noun_send_connector, noun_accepted_domain, noun_mailbox,
    noun_mail_contact, noun_distribution_group, noun_transport_server, noun_transport_config;
enum {
    PERMISSION_COMMANDS = 3,
    MEMBER_COMMANDS = 3,
    QUEUE_COMMANDS = 2,
    QUEUE_CHANGE_COMMANDS = 7,
    DENIAL_COMMANDS = 1,
    PRESSURE_COMMANDS = 1,
    INVENTORY_COMMANDS = 1,
    TRACKING_COMMANDS = 1,
    CERTIFICATE_COMMANDS = 5
};
extern const struct shell_command permission_commands[PERMISSION_COMMANDS], member_commands[MEMBER_COMMANDS],
    queue_commands[QUEUE_COMMANDS], queue_change_commands[QUEUE_CHANGE_COMMANDS], denial_commands[DENIAL_COMMANDS],
    pressure_commands[PRESSURE_COMMANDS], inventory_commands[INVENTORY_COMMANDS],
    certificate_commands[CERTIFICATE_COMMANDS], tracking_commands[TRACKING_COMMANDS];

enum { PLAN_COMMANDS = 5, AUDIT_COMMANDS = 1 };
extern const struct shell_command plan_commands[PLAN_COMMANDS], audit_commands[AUDIT_COMMANDS];

/* ---- generic.c: New-, Get-, Set- and Remove- over any noun; command->data is the noun ---- */
enum err_code cmdlet_run_new(struct shell_call *call, struct err *err);
enum err_code cmdlet_run_get(struct shell_call *call, struct err *err);
enum err_code cmdlet_run_set(struct shell_call *call, struct err *err);
enum err_code cmdlet_run_remove(struct shell_call *call, struct err *err);
/* Warns "What if: ..." about the object. */
void cmdlet_say_what_if(struct shell_call *call, struct span object);
/*
 * The same for a change of the policy. True: the change may be made, since the statement will be checked with it
 * and then undone; false: the statement has made real changes before, so nothing must be changed any more.
 */
bool cmdlet_try_what_if(struct shell_call *call, struct span object);
/* Notes -Force for the statement, where it is given. */
void cmdlet_note_force(struct shell_call *call);
void cmdlet_warn(struct shell_call *call, const char *format, ...) PRINTF(2, 3);

/* ---- object.c: contexts, records ---- */
struct cmdlet_context *cmdlet_context(const struct shell_call *call);
struct object_store *cmdlet_store(const struct cmdlet_context *c, const struct noun *n);
/* The argument of a parameter, or NULL. */
const struct value *cmdlet_argument(const struct shell_call *call, const char *name);
bool cmdlet_switch(const struct shell_call *call, const char *name);
enum err_code cmdlet_no_memory(struct err *err);
/* A record with Guid, WhenCreated and WhenChanged; NULL when memory is out. */
struct record *cmdlet_new_record(struct cmdlet_context *c, const struct schema_class *class, struct arena *arena);
enum err_code cmdlet_set(struct record *r, const char *name, struct value v, struct err *err);
/* Puts what errors of the schema begin with ("MaxHopCount: ...") behind the cmdlet's name and a dash. */
enum err_code cmdlet_parameter_error(const struct shell_call *call, struct err *err);
/* Brings an argument into the kind of a property. */
enum err_code cmdlet_parse(struct shell_call *call, const struct schema_property *p, struct value given,
                           const struct value *current, struct value *ret, struct err *err);
enum err_code cmdlet_facts(struct cmdlet_context *c, struct arena *arena, struct schema_facts *ret,
                           struct err *err);

/* As value_parse_time, or as Exchange's examples have it: 11/24/2026, with the time behind it where wanted. */
NODISCARD bool cmdlet_parse_date(struct span s, int64_t *ret_ms);
/* An argument that is a date, as text or as a time; `otherwise` where it is not given. */
NODISCARD enum err_code cmdlet_date(struct shell_call *call, const char *name, int64_t otherwise, int64_t *ret,
                                    struct err *err);

/* ---- find.c: identities ---- */
/*
 * The one object that a value means: a record from the pipeline, or text: Name, Guid, one of the noun's keys, or
 * Server\Name. ERR_NOT_FOUND names what there is.
 */
enum err_code cmdlet_find(struct shell_call *call, const struct noun *n, struct value identity, struct record **ret,
                          struct err *err);
/* What -Identity or the pipeline means; a singleton needs neither. */
enum err_code cmdlet_target(struct shell_call *call, const struct noun *n, struct record **ret, struct err *err);
/* A mailbox, contact or group by name, address or Guid; *ret_noun tells which. */
enum err_code cmdlet_find_recipient(struct shell_call *call, struct value identity, struct record **ret,
                                    const struct noun **ret_noun, struct err *err);
/* The one that a group's member means. ERR_NOT_FOUND: nobody, any more. */
enum err_code cmdlet_recipient_by_guid(struct shell_call *call, struct span guid, struct record **ret,
                                       const struct noun **ret_noun, struct err *err);
/* ERR_NOT_FOUND when -Server is given and names another server. */
enum err_code cmdlet_check_server(struct shell_call *call, struct err *err);
/* True for text with * or ?. */
bool cmdlet_is_pattern(const struct value *v);

/* ---- recipient.c: what mailboxes, contacts and groups have in common ---- */
extern const char *const recipient_keys[];
/*
 * Fills in name and primary address where they are not given, brings the addresses into order (the primary first)
 * and checks that those which are new are in an accepted domain and free.
 */
enum err_code recipient_prepare(struct shell_call *call, const struct record *old, struct record *r,
                                struct err *err);
/* Takes a recipient that is gone out of groups and ACLs. */
enum err_code recipient_removed(struct shell_call *call, const struct record *r, struct err *err);
