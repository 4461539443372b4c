/* test_keytab_file.c: what is found at certs/smtp.keytab, and what is said of it. */
#include "check.h"

#include "role/common/keytab_file.h"
#include "sasl/keytab.h"
#include "sasl/test_keytab_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { NOTHING, A_FILE, A_FOLDER, A_FIFO, A_LINK_TO_ITSELF };

static char state_folder[64], path[128];

static void make_keytab(struct buf *b, const char *service, size_t hole)
{
    keytab_begin(b);
    keytab_add(b, service, "mail.example.com", 18, 32, 3, true);
    if (hole)
        keytab_add_hole(b, hole);
}

static void place(enum kind kind, const char *service, size_t octets)
{
    struct buf b;
    FILE *f;
    buf_init(&b, 2 * KEYTAB_FILE_MAX);
    unlink(path);
    switch (kind) {
    case NOTHING: break;
    case A_FILE:
        make_keytab(&b, service, 0);
        if (octets)
            keytab_add_hole(&b, octets - b.len - 4);
        f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(b.ptr, 1, b.len, f), b.len);
        fclose(f);
        break;
    case A_FOLDER: assert_int_equal(mkdir(path, 0700), 0); break;
    case A_FIFO: assert_int_equal(mkfifo(path, 0600), 0); break;
    case A_LINK_TO_ITSELF: assert_int_equal(symlink(path, path), 0); break;
    }
    buf_done(&b);
}

static const struct {
    const char *row;
    enum kind kind;
    const char *service;
    size_t octets; /* 0: as it comes */
    bool unknown, absent, usable;
    const char *text;
} rows[] = {
    {"none", NOTHING, "", 0, false, true, false, "there is no certs/smtp.keytab"},
    {"a good one", A_FILE, "smtp", 0, false, false, true, "smtp/mail.example.com@EXAMPLE.COM (version 3)"},
    {"of another service", A_FILE, "imap", 0, false, false, false, "certs/smtp.keytab has no key for smtp/HOST"},
    {"the largest", A_FILE, "smtp", KEYTAB_FILE_MAX, false, false, true, "smtp/mail.example.com@EXAMPLE.COM"},
    {"too large", A_FILE, "smtp", KEYTAB_FILE_MAX + 1, false, false, false,
     "certs/smtp.keytab is larger than 65536"},
    {"far too large", A_FILE, "smtp", 2 * KEYTAB_FILE_MAX, false, false, false, "certs/smtp.keytab is larger than"},
    {"a pipe that nobody writes to", A_FIFO, "", 0, false, false, false, "certs/smtp.keytab is no keytab"},
    {"a link to itself", A_LINK_TO_ITSELF, "", 0, true, false, false, "cannot read"},
    {"a folder", A_FOLDER, "", 0, true, false, false, "cannot read"},
};

static void found(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *row = rows[i].row;
        struct keytab_file k;
        place(rows[i].kind, rows[i].service, rows[i].octets);
        keytab_file_read(state_folder, &k);
        CHECK_INT(row, k.unknown, rows[i].unknown);
        CHECK_INT(row, k.absent, rows[i].absent);
        CHECK_INT(row, k.usable, rows[i].usable);
        if (!strstr(k.text, rows[i].text))
            CHECK_STR(row, k.text, rows[i].text);
        CHECK_INT(row, k.bytes.len > 0, rows[i].usable); /* kept where they are of use only */
        keytab_file_done(&k);
    }
}

static int make(void **state UNUSED)
{
    char folder[96];
    snprintf(state_folder, sizeof state_folder, "/tmp/mailreeve-test-XXXXXX");
    if (!mkdtemp(state_folder))
        return -1;
    snprintf(folder, sizeof folder, "%s/certs", state_folder);
    snprintf(path, sizeof path, "%s/" KEYTAB_FILE_NAME, state_folder);
    return mkdir(folder, 0700);
}

static int drop(void **state UNUSED)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", state_folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(found)};
    return cmocka_run_group_tests(tests, make, drop);
}
