"""What people read of a visit to a provider that brought nothing, wherever it was begun."""

from __future__ import annotations

from django.utils.translation import gettext as _

from upstream.models import Visit


def in_words(visit: Visit) -> tuple[str, str] | None:
    """Heading and explanation of a refusal that is the person's or the provider's own; None for what just failed."""
    if visit.outcome == Visit.Outcome.DENIED:
        heading, explanation = _("%(provider)s was not connected"), _("You did not agree there. Nothing was changed.")
    elif visit.outcome == Visit.Outcome.IN_USE:
        heading = _("This %(provider)s account belongs to another person here")
        explanation = _("It cannot be connected to you as well. Choose another account there. Nothing was changed.")
    elif visit.outcome == Visit.Outcome.ANOTHER:
        heading = _("You have connected a different %(provider)s account before")
        explanation = _("Choose the account that you used the first time. Nothing was changed.")
    elif visit.outcome == Visit.Outcome.NOT_ALLOWED:
        heading = _("This %(provider)s account is not let in here")
        explanation = _("Whoever runs this server lets only certain accounts in. Nothing was changed.")
    else:
        return None
    names = {"provider": visit.provider.title}
    return heading % names, explanation
