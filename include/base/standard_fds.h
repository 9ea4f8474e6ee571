/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_STANDARD_FDS_H
#define BASE_STANDARD_FDS_H

/* Opens on /dev/null what is closed of the descriptors 0 to 2, so that no socket or file gets one
 * of these numbers and is written to by a message. To be called first in main(). As glibc does for
 * set-user-ID programs (csu/check_fds.c), 0 is opened for writing only, 1 and 2 for reading only:
 * reading from or printing to a descriptor that was closed remains an error.
 * 0, or a negative errno: end then. */
int standard_fds_open(void);

#endif
