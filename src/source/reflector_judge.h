/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an end means: what comes next, when, and what the log says of it. */
#ifndef SOURCE_REFLECTOR_JUDGE_H
#define SOURCE_REFLECTOR_JUDGE_H

#include "source/reflector.h"

/* Before any of the others. */
void reflector_judge_begin(struct reflector *r);

/* The connection failed, or what came over it was cut or no answer. */
void reflector_broke_off(struct reflector *r, const char *text);

void reflector_went_silent(struct reflector *r);

/* A page of a list broke off within an object; it is asked for again, with fewer objects. */
void reflector_page_broke_off(struct reflector *r, const char *text);

/* A watch ended as watches do. */
void reflector_watch_ended(struct reflector *r);

/* Somebody did not take an event: all is to be told again. */
void reflector_lost(struct reflector *r, const char *text);

/* The server answered with an error: as the status of its answer, or as the last event of a watch
 * that it answered with 200. */
enum reflector_error { REFLECTOR_STATUS, REFLECTOR_EVENT };

void reflector_answered(struct reflector *r, enum reflector_error where, int code,
			const struct api_status *status, unsigned retry_after_s);

/* Deletes all that the list now ending did not have. 0 or a negative errno. */
int reflector_sweep(struct reflector *r);

#endif
