/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon: its parts, and what they share. */
#ifndef DAEMON_INTERNAL_H
#define DAEMON_INTERNAL_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "daemon/apply.h"
#include "daemon/findings.h"
#include "daemon/rights.h"
#include "daemon/settings.h"
#include "node/attach.h"
#include "node/preflight.h"
#include "policy/graph.h"
#include "render/render.h"
#include "source/api.h"
#include "source/follow.h"

struct evhttp;
struct evhttp_request;
struct evconnlistener;
struct bufferevent;
struct connection;
struct daemon;
struct local_pod;
struct established;
struct enforced_waiter;
struct work;

/* See work.c. Embedded in what it is about. */
struct job {
	void (*run)(struct daemon *d, struct job *job);
	void (*drop)(struct daemon *d, struct job *job); /* at the end: it is not run; or NULL */
	bool waiting;
	struct job *prev, *next;
};

/* Those who ask at one address. */
struct server {
	struct evhttp *http; /* NULL: not open */
	struct evconnlistener *listener;
	struct event *due;              /* the next time to look at the connections */
	struct connection *connections; /* the oldest first */
	size_t n_connections;           /* but for those that are about to end */
	unsigned accepts;               /* since requests were read */
	bool paused;                    /* nobody is let in */
};

/* connections.c: those of a server. As evhttp_set_bevcb() wants it. */
struct bufferevent *connections_add(struct event_base *base, void *server);
void connections_on_due(evutil_socket_t fd, short what, void *server);
/* The request is answered later: its connection is not closed for another one until then. */
void connections_hold(struct server *server, struct evhttp_request *request);
void connections_done(struct server *server);

/* Kernel settings that are followed, see sysctls.c. */
#define SYSCTLS 5

struct sysctls {
	int inotify; /* -1: they are not followed */
	int files[SYSCTLS];
	struct event *event;
};

struct daemon {
	const struct settings *settings;
	const char *node;               /* whose pods are local; NULL: every pod is */
	const struct rights_user *user; /* to become; NULL: nobody else */
	const gid_t *control_group;     /* of the control socket; NULL: it is its owner's alone */
	struct event_base *base;
	struct intern *strings;
	struct graph *graph;
	struct render *render;
	struct established *established; /* that stand when policy changes */
	bool rules_absent;  /* since the last commit, so that any connection may have been made */
	bool rules_changed; /* since connections were last told of a commit, or perhaps */
	struct apply apply;
	bool can_apply; /* apply is open */

	struct work *work;       /* NULL: --once */
	bool changing;           /* the graph is, and may stand halfway when others look */
	struct local_pod *stale; /* pods here whose links have changed since they were published */
	VEC(struct addr) stale_addrs; /* whose place the graph has not been told yet */
	int64_t stale_us,
		attach_us;     /* since when there are any, and news of links; CLOCK_MONOTONIC */
	struct job attach_job; /* reads these, and publishes those */

	/* Sources. */
	struct job files_job;
	struct follow *follow;
	struct event *files_changed, *read_files;
	struct files_report report; /* of the last time that files were read */
	size_t errors, warnings, kept;
	int64_t read_ms;          /* when, CLOCK_REALTIME; 0: not yet */
	int64_t changed_since_ms; /* not read since, CLOCK_MONOTONIC; 0: nothing has changed */
	int64_t reading_us;       /* the first change that is being read, CLOCK_MONOTONIC */
	int64_t unread_us;        /* the first change that no reading has been through since */
	struct api_config api_config;
	bool has_api_config;
	struct api_source *api;
	struct broken *broken;             /* by key */
	size_t broken_here;                /* pods among them that this node may have */
	struct unenforced_api *unenforced; /* by key */
	bool synced; /* everything that was there at the start is in the graph */

	/* This node. */
	struct attach *attach;
	uint64_t host_generation; /* of what is attached, as of host_update(), and one; 0: never */
	bool ipvs;                /* Services are forwarded by IPVS */
	struct event *attach_readable[ATTACH_FDS], *attach_due, *look;
	struct local_pod *local; /* pods of this node, by name */
	struct sysctls sysctls;
	size_t unseen;     /* interfaces that policy does not reach, when last checked */
	int64_t looked_ms; /* when the host was last looked at, CLOCK_MONOTONIC */
	struct job look_job;
	bool looking, log_findings; /* the job has begun; the log gets all findings when it ends */
	size_t unknown;             /* closed, because no source knows them */
	bool over_limit_reported;   /* some pods are, by policies that are too complicated */

	/* The kernel. */
	struct event *commit, *touches;
	bool touched;        /* others have changed our tables, and that is not mended yet */
	int64_t repaired_ms; /* the last time it was, CLOCK_MONOTONIC */
	bool held;           /* an earlier run's rules stay, and that has been said */
	struct job commit_job, established_job;
	struct job flush_job;            /* of policies, for an answer */
	bool dirty_since, touched_since; /* as below, by what came since the last commit began */
	bool dirty;               /* the kernel may have something else than what is rendered */
	int64_t arrived_us;       /* when what is being taken in came, CLOCK_MONOTONIC */
	int64_t waiting_us;       /* when the first came that the kernel has not; 0: it has all */
	struct histogram latency; /* from there to the commit */
	int64_t last_commit_ms;   /* CLOCK_MONOTONIC; a change sooner than the interval waits */
	unsigned failures_in_row;
	bool ready; /* the kernel has had everything once */

	struct findings findings; /* all that is wrong, by any part */

	/* The service manager, and those who ask. */
	struct event *signals[3], *watchdog;
	struct server control, metrics;
	bool nodes_changed;              /* since their networks were saved */
	struct enforced_waiter *waiters; /* for a pod to be enforced */
	size_t n_waiters;
	VEC(struct evhttp_request *) status_requests; /* that wait for a look at the host */
	int64_t started_ms;                           /* CLOCK_REALTIME */
	struct histogram iterations;                  /* of the loop: processor time of each */
	uint64_t longest_iteration_us;                /* of these */
	bool ending;                                  /* the loop is left */
	int status;                                   /* to exit with */
	bool fatal; /* out of memory in the middle of a change: only good for exiting */
};

/* loop.c */
/* An iteration that takes more keeps probes waiting. */
#define LOOP_ITERATION_MAX_US 50000

/* Until loop_end(), or for lack of anything to wait for. 0 or -EIO. */
int loop_run(struct daemon *d);
void loop_end(struct daemon *d);

/* A one-shot timer of the loop. `ms` from now; sooner or later than before, as it comes. */
void arm(struct event *timer, int64_t ms);

/* Out of memory: the graph is in no defined state. The rules stay as they are; whoever started us
 * starts us again. */
void daemon_give_up(struct daemon *d);

/* work.c: jobs that may take long, in order. */
int work_start(struct daemon *d);
void work_stop(struct daemon *d);
/* Runs the job, at once where nothing else waits; the rest of it, or all, in later iterations. One
 * that waits already is not added again. With --once: all of it, at once. */
void work_add(struct daemon *d, struct job *job);
/* Is something not through? Then what must stay in order waits, too. */
bool work_waits(const struct daemon *d);

/* local.c: objects into the graph, with what the node has seen of its own pods; as graph_put() and
 * graph_remove(). */
int local_start(struct daemon *d);
void local_stop(struct daemon *d);
int local_put(struct daemon *d, struct object object);
/* Takes the object over: only its kind and names count. */
int local_remove(struct daemon *d, struct object object);
/* Is the pod of this node, or of no node that is known? */
bool local_may_have(const struct daemon *d, const struct pod *pod);
/* Pods of this node that are found by their device. */
size_t local_with_device(const struct daemon *d);

/* host.c: this host's addresses, tunnels and pods as they are now, into graph and ruleset; the
 * kernel follows at once where these have changed. 0 or -ENOMEM. */
int host_update(struct daemon *d);

/* daemon.c: what the settings say of the ruleset. */
struct render_options daemon_options(const struct daemon *d);

/* unknown.c: closes the pods that the node has and no source knows, where the settings say so, and
 * those that are not understood. 0 or -ENOMEM. */
int unknown_close(struct daemon *d);

/* closed.c: each pod and direction that is closed, as its policies are too complicated. */
typedef void (*closed_fn)(void *ctx, const char *pod, const struct profile *profile);
void closed_each(const struct daemon *d, closed_fn fn, void *ctx);
/* Says in the log what is new of that. */
void closed_tell(struct daemon *d);

/* conditions.c: findings of what other parts know: closed pods, what the kernel rejects, objects.
 * Before each answer that depends on them. */
void conditions_check(struct daemon *d);

/* table_owner.c: what follows from who owns our tables. */
void table_owner_check(struct daemon *d);

/* kernel_features.c: findings about what the kernel was built without, after a commit that returned
 * this. */
void kernel_features_tell(struct daemon *d, int commit);

/* interfaces.c: findings about pods that policies select, at interfaces that policy does not reach.
 * After each change of the graph or of what the node has seen. */
void interfaces_check(struct daemon *d);
/* contested.c: findings about addresses that objects claim and do not have. */
void contested_check(struct daemon *d);

/* sysctls.c: has the host looked at when somebody changes a setting that policy depends on. 0 or
 * -ENOMEM. */
int sysctls_start(struct daemon *d);
void sysctls_stop(struct daemon *d);
/* Those that are there by now, too. */
void sysctls_follow(struct daemon *d);

/* look.c: looks at this host for what is in the way of enforcing: findings of the part "host". */
int look_start(struct daemon *d);
void look_stop(struct daemon *d);
/* Within a job. */
void look_at_host(struct daemon *d);
/* By a job of its own: at once and to the end, where nothing else waits and it is short. */
void look_now(struct daemon *d);
/* Has it begun, and is not through? */
bool look_goes_on(const struct daemon *d);
/* Within a second. */
void look_soon(struct daemon *d);
void look_in(struct daemon *d, int64_t ms);
/* As look_now(), but not more often than once in a second. */
void look_again(struct daemon *d);

/* An object of the API server that cannot be understood. */
struct broken {
	char *key, *reason; /* "Pod shop/web" */
	struct pod *pod;    /* as far as it can be read, where this node may have it; or NULL */
	UT_hash_handle hh;
};

/* A policy of the API server whose kind is not enforced. */
struct unenforced_api {
	struct object object;
	char *key; /* type, namespace and name */
	UT_hash_handle hh;
};

/* api.c: an API server's objects into the graph. */
int api_start(struct daemon *d);
void api_stop(struct daemon *d);
/* Does a kind of objects that every cluster has make no progress? */
bool api_stalled(const struct daemon *d);

/* files.c: manifests into the graph. */
int files_start(struct daemon *d);
void files_stop(struct daemon *d);

/* reconcile.c: from the graph to the kernel. */
/* Around each change of the graph, which may pause halfway: until reconcile_soon() and the commit
 * after it the kernel has something else. */
/* Brings to the pods the policies that have come since the last commit; within a job. 0 or -ENOMEM.
 */
int flush_policies(struct daemon *d);
void change_begin(struct daemon *d);
void change_end(struct daemon *d);
int reconcile_start(struct daemon *d);
void reconcile_stop(struct daemon *d);
/* Something has changed in the graph, by what came at d->arrived_us: the kernel follows, at once or
 * when the interval is over. */
void reconcile_soon(struct daemon *d);
/* The same, interval or not: a pod of this node must not wait. */
void reconcile_urgent(struct daemon *d);
/* Of struct established_options. */
void reconcile_established(void *daemon);
/* Now. 0; or why not: it tries again by itself, and has said so. */
int reconcile_now(struct daemon *d);

/* state.c: how things stand, in one word. */
enum daemon_state {
	DAEMON_ENFORCING, /* the kernel has what policy says, and no finding is an error */
	DAEMON_DEGRADED,  /* there are errors, but no path is open that is known of */
	DAEMON_BEHIND,    /* the kernel does not have what policy says */
	DAEMON_OPEN,      /* packets pass that policy denies */
};

enum daemon_state daemon_state(const struct daemon *d);
const char *daemon_state_name(enum daemon_state state);
/* The rule of /readyz: ready, and no finding is an error. Says why not. */
bool daemon_is_ready(struct daemon *d, char *why, size_t len);
/* Nothing has been committed yet: what that means is a finding until the first commit. 0 or
 * -ENOMEM. */
int state_start(struct daemon *d);
void state_committed(struct daemon *d);
int state_commit_failed(struct daemon *d, const char *why);

/* status.c: what the daemon knows of itself. NULL: no memory. */
json_t *status_json(struct daemon *d);
/* Policies of kinds that are not enforced. */
size_t daemon_unenforced(const struct daemon *d);
/* metrics.c: the same as numbers. 0 or -ENOMEM. */
int metrics_print(struct daemon *d, struct evbuffer *out);

/* listen.c: sockets that listen. 0, or a negative errno. */
/* Only its owner may connect, and the group (NULL: none). */
int listen_unix(const char *path, const gid_t *group, int *ret_fd);
bool listen_answers(const char *path);         /* does somebody? */
int listen_tcp(const char *text, int *ret_fd); /* 1.2.3.4:80, [::1]:80 or name:80 */
/* The socket's directory, if it is only the last part that is missing. One that is there is not
 * given to the user (NULL: nobody is): it may be everybody's. `for_group`: others may pass it. */
int listen_make_directory(const char *path, const struct rights_user *user, bool for_group);

/* server.c: HTTP for those who ask. */
/* The directory of the control socket, where it is missing: the user's. */
int server_make_directory(struct daemon *d);
int server_open_control(struct daemon *d);
int server_open_metrics(struct daemon *d);
void server_close(struct daemon *d);
/* Those who wait for what a look at the host has found. */
void server_answer_status(struct daemon *d);
void server_reply(struct evhttp_request *request, int code, const char *reason, const char *type,
		  struct evbuffer *body);
void server_reply_text(struct evhttp_request *request, int code, const char *reason,
		       const char *text);

#define SERVER_NOT_SYNCED "not all sources have been read yet"
#define SERVER_BUSY       "a large change is being taken in" /* netpolctl asks again */

/* pod_networks.c: the networks that pods have their addresses in, as Node objects say, kept for
 * `netpold --lockdown` in the state directory where that is there. */
void pod_networks_save(struct daemon *d);

/* enforced.c: whether a pod is enforced, for its CNI plugin. */
void server_on_enforced(struct evhttp_request *request, void *ctx);
/* The kernel has what is rendered: answers those who wait for that. */
void enforced_check(struct daemon *d);
void enforced_stop(struct daemon *d);

/* explain.c: answers from the graph. */
void server_on_explain(struct evhttp_request *request, void *ctx);
void server_on_graph(struct evhttp_request *request, void *ctx);

#endif
