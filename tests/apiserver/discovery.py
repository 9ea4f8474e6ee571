# SPDX-License-Identifier: GPL-2.0-or-later
"""What the server says of itself: groups and resources in both forms, versions, health."""

from resources import STATUS_VERBS

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "", "gitTreeState": "clean",
           "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64"}
HEALTH = ("/healthz", "/livez", "/readyz")


def groups(registry):
    """{group: {version: [resources]}}, each in order of appearance."""
    found = {}
    for resource in registry.all():
        found.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return found


def api_versions(address):
    return {"kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]}


def api_group(group, versions):
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def api_group_list(registry):
    found = [api_group(group, versions) for group, versions in groups(registry).items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def api_resource(resource):
    found = {"name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
             "kind": resource.kind, "verbs": sorted(resource.verbs)}
    if resource.short:
        found["shortNames"] = resource.short
    if resource.categories:
        found["categories"] = resource.categories
    return found


def api_resource_list(resources, group_version):
    found = []
    for resource in resources:
        found.append(api_resource(resource))
        if resource.status:
            found.append({"name": f"{resource.plural}/status", "singularName": "", "namespaced": resource.namespaced,
                          "kind": resource.kind, "verbs": STATUS_VERBS})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": found}


def response_kind(resource):
    """Built-in kinds leave out what the group says already."""
    group, version = (resource.group, resource.version) if resource.custom else ("", "")
    return {"group": group, "version": version, "kind": resource.kind}


def resource_discovery(resource):
    found = {"resource": resource.plural, "responseKind": response_kind(resource),
             "scope": "Namespaced" if resource.namespaced else "Cluster", "singularResource": resource.singular,
             "verbs": resource.verbs}
    if resource.short:
        found["shortNames"] = resource.short
    if resource.categories:
        found["categories"] = resource.categories
    if resource.status:
        found["subresources"] = [{"subresource": "status", "responseKind": response_kind(resource),
                                  "verbs": STATUS_VERBS}]
    return found


def aggregated(registry, version, core):
    """core: of /api; otherwise of /apis."""
    items = []
    for group, versions in groups(registry).items():
        if bool(group) == core:
            continue
        listed = [{"version": name, "resources": [resource_discovery(resource) for resource in resources],
                   "freshness": "Current"} for name, resources in versions.items()]
        items.append({"metadata": {"name": group} if group else {}, "versions": listed})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {},
            "items": items}


def aggregated_version(accept):
    """Which version of the aggregated form is asked for, if any."""
    for media_type in accept.split(","):
        parameters = dict(part.strip().partition("=")[::2] for part in media_type.split(";")[1:])
        if parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("v") in ("v2", "v2beta1"):
            return parameters["v"]
    return None


def answer(path, accept, registry, address):
    """(content type, object), or None when the path is none of discovery."""
    plain = "application/json"
    path = path.rstrip("/")
    version = aggregated_version(accept)
    if path in ("/api", "/apis"):
        if version:
            return AGGREGATED.format(version=version), aggregated(registry, version, path == "/api")
        return plain, api_versions(address) if path == "/api" else api_group_list(registry)
    if path == "/version":
        return plain, VERSION
    found = groups(registry)
    parts = path.split("/")[1:]
    if parts == ["api", "v1"]:
        return plain, api_resource_list(found[""]["v1"], "v1")
    if parts[:1] == ["apis"] and len(parts) == 2 and parts[1] in found:
        return plain, {"kind": "APIGroup", "apiVersion": "v1"} | api_group(parts[1], found[parts[1]])
    if parts[:1] == ["apis"] and len(parts) == 3 and parts[2] in found.get(parts[1], ()):
        return plain, api_resource_list(found[parts[1]][parts[2]], f"{parts[1]}/{parts[2]}")
    return None
