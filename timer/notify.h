/*
 * timer/notify.h -- telling systemd how it goes (sd_notify(3), by hand: one datagram to $NOTIFY_SOCKET).
 */
#pragma once

/* Lines of NAME=VALUE.  Nothing happens where nobody wants to know; a failure is not worth a word. */
void hf_notify(const char *text);
