"""What a scope of GitHub's includes, as its documentation lists them.

GitHub normalises what it grants: who asks for `repo,public_repo` is told `repo`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from upstream.providers import unique

INCLUDES: Mapping[str, tuple[str, ...]] = {
    "repo": ("repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events"),
    "user": ("read:user", "user:email", "user:follow"),
    "admin:org": ("write:org", "manage_runners:org"),
    "write:org": ("read:org",),
    "admin:repo_hook": ("write:repo_hook",),
    "write:repo_hook": ("read:repo_hook",),
    "admin:public_key": ("write:public_key",),
    "write:public_key": ("read:public_key",),
    "admin:gpg_key": ("write:gpg_key",),
    "write:gpg_key": ("read:gpg_key",),
    "admin:ssh_signing_key": ("write:ssh_signing_key",),
    "write:ssh_signing_key": ("read:ssh_signing_key",),
    "write:packages": ("read:packages",),
    "write:discussion": ("read:discussion",),
    "write:network_configurations": ("read:network_configurations",),
    "project": ("read:project",),
    "codespace": ("codespace:secrets",),
    "copilot": ("manage_billing:copilot",),
    "audit_log": ("read:audit_log",),
    "admin:enterprise": (
        "manage_runners:enterprise",
        "manage_billing:enterprise",
        "read:enterprise",
        "scim:enterprise",
    ),
}


def with_included(granted: Sequence[str]) -> tuple[str, ...]:
    """These scopes, and after them what they include, through all levels."""
    found = list(unique(granted))
    for scope in found:  # it grows on the way
        found += [included for included in INCLUDES.get(scope, ()) if included not in found]
    return tuple(found)
