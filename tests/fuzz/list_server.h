/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An API server's pods and their history, answering lists and watches as bytes: without sockets,
 * and with objects of every hostile form that a fuzzer's choices make. */
#ifndef TESTS_LIST_SERVER_H
#define TESTS_LIST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "choices.h"

#define SERVER_NAMES   8 /* "p0" to "p7", in the order of a list */
#define SERVER_CHANGES 48

/* What a client can make of an object. */
enum server_form {
	SERVER_GONE,    /* not there */
	SERVER_PLAIN,   /* told as it is: its UID is "u" and its version */
	SERVER_HOSTILE, /* JSON, with something at a place where no pod has that: told under its
			   name */
	SERVER_UNKNOWN  /* no JSON, or of an unknown name: told or passed by */
};

struct server_change {
	unsigned name;
	enum server_form form;
	char *json; /* without the braces around it; of one that goes: what it was */
};

/* Zero is empty. The version after a change is its place in `changes`, from 1 on. */
struct list_server {
	struct server_change changes[SERVER_CHANGES];
	unsigned n;
	unsigned oldest; /* versions before that are forgotten: 410 */
};

/* A pod as every cluster has them. */
void server_put_plain(struct list_server *s, unsigned name);

/* Makes, changes or deletes an object, hostile or not. The first and the last name stay plain. */
void server_change(struct list_server *s, struct choices *choices);

/* What a client has to know now. */
enum server_form server_form(const struct list_server *s, unsigned name, unsigned *ret_version);

/* Answers the request of that path with the body; its status. */
int server_answer(const struct list_server *s, const char *path, FILE *body);

void server_done(struct list_server *s);

#endif
