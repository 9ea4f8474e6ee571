# SPDX-License-Identifier: GPL-2.0-or-later
"""create, update, patch and delete: what a change has to pass, and what follows from it."""

import threading
import uuid

import defaults
import managed
import validate
from status import FieldError, already_exists, bad_request, conflict, invalid, not_found, refusal

SERVER_OWNED = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                "generation", "generateName")
ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
# What Python says when a member has another type than expected; the server's own decoder says it in one sentence.
TYPE_FAULTS = (AttributeError, TypeError, KeyError, ValueError)


def cannot_decode(resource, error):
    return bad_request(f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: json:'
                       f" cannot unmarshal: {error}")


def checked(resource, item, errors_of, admit=False):
    """Defaults and validation, both of which may meet types that they did not expect."""
    try:
        item = defaults.set_defaults(resource, item)
        if admit:
            defaults.admit(resource, item)
        errors = errors_of(item)
    except TYPE_FAULTS as error:
        raise cannot_decode(resource, error) from None
    if errors:
        raise invalid(resource.group, resource.kind, item["metadata"].get("name", ""), errors)
    return item


def check_kind(resource, item):
    api_version, kind = item.get("apiVersion", resource.api_version), item.get("kind", resource.kind)
    if (api_version, kind) != (resource.api_version, resource.kind):
        raise bad_request(f"the API version in the data ({api_version}, {kind}) does not match the expected API"
                          f" version ({resource.api_version}, {resource.kind})")
    if not isinstance(item.get("metadata", {}), dict):
        raise cannot_decode(resource, "metadata is not an object")


class Changes:
    def __init__(self, registry, store, settings):
        self.registry = registry
        self.store = store
        self.settings = settings
        self.namespaces = registry.find("", "v1", "namespaces")

    # Making

    def create(self, resource, namespace, item, manager):
        check_kind(resource, item)
        metadata = item.setdefault("metadata", {})
        if metadata.get("namespace", namespace) != namespace and resource.namespaced:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if metadata.get("resourceVersion"):
            raise refusal(500, "", "resourceVersion should not be set on objects to be created")
        if resource.namespaced:
            metadata["namespace"] = namespace
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        if resource.kind == "Pod":
            item.pop("status", None)
        with self.store.lock:
            self.check_namespace(resource, namespace, metadata.get("name", ""))
            item = checked(resource, item, lambda found: validate.new(resource, found))
            if self.store.get(resource, namespace, item["metadata"]["name"]):
                raise already_exists(resource, item["metadata"]["name"])
            defaults.set_identity(resource, item)
            managed.on_create(resource, item, manager)
            defaults.admit(resource, item)
            return self.store.put(resource, item)

    def check_namespace(self, resource, namespace, name):
        if not resource.namespaced:
            return
        found = self.store.get(self.namespaces, "", namespace)
        if found is None:
            raise not_found(self.namespaces, namespace)
        if found.peek()["status"].get("phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            causes = [{"reason": "NamespaceTerminating",
                       "message": f"namespace {namespace} is being terminated", "field": "metadata.namespace"}]
            details = {"name": name, "kind": resource.plural, "causes": causes}
            raise refusal(403, "Forbidden", f'{resource.qualified} "{name}" is forbidden: {why}', details)

    # Changing

    def update(self, resource, namespace, name, subresource, change, manager):
        """change makes the new object of the old one, which it may spoil."""
        with self.store.lock:
            entry = self.store.get(resource, namespace, name)
            if entry is None:
                raise not_found(resource, name)
            item = change(entry.object())
            check_kind(resource, item)
            self.check_identity(resource, entry, item.get("metadata") or {})
            item = self.completed(resource, entry, item, subresource)
            if self.same(entry.peek(), item):
                return entry
            managed.on_change(resource, entry.peek(), item, manager, subresource or None)
            if resource.generation and item.get("spec") != entry.peek().get("spec"):
                item["metadata"]["generation"] = item["metadata"].get("generation", 0) + 1
            return self.store.put(resource, item)

    @staticmethod
    def check_identity(resource, entry, metadata):
        if metadata.get("name", entry.name) != entry.name:
            raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL"
                              f" ({entry.name})")
        uid = entry.peek()["metadata"].get("uid")
        if metadata.get("uid", uid) != uid:
            raise conflict(resource, entry.name,
                           f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {uid}")
        version = metadata.get("resourceVersion")
        if version and version != str(entry.version):
            raise conflict(resource, entry.name)
        if resource.custom and not version:
            raise invalid(resource.group, resource.kind, entry.name, [FieldError(
                "FieldValueInvalid", "metadata.resourceVersion", "Invalid value: 0: must be specified for an update")])

    @staticmethod
    def completed(resource, entry, item, subresource):
        """The new object with what this request cannot change taken from the old."""
        old = entry.object()
        if subresource == "status":
            return defaults.without_nulls(old | {"status": item.get("status") or {}})
        for field in SERVER_OWNED:
            item["metadata"].pop(field, None)
            if field in old["metadata"]:
                item["metadata"][field] = old["metadata"][field]
        if resource.status:
            item.pop("status", None)
            item |= {"status": old["status"]} if "status" in old else {}
        if resource.kind == "Service":
            item["spec"] = {name: old["spec"][name] for name in ALLOCATED if name in old["spec"]} | item["spec"]
        return checked(resource, item, lambda found: validate.changed(resource, found, old), True)

    @staticmethod
    def same(old, item):
        def bare(found):
            return found | {"metadata": {name: value for name, value in found["metadata"].items()
                                         if name not in ("managedFields", "resourceVersion")}}
        return bare(old) == bare(item)

    # Deleting

    def delete(self, resource, namespace, name, options):
        """The last state of the object."""
        with self.store.lock:
            entry = self.store.get(resource, namespace, name)
            if entry is None:
                raise not_found(resource, name)
            self.check_preconditions(resource, entry, options.get("preconditions") or {})
            if resource.kind == "Pod":
                return self.delete_pod(entry, options.get("gracePeriodSeconds"))
            if resource.kind == "Namespace":
                return self.delete_namespace(entry)
            return self.store.remove(entry)

    @staticmethod
    def check_preconditions(resource, entry, wanted):
        uid = entry.peek()["metadata"].get("uid")
        if wanted.get("uid", uid) != uid:
            raise conflict(resource, entry.name,
                           f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {uid}")
        version = wanted.get("resourceVersion", str(entry.version))
        if version != str(entry.version):
            raise conflict(resource, entry.name, f"Precondition failed: ResourceVersion in precondition: {version},"
                                                 f" ResourceVersion in object meta: {entry.version}")

    def delete_pod(self, entry, seconds):
        """A scheduled pod that runs gets its time; the kubelet, which is played here, then takes it away."""
        item = entry.object()
        if seconds is None:
            seconds = item["spec"]["terminationGracePeriodSeconds"]
        phase = item["status"].get("phase")
        if not item["spec"].get("nodeName") or phase in ("Succeeded", "Failed"):
            seconds = 0
        metadata = item["metadata"]
        if "deletionTimestamp" in metadata and seconds >= metadata["deletionGracePeriodSeconds"]:
            return entry
        if "deletionTimestamp" not in metadata:
            metadata["generation"] = metadata.get("generation", 0) + 1
        metadata["deletionTimestamp"] = defaults.now(seconds)
        metadata["deletionGracePeriodSeconds"] = seconds
        entry = self.store.put(entry.resource, item)
        if seconds == 0:
            return self.store.remove(entry)
        if self.settings.kubelet_seconds is not None:
            self.later(min(seconds, self.settings.kubelet_seconds), self.finish_pod, entry)
        return entry

    @staticmethod
    def later(seconds, function, *arguments):
        timer = threading.Timer(seconds, function, arguments)
        timer.daemon = True
        timer.start()

    def finish_pod(self, deleted):
        """What a kubelet does with a pod whose containers have stopped: it says so, and deletes it for good."""
        with self.store.lock:
            entry = self.store.get(deleted.resource, deleted.namespace, deleted.name)
            if entry is None or entry.peek()["metadata"].get("uid") != deleted.peek()["metadata"].get("uid"):
                return
            if entry.peek()["status"].get("phase") == "Running":
                item = entry.object()
                item["status"]["phase"] = "Succeeded"
                managed.on_change(entry.resource, entry.peek(), item, "kubelet", "status")
                entry = self.store.put(entry.resource, item)
            self.delete_pod(entry, 0)

    def delete_namespace(self, entry):
        """First it says that it terminates, then its content goes, then itself."""
        if entry.name in ("default", "kube-system"):
            message = f'namespaces "{entry.name}" is forbidden: this namespace may not be deleted'
            raise refusal(403, "Forbidden", message, {"name": entry.name, "kind": "namespaces"})
        item = entry.object()
        if "deletionTimestamp" in item["metadata"]:
            return entry
        item["metadata"]["deletionTimestamp"] = defaults.now()
        item["status"]["phase"] = "Terminating"
        entry = self.store.put(entry.resource, item)
        self.later(self.settings.kubelet_seconds or 0, self.finish_namespace, entry)
        return entry

    def finish_namespace(self, deleted):
        with self.store.lock:
            for resource in self.registry.all():
                for entry in self.store.entries(resource, deleted.name) if resource.namespaced else ():
                    self.store.remove(entry)
            entry = self.store.get(deleted.resource, "", deleted.name)
            if entry is not None and "deletionTimestamp" in entry.peek()["metadata"]:
                self.store.remove(entry)

    def remove_resource(self, resource):
        """As when a custom resource's definition is deleted: its objects go first."""
        with self.store.lock:
            for entry in self.store.entries(resource):
                self.store.remove(entry)
            self.registry.remove(resource)
