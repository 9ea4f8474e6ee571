/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a service manager is told: the protocol of sd_notify(3), without its library. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* Sends assignments such as "READY=1\nSTATUS=..." to $NOTIFY_SOCKET. Does nothing where there is
 * none; what cannot be sent is lost, as a service manager that is away cannot be helped. */
void notify_send(const char *assignments);

/* How often WATCHDOG=1 is expected, in microseconds ($WATCHDOG_USEC, for this process); 0: never.
 */
uint64_t notify_watchdog_us(void);

#endif
