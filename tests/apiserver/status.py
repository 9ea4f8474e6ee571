# SPDX-License-Identifier: GPL-2.0-or-later
"""Refusals as the API server words them: an HTTP status, and a Status object or plain text."""

from shape import encode

EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    " Continuing with the provided token results in an inconsistent list - objects that were created, modified, or"
    " deleted between the time the first chunk was returned and now may show up in the list.")


def status_object(code, reason, message, details=None, metadata=None):
    found = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure", "message": message}
    if reason:
        found["reason"] = reason
    if details is not None:
        found["details"] = details
    found["code"] = code
    return found


class Refusal(Exception):
    """An answer that is not what was asked for. body: a Status, or text."""

    def __init__(self, code, body, retry_after=None, nosniff=False):
        super().__init__(body if isinstance(body, str) else body["message"])
        self.code = code
        self.text = isinstance(body, str)
        self.status = body
        self.retry_after = retry_after
        self.nosniff = nosniff or self.text

    def body(self):
        return (self.status if self.text else encode(self.status).decode()).encode() + b"\n"


def refusal(code, reason, message, details=None, metadata=None, **rest):
    return Refusal(code, status_object(code, reason, message, details, metadata), **rest)


def named(resource, name=None, **rest):
    """Status details; resource is a Resource or None."""
    details = {"name": name} if name else {}
    if resource and resource.group:
        details["group"] = resource.group
    if resource:
        details["kind"] = resource.plural
    return details | rest


def page_not_found():
    return Refusal(404, "404 page not found")


def unauthorized():
    return refusal(401, "Unauthorized", "Unauthorized")


def forbidden(user, verb, resource, subresource, namespace, name):
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = resource.plural + (f"/{subresource}" if subresource else "")
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    message = (f'{subject} is forbidden: User "{user}" cannot {verb} resource "{what}" in API group'
               f' "{resource.group}" {where}')
    return refusal(403, "Forbidden", message, named(resource, name), nosniff=True)


def forbidden_path(user, verb, path):
    return refusal(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {}, nosniff=True)


def not_found(resource, name):
    return refusal(404, "NotFound", f'{resource.qualified} "{name}" not found', named(resource, name))


def already_exists(resource, name):
    return refusal(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', named(resource, name))


def conflict(resource, name, why=None):
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return refusal(409, "Conflict", message, named(resource, name))


def bad_request(message):
    return refusal(400, "BadRequest", message)


def method_not_allowed():
    return refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable():
    return refusal(406, "NotAcceptable", "only the following media types are accepted: application/json", {})


def unsupported_media_type(accepted):
    return refusal(415, "UnsupportedMediaType",
                   "the body of the request was in an unknown format - accepted media types include: " + accepted, {})


class FieldError:
    """One fault of a field, as in the causes of a 422."""

    def __init__(self, reason, field, message):
        self.reason = reason
        self.field = field
        self.message = message


def shown(value):
    return encode(value).decode()


def invalid_value(field, value, why):
    return FieldError("FieldValueInvalid", field, f"Invalid value: {shown(value)}: {why}")


def required(field, why=""):
    return FieldError("FieldValueRequired", field, "Required value" + (f": {why}" if why else ""))


def not_supported(field, value, supported):
    choices = ", ".join(f'"{choice}"' for choice in supported)
    why = f"Unsupported value: {shown(value)}: supported values: {choices}"
    return FieldError("FieldValueNotSupported", field, why)


def forbidden_field(field, why):
    return FieldError("FieldValueForbidden", field, f"Forbidden: {why}")


def invalid(group, kind, name, errors):
    """422 with all faults of an object."""
    texts = [f"{error.field}: {error.message}" for error in errors]
    said = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    qualified = f"{kind}.{group}" if group else kind
    details = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [{"reason": error.reason, "message": error.message, "field": error.field} for error in errors]
    return refusal(422, "Invalid", f'{qualified} "{name}" is invalid: {said}', details)


def expired_version(version, oldest):
    return status_object(410, "Expired", f"too old resource version: {version} ({oldest})")


def version_too_large(version, current):
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
               "retryAfterSeconds": 1}
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    return refusal(504, "Timeout", message, details, retry_after=1)


def expired_continue(token):
    return refusal(410, "Expired", EXPIRED_CONTINUE, metadata={"continue": token})
