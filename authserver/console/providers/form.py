"""The form of one provider: what its type needs, by the configuration file's own rules. The secret goes in, never out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authserver.configuration import secrets, upstreams
from authserver.configuration.reading import Fields
from authserver.console.exam import examine
from authserver.console.providers.guides import GUIDES, Guide
from upstream import identities, presets
from upstream.models import Provider

JSON = ("scopes", "identity", "allow", "authorization_params", "api_resources")
KEPT = (
    "display_name",
    "type",
    "client_id",
    "sign_in",
    "issuer",
    "subject_claim",
    *upstreams.ENDPOINTS,
    "token_endpoint_auth_method",
    *JSON,
    "on_session_end",
    "allow_private_network",
)
"""What the file may say of a provider besides its name and secret."""

OF_A_TYPE = ("issuer", "subject_claim", *upstreams.ENDPOINTS, "identity")
"""Fields that not every type has; in this order."""

HELP = {
    "name": _("Part of the callback and of everybody's identity there: it cannot be changed afterwards."),
    "display_name": _("What people read on the button. Empty: the type's name."),
    "enabled": _("Off: nobody is sent there. The configuration file never changes it."),
    "sign_in": _("Off: people connect it after they have signed in with another provider."),
    "scopes": _("Asked for at every visit; a resource adds its own."),
    "allow": _(
        'Who may sign in, for example {"email_domains": ["example.com"]}. Empty: everybody with an account there.'
    ),
    "api_resources": _(
        "Addresses of APIs: a resource server may name one instead of the provider, in a token exchange."
    ),
    "authorization_params": _("More parameters for the provider's sign-in page."),
    "allow_private_network": _("Only for a provider that really is inside, or for development."),
    "new_client_secret": _("Empty: the stored one stays."),
}


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """`kind` is the type that a new row is to have; one that is there keeps its own."""

    kind = ""
    new_client_secret = forms.CharField(
        label=_("New client secret"),
        required=False,
        max_length=secrets.MAX_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    class Meta:
        model = Provider
        fields = ("name", "enabled", *(name for name in KEPT if name != "type"))
        widgets = {
            **{name: forms.Textarea(attrs={"rows": 3, "cols": 80}) for name in JSON},
            "token_endpoint_auth_method": forms.Select(
                choices=[("", "---"), *((m, m) for m in upstreams.AUTH_METHODS)]
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.instance.type = self.kind
            self.fields["new_client_secret"].label = _("Client secret")
        for name, field in self.fields.items():
            field.help_text = self._help(GUIDES[self.instance.type], name)

    def _help(self, guide: Guide, name: str) -> str:
        preset = presets.of(self.instance)
        said = [guide.found.get(name), None if name in upstreams.ENDPOINTS else HELP.get(name)]
        if name == "new_client_secret" and self.instance.pk is None:
            said = said[:1]
        default = getattr(preset, {"token_endpoint_auth_method": "auth_method"}.get(name, name), "")
        if name in (*upstreams.ENDPOINTS, "issuer", "token_endpoint_auth_method") and default:
            said.append(gettext("Empty: %(default)s") % {"default": default})
        if name == "scopes" and preset.required_scopes:
            always = {"scopes": " ".join(preset.required_scopes)}
            said.append(gettext("Always asked for: %(scopes)s") % always)
        return " ".join(str(text) for text in said if text)

    def clean(self) -> dict[str, Any]:
        typed = {**super().clean(), **self.cleaned_data}  # type: ignore[dict-item]  # never None: ours
        new = self.instance.pk is None
        kept = {
            name: getattr(self.instance, name) for name in KEPT if name not in self.fields
        }  # its type, what is not shown
        entry = {**kept, **{name: typed.get(name) for name in ("name", *KEPT) if name in self.fields}}
        values = examine(self, entry, _read)
        if values is None:
            return typed
        if not new and (moved := identities.moved(self.stored(), values)):
            self.add_error(moved, _("People are connected with it: give the new one another name."))
        public = values["token_endpoint_auth_method"] == upstreams.PUBLIC
        if not public and not typed.get("new_client_secret") and not self.instance.client_secret_sealed:
            self.add_error("new_client_secret", _("It needs one, unless its authentication method is none."))
        return {**typed, **values}

    def stored(self) -> Provider:
        """The row as it is, whatever has been typed."""
        return Provider.objects.get(pk=self.instance.pk)


def _read(entry: Fields) -> dict[str, Any]:
    if "name" in entry.table.entries:
        entry.text("name", longest=32, check=upstreams.name)
    return upstreams.values(entry)


def shown(kind: str, row: Provider | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of its own that a type needs, and those it may have; with them what the row has set all the same, because
    nothing that counts is hidden.
    """
    guide = GUIDES[kind]
    there = {name for name in OF_A_TYPE if row is not None and getattr(row, name)}
    needs = tuple(name for name in OF_A_TYPE if name in guide.needs)
    return needs, tuple(name for name in OF_A_TYPE if name not in needs and name in {*guide.may, *there})


def beginning(kind: str) -> dict[str, Any]:
    """What the form of a new provider has in it. It is switched on once it has been tried."""
    preset = presets.PRESETS[kind]
    return {
        "name": _free_name(kind),
        "enabled": False,
        "sign_in": True,
        "scopes": list(preset.default_scopes),
        **GUIDES[kind].begins,
    }


def _free_name(kind: str) -> str:
    taken = set(Provider.objects.filter(name__startswith=kind).values_list("name", flat=True))
    return next(name for name in (kind, *(f"{kind}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)
