"""Where a provider's secret comes from, and what the configuration file does about it: never what it is."""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.vault.sealing import sealed_with
from authserver.configuration import upstreams
from upstream.models import Provider

TYPED, WRITTEN_OUT = "console", "value"
_REFERENCES = ("env", "file")


def reference(source: str) -> str:
    """`{env: NAME}` or `{file: path}`, as the file writes it; empty for what is none."""
    kind, colon, name = source.partition(":")
    return f"{{{kind}: {name}}}" if colon and kind in _REFERENCES else ""


def is_of_the_file(provider: Provider) -> bool:
    """Whether the configuration file gave this secret, so that it has an entry of this name."""
    return bool(reference(provider.client_secret_source)) or provider.client_secret_source == WRITTEN_OUT


def origin(provider: Provider) -> str | SafeString:
    """In one word or two, for a list."""
    if written := reference(provider.client_secret_source):
        return format_html("<code>{}</code>", written)
    if not provider.client_secret_sealed:
        return _("none")
    words = {TYPED: _("the console"), WRITTEN_OUT: _("the file, written out")}
    return words.get(provider.client_secret_source, provider.client_secret_source)


def in_words(provider: Provider) -> str | SafeString:
    """Where it is from, since when it is here, and which vault key seals it."""
    if not provider.client_secret_sealed:
        public = provider.token_endpoint_auth_method == upstreams.PUBLIC
        return _("None: it is a public client there.") if public else _("None yet.")
    if written := reference(provider.client_secret_source):
        came = format_html(_("From the configuration file's reference {}."), format_html("<code>{}</code>", written))
    elif provider.client_secret_source == WRITTEN_OUT:
        came = format_html("{}", _("From the configuration file, where it is written out."))
    else:
        came = format_html("{}", _("Typed into the console."))
    return format_html("{} {}", came, _kept(provider))


def _kept(provider: Provider) -> str:
    key_id, since = sealed_with(provider.client_secret_sealed), provider.client_secret_set_at
    if key_id is None:
        return _("It is sealed with a vault key that is not configured: enter it again.")
    names = {"key": key_id, "when": date_format(since, "DATETIME_FORMAT") if since else ""}
    if since is None:
        return _("Sealed with the vault key %(key)s.") % names
    return _("Here since %(when)s UTC, sealed with the vault key %(key)s.") % names


def file_says(provider: Provider) -> str:
    """What a change in the console is worth when the configuration file is applied next (decision 0009)."""
    if is_of_the_file(provider):
        return _(
            "This provider stands in the configuration file. When it is applied next (manage.py apply_config, or a start with "
            "AUTHSERVER_CONFIG), everything here but “enabled” becomes again what the file says, and the secret what its "
            "reference then holds. To change it for good, change the file, or what the reference points to."
        )
    return _(
        "If the configuration file has an entry of this name, everything here but “enabled” becomes what the file says when "
        "it is applied next, the secret too. If it has none, what stands here stays."
    )
