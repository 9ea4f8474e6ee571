/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a struct http_call to libcurl's options. */
#ifndef SOURCE_HTTP_OPTIONS_H
#define SOURCE_HTTP_OPTIONS_H

#include <curl/curl.h>

#include "source/http.h"

/* Lists that libcurl borrows for as long as the handle lives. */
struct http_options {
	struct curl_slist *headers, *connect_to;
};

/* 0; -ENOMEM; -EINVAL with err. `options` is to be given to http_options_done() in any case, after
 * the handle. */
int http_options_set(CURL *easy, const struct http_call *call, struct http_options *options,
		     struct err *err);

void http_options_done(struct http_options *options);

#endif
