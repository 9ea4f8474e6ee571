/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/exec_plugin.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "exec_credential.h"

#define INFO_VARIABLE "KUBERNETES_EXEC_INFO"

struct exec_plugin {
	const struct exec_config *config;
	exec_plugin_fn fn;
	void *ctx;
	pid_t pid; /* 0: reaped */
	int pidfd, output;
	struct event *readable, *exited, *late;
	struct secret answer; /* v has EXEC_PLUGIN_OUTPUT_MAX bytes */
	bool too_long;
};

void exec_plugin_free(struct exec_plugin *p)
{
	struct event *events[3];

	if (!p)
		return;
	events[0] = p->readable;
	events[1] = p->exited;
	events[2] = p->late;
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (events[i])
			event_free(events[i]);
	}
	if (p->pid > 0) {
		(void)kill(-p->pid, SIGKILL);   /* with what it has started */
		(void)waitpid(p->pid, NULL, 0); /* it is ours: it ends */
	}
	cleanup_close(&p->pidfd);
	cleanup_close(&p->output);
	secret_done(&p->answer);
	free(p);
}

/* The last word: the plugin goes before its result is told. */
static void finish(struct exec_plugin *p, int rc, struct err *err)
{
	struct exec_credential credential = {0};
	exec_plugin_fn fn = p->fn;
	void *ctx = p->ctx;
	struct err why = {0};

	if (rc == 0)
		rc = exec_credential_parse(p->answer.v, p->answer.n, p->config->api_version,
					   &credential, &why);
	if (rc < 0 && why.code)
		(void)err_set(err, rc, "credential plugin %.80s: %.300s", p->config->command,
			      why.text); /* rc says it already */
	exec_plugin_free(p);
	fn(ctx, rc, &credential, err);
}

static void take_output(struct exec_plugin *p)
{
	ssize_t n = 1;

	while (n > 0) {
		size_t room = EXEC_PLUGIN_OUTPUT_MAX - p->answer.n;

		if (room == 0) {
			p->too_long = true;
			break;
		}
		n = read(p->output, p->answer.v + p->answer.n, room);
		if (n > 0)
			p->answer.n += (size_t)n;
	}
	if (n == 0 || p->too_long)
		(void)event_del(p->readable); /* cannot fail: it is there */
}

static int judge_length(const struct exec_plugin *p, struct err *err)
{
	if (!p->too_long)
		return 0;
	return err_set(err, -EIO, "credential plugin %.80s: expected at most %u bytes",
		       p->config->command, EXEC_PLUGIN_OUTPUT_MAX);
}

static void on_output(evutil_socket_t fd, short what, void *ctx)
{
	struct exec_plugin *p = ctx;
	struct err err = {0};

	(void)fd;
	(void)what;
	take_output(p);
	if (p->too_long) /* it would wait for us, and we for its end */
		finish(p, judge_length(p, &err), &err);
}

static int judge_exit(const struct exec_plugin *p, int status, struct err *err)
{
	const char *name = p->config->command;
	const char *hint = p->config->install_hint ? p->config->install_hint : "";

	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(err, -ENOENT, "credential plugin %.80s: cannot be run%s%.200s", name,
			       hint[0] ? ": " : "", hint);
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return err_set(err, -EIO, "credential plugin %.80s: exit status %d", name,
			       WEXITSTATUS(status));
	if (WIFSIGNALED(status))
		return err_set(err, -EIO, "credential plugin %.80s: killed by signal %d", name,
			       WTERMSIG(status));
	return judge_length(p, err);
}

static void on_exit_seen(evutil_socket_t fd, short what, void *ctx)
{
	struct exec_plugin *p = ctx;
	struct err err = {0};
	int status = 0, rc = 0;

	(void)fd;
	(void)what;
	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		rc = err_set(&err, -ECHILD, "credential plugin %.80s: its exit status was lost",
			     p->config->command);
	p->pid = 0;
	take_output(p);
	if (rc == 0)
		rc = judge_exit(p, status, &err);
	finish(p, rc, &err);
}

static void on_late(evutil_socket_t fd, short what, void *ctx)
{
	struct exec_plugin *p = ctx;
	struct err err = {0};
	int rc = err_set(&err, -ETIMEDOUT, "credential plugin %.80s: no answer in %d s",
			 p->config->command, EXEC_PLUGIN_TIMEOUT_S);

	(void)fd;
	(void)what;
	finish(p, rc, &err);
}

/* Our environment, with what the kubeconfig and the protocol add. */
struct variables {
	VEC(char *) all;
};

static void variables_done(struct variables *env)
{
	for (size_t i = 0; i < env->all.n; i++)
		secret_wipe_free(env->all.v[i]);
	vec_free(&env->all);
}

static int add_variable(struct variables *env, const char *name, const char *value)
{
	size_t len = strlen(name);
	char *text;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < env->all.n; i++) {
		if (strncmp(env->all.v[i], text, len + 1) == 0) {
			secret_wipe_free(env->all.v[i]);
			env->all.v[i] = text;
			return 0;
		}
	}
	if (vec_push(&env->all, text) == 0)
		return 0;
	secret_wipe_free(text);
	return -ENOMEM;
}

static int build_variables(struct variables *env, const struct exec_config *config,
			   const char *info)
{
	int rc = 0;

	for (char **v = environ; *v && rc == 0; v++) {
		char *copy = strdup(*v);

		rc = copy ? vec_push(&env->all, copy) : -ENOMEM;
		if (rc < 0)
			free(copy);
	}
	for (size_t i = 0; i < config->env.n && rc == 0; i++)
		rc = add_variable(env, config->env.v[i].name, config->env.v[i].value);
	if (rc == 0)
		rc = add_variable(env, INFO_VARIABLE, info);
	return rc == 0 ? vec_push(&env->all, NULL) : rc;
}

static int spawn_with(struct exec_plugin *p, int output, char *argv[], char *envp[])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int rc;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
		return -ENOMEM;
	}
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	/* A group of its own, to be killed whole; our signals and files are not its business. */
	rc = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
							   POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(&attributes, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(&attributes, &all);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY,
						      0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (rc == 0)
		rc = posix_spawnp(&p->pid, p->config->command, &actions, &attributes, argv, envp);
	(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
	(void)posix_spawnattr_destroy(&attributes);       /* cannot fail */
	return -rc;
}

static int spawn(struct exec_plugin *p, int output, const char *info)
{
	struct variables env = {0};
	VEC(char *) argv = {0};
	int rc = vec_push(&argv, p->config->command);

	for (size_t i = 0; i < p->config->args.n && rc == 0; i++)
		rc = vec_push(&argv, p->config->args.v[i]);
	if (rc == 0)
		rc = vec_push(&argv, NULL);
	if (rc == 0)
		rc = build_variables(&env, p->config, info);
	if (rc == 0)
		rc = spawn_with(p, output, argv.v, env.all.v);
	if (rc < 0)
		p->pid = 0;
	vec_free(&argv);
	variables_done(&env);
	return rc;
}

static int run(struct exec_plugin *p, const char *info)
{
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	p->output = ends[0];
	rc = fcntl(p->output, F_SETFL, O_NONBLOCK) < 0 ? -errno : spawn(p, ends[1], info);
	(void)close(ends[1]); /* nothing was written */
	if (rc < 0)
		return rc;
	p->pidfd = pidfd_open(p->pid, 0);
	return p->pidfd < 0 ? -errno : 0;
}

static int watch(struct exec_plugin *p, struct event_base *base)
{
	struct timeval late = {.tv_sec = EXEC_PLUGIN_TIMEOUT_S};

	p->readable = event_new(base, p->output, EV_READ | EV_PERSIST, on_output, p);
	p->exited = event_new(base, p->pidfd, EV_READ, on_exit_seen, p);
	p->late = evtimer_new(base, on_late, p);
	if (!p->readable || !p->exited || !p->late || event_add(p->readable, NULL) < 0 ||
	    event_add(p->exited, NULL) < 0 || event_add(p->late, &late) < 0)
		return -ENOMEM;
	return 0;
}

int exec_plugin_start(struct event_base *base, const struct api_config *config,
		      const struct secret *ca, exec_plugin_fn fn, void *ctx,
		      struct exec_plugin **ret, struct err *err)
{
	struct exec_plugin *p = calloc(1, sizeof(*p));
	AUTO_FREE char *info = exec_credential_ask(config, ca);
	int rc;

	if (!p || !info) {
		free(p);
		return -ENOMEM;
	}
	*p = (struct exec_plugin){
		.config = &config->exec, .fn = fn, .ctx = ctx, .pidfd = -1, .output = -1};
	p->answer.v = malloc(EXEC_PLUGIN_OUTPUT_MAX);
	rc = p->answer.v ? run(p, info) : -ENOMEM;
	if (rc == 0)
		rc = watch(p, base);
	if (rc == 0) {
		*ret = p;
		return 0;
	}
	exec_plugin_free(p);
	if (rc != -ENOMEM)
		(void)err_set(err, rc, "credential plugin %.80s: %s%s%.200s", config->exec.command,
			      strerror(-rc), config->exec.install_hint ? ": " : "",
			      config->exec.install_hint ? config->exec.install_hint : "");
	return rc;
}
