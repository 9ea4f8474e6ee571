# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is asking, and may they? Bearer tokens that can be changed, client certificates, and denials on command."""

import os
import secrets

from status import forbidden, forbidden_path, unauthorized

ANONYMOUS = "system:anonymous"
PUBLIC = ("/healthz", "/livez", "/readyz", "/version")


class Auth:
    def __init__(self, directory, settings):
        self.directory = directory
        self.settings = settings
        self.tokens = {}

    def token_file(self, user):
        return os.path.join(self.directory, f"token-{user}")

    def new_token(self, user, keep_old=False):
        """A new token for the user, also in the user's token file, which is replaced at once as a kubelet does."""
        if not keep_old:
            self.tokens = {token: holder for token, holder in self.tokens.items() if holder != user}
        token = secrets.token_urlsafe(24)
        self.tokens[token] = user
        path = self.token_file(user)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(token + "\n")
        os.rename(path + ".new", path)
        return token

    @staticmethod
    def token_of(request):
        """None: it has none."""
        scheme, _, token = (request.headers.get("Authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def claimed(self, request):
        """Whose token it has; None for other ways to say who one is."""
        return self.tokens.get(self.token_of(request))

    def identify(self, request, certificate):
        """Sets the request's user, or refuses it. A token that is wrong is worse than none."""
        token = self.token_of(request)
        if token is not None:
            if token not in self.tokens:
                raise unauthorized()
            request.user, request.groups = self.tokens[token], ["system:authenticated"]
        elif certificate:
            subject = [pair for part in certificate["subject"] for pair in part]
            request.user = next(value for name, value in subject if name == "commonName")
            request.groups = [value for name, value in subject if name == "organizationName"]
        else:
            request.user, request.groups = ANONYMOUS, ["system:unauthenticated"]

    def authorize(self, request):
        target = request.target
        if target.resource is None:
            if request.user == ANONYMOUS and request.path.rstrip("/") not in PUBLIC:
                raise forbidden_path(request.user, request.method.lower(), request.path)
        elif request.user == ANONYMOUS or any(self.denies(rule, request) for rule in self.settings.denied):
            raise forbidden(request.user, request.verb, target.resource, target.subresource, target.namespace,
                            target.name)

    @staticmethod
    def denies(rule, request):
        """A rule denies what it names; what it leaves out is anything."""
        asked = {"user": request.user, "verb": request.verb, "resource": request.target.resource.plural,
                 "namespace": request.target.namespace}
        return all(rule.get(name) in (None, value) for name, value in asked.items())
