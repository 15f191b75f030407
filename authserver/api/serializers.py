"""What the API answers, for its description (OpenAPI). The answers are made elsewhere; a test holds them to this."""

from __future__ import annotations

from rest_framework import serializers

STATES = ("not_connected", "needs_reauthorization", "missing_scope", "temporarily_unavailable")


class UpstreamToken(serializers.Serializer):
    """One upstream: either a token, or an error with the state that stands in its way."""

    upstream = serializers.CharField(help_text="The upstream's name in the configuration.")
    access_token = serializers.CharField(required=False, help_text="The person's own token at the upstream.")
    token_type = serializers.ChoiceField(["Bearer"], required=False)
    expires_in = serializers.IntegerField(
        required=False, min_value=0, help_text="Seconds it has left; absent where the upstream names no end."
    )
    scope = serializers.CharField(required=False, help_text="What the upstream granted, space-separated.")
    error = serializers.CharField(required=False, help_text="As token exchange answers it (RFC 6749 section 5.2).")
    error_description = serializers.CharField(required=False)
    state = serializers.ChoiceField(STATES, required=False)
    connect_url = serializers.URLField(
        required=False, help_text="Show it to the person: it connects what is missing, once, within 15 minutes."
    )
    missing_scopes = serializers.ListField(child=serializers.CharField(), required=False)
    retry_after = serializers.IntegerField(
        required=False, min_value=0, help_text="Seconds to wait before trying again."
    )


class Session(serializers.Serializer):
    """A session and its upstreams. 200 whatever state each of them is in."""

    tsid = serializers.CharField()
    resource = serializers.CharField()
    sub = serializers.UUIDField(help_text="The person, as in our access tokens.")
    client_id = serializers.CharField()
    scope = serializers.CharField(allow_blank=True, help_text="What the client may do at the resource.")
    expires_at = serializers.DateTimeField(help_text="The session's absolute end.")
    upstream_tokens = UpstreamToken(many=True)
    next = serializers.URLField(required=False, help_text="The rest of the list.")


class Ended(serializers.Serializer):
    """A session that is over: refuse every access token that names it."""

    tsid = serializers.CharField()
    ended_at = serializers.DateTimeField()


class Revocations(serializers.Serializer):
    """Sessions of the caller's resources that have ended. One may be told of twice, and is never left out."""

    revocations = Ended(many=True)
    next = serializers.CharField(help_text="Send it as `since` the next time.")
    keep_for_seconds = serializers.IntegerField(
        help_text="How long a tsid is worth remembering: after that every token that names it has expired."
    )


class Problem(serializers.Serializer):
    """RFC 9457, with the members of an OAuth error."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened, and what to do.")
    error = serializers.CharField()
    error_description = serializers.CharField()
    upstream = serializers.CharField(required=False)
    state = serializers.ChoiceField(STATES, required=False)
    connect_url = serializers.URLField(required=False)
    missing_scopes = serializers.ListField(child=serializers.CharField(), required=False)


class Credentials(serializers.Serializer):
    """A caller's credentials, where it does not use Basic or a token."""

    client_id = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False)


class TokenRequest(Credentials):
    """RFC 6749 section 4.4.2."""

    grant_type = serializers.ChoiceField(["client_credentials"])


class AccessToken(serializers.Serializer):
    """RFC 6749 section 5.1."""

    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(["Bearer"])
    expires_in = serializers.IntegerField(min_value=1)
