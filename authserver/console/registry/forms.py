"""What operators fill in about apps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authserver.app_merging import Block
from authserver.configuration import shapes
from authserver.console.exam import examine
from authserver.console.sessions import ReasonForm
from authserver.models import MAX_NOTE, App

EDITED = ("state", "told", "allowed_scopes", "reusable_refresh_tokens")
BLOCKS = {
    Block.EXTEND: gettext_lazy("Block all of them"),
    Block.LIFT: gettext_lazy("Lift the block"),
}


class AppForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta:
        model = App
        fields = EDITED
        widgets = {
            "told": forms.Textarea(attrs={"rows": 2, "cols": 80}),
            "allowed_scopes": forms.Textarea(attrs={"rows": 2, "cols": 80}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """What the form showed comes back with it: a state that somebody else has set since is not undone by saving."""
        super().__init__(*args, **kwargs)
        self.stored_state: str = self.instance.state
        if "state" in self.fields:  # not for whoever may only look
            self.fields["state"].show_hidden_initial = True

    def clean_state(self) -> str:
        state = str(self.cleaned_data["state"])
        if state == App.State.VERIFIED and not self.instance.can_be_verified:
            raise forms.ValidationError(
                _("Any program on a person's device can register under this name: approve it instead.")
            )
        return state

    def clean(self) -> dict[str, Any]:
        typed = {**super().clean(), **self.cleaned_data}  # type: ignore[dict-item]  # never None: ours
        entry = {"scopes": typed.get("allowed_scopes", "").split()}
        scopes = examine(
            self, entry, lambda fields: fields.texts("scopes", check=shapes.scope), fields={"scopes": "allowed_scopes"}
        )
        return {**typed, "allowed_scopes": " ".join(scopes or ())}


class NoteForm(forms.Form):
    """One more note: plain text."""

    text = forms.CharField(
        label=gettext_lazy("New note"), max_length=MAX_NOTE, widget=forms.Textarea(attrs={"rows": 3, "cols": 60})
    )


class MergeForm(ReasonForm):
    """Why, and what becomes of a block that some of the apps have."""

    block = forms.ChoiceField(label=gettext_lazy("Some of these apps are blocked"), widget=forms.RadioSelect)
    field_order = ("block", "reason")

    def __init__(self, blocks: Sequence[Block], *args: Any, **kwargs: Any) -> None:
        """Nothing is chosen beforehand."""
        super().__init__(*args, **kwargs)
        field = self.fields["block"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the type
        field.choices = [(block.value, BLOCKS[block]) for block in blocks]
        if not blocks:
            del self.fields["block"]
