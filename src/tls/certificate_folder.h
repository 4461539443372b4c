/*
 * certificate_folder.h: the certificates as files of one folder, certs/ of the state:
 *
 *   NAME.crt            a chain in PEM, leaf first, in use by every service that takes certificates
 *   NAME.crt.disabled   the same, switched off (Enable-ExchangeCertificate -Services None)
 *   NAME.csr            a request that waits for its certificate
 *   NAME.key            the key to either, PEM without a pass phrase, mode 0600
 *   trusted/ *.pem      authorities whose client certificates are believed
 *
 * An administrator may put and take files by hand. What is written here appears whole or not at all: a file is
 * flushed under another name and renamed, the key before its certificate.
 */
#pragma once

#include "tls/certificate_store.h"

enum { CERTIFICATE_FILE_MAX = 64 * 1024 };

/* The adapter; its context is the folder's path, a C string. */
extern const struct certificate_adapter certificate_folder;

/* Reads a file of less than CERTIFICATE_FILE_MAX bytes into a buffer that never grows, so that it can be wiped. */
enum err_code certificate_file_read(const char *path, struct buf *out, struct err *err);
/*
 * The authorities of trusted/ as one PEM text, appended; nothing when it has none. *ret_count: of files.
 * ERR_IO: a file cannot be read.
 */
enum err_code certificate_folder_trust(const char *folder, struct buf *out, size_t *ret_count, struct err *err);
