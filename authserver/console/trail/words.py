"""What each event is, in words. A test holds the list to the sources: no event without its words."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

WORDS = {
    "access_token.revoked": _("A client ended an access token"),
    "account.signed_out": _("A person signed out everywhere"),
    "admin.created": _("The first administrator was made"),
    "app.approval_requested": _("Somebody asked for an app's approval"),
    "app.approved": _("An app was approved"),
    "app.blocked": _("An app was blocked"),
    "app.merged": _("An app was merged into another"),
    "app.noted": _("An operator wrote a note on an app"),
    "app.pending": _("An app was put back to pending"),
    "app.revoked": _("The sessions of an app were ended"),
    "app.revoking": _("Ending the sessions of an app began"),
    "app.split": _("A merged app was split out again"),
    "app.verified": _("An app was verified"),
    "audit.export_began": _("An export of the audit trail began"),
    "audit.exported": _("The audit trail was exported"),
    "authorization.denied": _("A person declined an app"),
    "authorization.granted": _("A person let an app in"),
    "authorization.refused": _("A person may not use this resource"),
    "browser_session.ended": _("A person was signed out of a browser"),
    "client.changed": _("A client was changed"),
    "client.deleted": _("A client was deleted"),
    "client.disabled": _("A client was disabled"),
    "client.enabled": _("A client was enabled"),
    "client.registered": _("A client was registered"),
    "client.revoked": _("The sessions of a client were ended"),
    "client.revoking": _("Ending the sessions of a client began"),
    "config.applied": _("A configuration file was applied"),
    "connection.revoked": _("A person's connection to an upstream was ended"),
    "connection.revoking": _("Ending a person's connection to an upstream began"),
    "connections.revoked": _("Everybody's connection to an upstream was ended"),
    "connections.revoking": _("Ending everybody's connection to an upstream began"),
    "console.added": _("An operator added something"),
    "console.authenticator_added": _("An operator set up an authenticator app"),
    "console.authenticator_removed": _("An operator's authenticator app was removed"),
    "console.changed": _("An operator changed something"),
    "console.confirmed": _("An operator proved again who they are"),
    "console.deleted": _("An operator deleted something"),
    "console.link_made": _("A one-time link into the console was made"),
    "console.link_used": _("Somebody came in by a one-time link"),
    "console.login": _("An operator signed in to the console"),
    "console.login_failed": _("An attempt to sign in to the console failed"),
    "console.recovery_code_used": _("An operator used a recovery code"),
    "console.roles_changed": _("The groups of an upstream changed what an operator may do"),
    "console.sign_in_tested": _("An operator tested a sign-in at an upstream"),
    "everything.revoked": _("Everybody's sessions were ended"),
    "everything.revoking": _("Ending everybody's sessions began"),
    "registration.token_created": _("An initial access token was made"),
    "registration.token_revoked": _("An initial access token was revoked"),
    "resource.revoked": _("The sessions of a resource were ended"),
    "resource.revoking": _("Ending the sessions of a resource began"),
    "session.connected": _("A person connected an upstream to a session"),
    "session.revoked": _("A token session was ended"),
    "sessions.revoked": _("Chosen token sessions were ended"),
    "sessions.revoking": _("Ending chosen token sessions began"),
    "signing_key.activated": _("A signing key took over"),
    "signing_key.created": _("A signing key was made"),
    "signing_key.damaged": _("A signing key does not open"),
    "signing_key.removed": _("A signing key is over and was removed"),
    "signing_key.revoked": _("A signing key was revoked"),
    "upstream.credential_died": _("An upstream no longer honours a credential"),
    "upstream.logout": _("An upstream signed a person out"),
    "upstream.revoked": _("An upstream was told to revoke a token"),
    "upstream.sign_in": _("A sign-in at an upstream"),
    "user.forgotten": _("A person was forgotten"),
    "user.revoked": _("The sessions of a person were ended"),
    "user.revoking": _("Ending the sessions of a person began"),
    "vault.damaged": _("A sealed value does not open"),
    "vault.key_retired": _("A vault key was retired"),
    "vault.release": _("An upstream token was given to a resource server"),
    "vault.rotation_began": _("Sealing everything with a new vault key began"),
    "vault.rotation_ended": _("Sealing everything with a new vault key ended"),
}

OUTCOMES = {"ok": _("done"), "refused": _("refused"), "failed": _("failed")}


def of_event(event: str) -> str:
    """Empty for one that nobody knows here, such as an older release's."""
    return str(WORDS.get(event, ""))


def of_outcome(outcome: str) -> str:
    return str(OUTCOMES.get(outcome, outcome))
