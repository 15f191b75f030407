"""One event of the audit trail as the person it is about reads it. What is not in here is not theirs to read."""

from __future__ import annotations

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import AuditEvent
from authserver.account.names import Names

PERSON = "person"
"""The reason of what people end themselves."""

SAID = {
    ("authorization.granted", "ok"): gettext_noop("You let %(app)s use %(resource)s."),
    ("authorization.denied", "refused"): gettext_noop("You did not let %(app)s use %(resource)s."),
    ("authorization.refused", "refused"): gettext_noop("%(app)s wanted to use %(resource)s, which is not open to you."),
    ("app.approval_requested", "ok"): gettext_noop("You asked for %(app)s to be approved."),
    ("vault.release", "ok"): gettext_noop("%(resource)s used your %(provider)s account, for %(app)s."),
    ("vault.release", "failed"): gettext_noop(
        "%(resource)s wanted to use your %(provider)s account for %(app)s, and could not."
    ),
    ("vault.release", "refused"): gettext_noop(
        "%(resource)s wanted to use an account of yours for %(app)s, and was refused."
    ),
    ("session.connected", "ok"): gettext_noop("You connected %(provider)s for %(app)s and %(resource)s."),
    ("session.connected", "failed"): gettext_noop(
        "You connected %(provider)s for %(app)s and %(resource)s; it gave less than they need."
    ),
    ("upstream.credential_died", "failed"): gettext_noop("%(provider)s ended the connection: it needs a new sign-in."),
    ("upstream.revoked", "ok"): gettext_noop("%(provider)s was told that this server’s access to it is over."),
    ("upstream.revoked", "failed"): gettext_noop(
        "%(provider)s could not be told that this server’s access to it is over. Look into your settings there."
    ),
    ("vault.damaged", "failed"): gettext_noop(
        "What is kept of your %(provider)s connection could not be opened: it needs a new sign-in."
    ),
    ("access_token.revoked", "ok"): gettext_noop("%(app)s gave back an access token for %(resource)s."),
    ("user.revoked", "ok"): gettext_noop("The access of all your apps was ended."),
    ("connection.revoked", "ok"): gettext_noop("The connection to %(provider)s was ended."),
}
SIGN_INS = {
    ("sign_in", "ok"): gettext_noop("You signed in with %(provider)s."),
    ("connect", "ok"): gettext_noop("You connected %(provider)s."),
    ("sign_in", "refused"): gettext_noop("A sign-in with %(provider)s was refused or broken off."),
    ("connect", "refused"): gettext_noop("%(provider)s was not connected: it was refused or broken off."),
    ("sign_in", "failed"): gettext_noop("A sign-in with %(provider)s did not work."),
    ("connect", "failed"): gettext_noop("Connecting %(provider)s did not work."),
}
ENDS = {
    PERSON: gettext_noop("You ended the access of %(app)s to %(resource)s."),
    "client": gettext_noop("%(app)s ended its access to %(resource)s."),
    "refresh_token_reuse": gettext_noop(
        "The access of %(app)s to %(resource)s was ended: one of its tokens was used twice, so somebody may have copied it."
    ),
    "code_replay": gettext_noop(
        "The access of %(app)s to %(resource)s was ended: its sign-in was used twice, so somebody may have copied it."
    ),
    "too many sessions": gettext_noop(
        "The access of %(app)s to %(resource)s was ended: you had more open than this server keeps."
    ),
    "upstream logout": gettext_noop(
        "The access of %(app)s to %(resource)s was ended: you were signed out where it began."
    ),
    "app blocked": gettext_noop(
        "The access of %(app)s to %(resource)s was ended: the people who run this server have blocked the app."
    ),
}
SIGNED_OUT = gettext_noop("You signed out.")
SIGNED_OUT_EVERYWHERE = gettext_noop("You signed out in every browser.")
SIGNED_OUT_THERE = gettext_noop("%(provider)s signed you out, and so you were signed out here.")
ENDED = gettext_noop("The access of %(app)s to %(resource)s was ended.")
OWN = {
    "connection.revoked": gettext_noop("You disconnected %(provider)s."),
    "user.revoked": gettext_noop("You ended the access of all your apps."),
}


OWN_ACTS = {
    "authorization.granted", "authorization.denied", "app.approval_requested", "session.connected",
}  # fmt: skip
"""What people do themselves, besides what has the reason `PERSON`."""


def address_of(event: AuditEvent) -> str:
    """Where the person did it from; empty for what others did, whose address is none of theirs to know."""
    return event.address or "" if event.reason == PERSON or event.event in OWN_ACTS else ""


def in_words(event: AuditEvent, names: Names) -> str:
    """A sentence; empty for what says nothing to the person."""
    words = _template(event)
    if not words:
        return ""
    said = _(words) % {
        "app": names.app(event.client_id),
        "resource": names.resource(event.resource),
        "provider": names.provider(event.upstream),
    }
    return str(capfirst(said))


def _template(event: AuditEvent) -> str:
    if event.event == "upstream.sign_in":
        return SIGN_INS.get((str(event.detail.get("purpose", "")), event.outcome), "")
    if event.event == "browser_session.ended":
        own = SIGNED_OUT_EVERYWHERE if event.detail.get("everywhere") else SIGNED_OUT
        return SIGNED_OUT_THERE if event.upstream else own
    if event.event == "connection.revoked" and not event.upstream:  # the end of the cascade that the other is a step of
        return ""
    if event.event == "session.revoked":
        return ENDS.get(event.reason, ENDED)
    if event.reason == PERSON and event.event in OWN:
        return OWN[event.event]
    return SAID.get((event.event, event.outcome), "")
