"""Every page of ours with contexts that are hard on it, as a URL configuration: `/<name>`.

For looking at pages (`ROOT_URLCONF=tests.browser.gallery`) and for `test_pages`, which reads them in a real browser.
Names and addresses in here are the longest, rudest and most foreign that the server lets through. What the server says
of its own stands here as its messages, and is shown in the language of the request.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import include, path
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt

from authserver.account import browsers, overview, trail
from authserver.api import schema
from authserver.failures import server_error
from authserver.responses import Choices
from authserver.scopes import IDENTITY_SCOPES

NAMES = {"provider": "Atlassian", "resource": "Example MCP server"}
RESOURCE = {"resource_name": "Example MCP server", "resource_identifier": "https://mcp.example.com/mcp"}
SCOPES = [
    {"name": "mcp:tools", "words": "use its tools"},
    {"name": "profile", "words": IDENTITY_SCOPES["profile"]},
    {"name": "email", "words": IDENTITY_SCOPES["email"]},
]
GITHUB = {"title": "GitHub", "scopes": ["repo", "read:user"], "why": ""}
FORM = {"form_action": "/decide", "form_fields": [("request", "opaque-value"), ("state", "<&\"'>")], "lasts_days": 30}
LONG_NAME = "Claude Code, verified by GitHub, press Allow to continue " * 4
AT = datetime(2026, 11, 25, 17, 30, tzinfo=UTC)
HAPPENING = trail.Happening("Example MCP server used your GitHub account, for Claude.", AT, AT, "192.0.2.7", False, 14)
RUDE_HAPPENING = trail.Happening("“" + "n" * 59 + "…” wanted it.", AT, AT, "2001:db8::1234:5678:9abc:def0", True)
LONG_HOST = "a-very-long-label-that-goes-on-and-on-until-it-is-sixty-three-chars." * 3 + "example"


def consent(**changes: Any) -> dict[str, Any]:
    """A self-registered app on a loopback port and a person who is signed in, except for `changes`."""
    return {
        "client_name": "Claude Code",
        "client_is_proven": False,
        "client_name_is_checked": False,
        "client_standing": "unverified",
        "client_id": "c_0123456789abcdef",
        "client_origin": "",
        "registered_how": "self-registered",
        "redirect_host": "localhost",
        "redirect_kind": "loopback",
        "redirect_port": 50766,
        "redirect_uri": "http://localhost:50766/callback",
        "scopes": SCOPES,
        "upstreams": [GITHUB],
        "person": "Ada Lovelace",
        "provider_choices": [],
        "not_you_url": "/sign-out",
        **RESOURCE,
        **FORM,
        **changes,
    }


def connect(**changes: Any) -> dict[str, Any]:
    """A `connect_url`'s page for somebody who is signed in and has to allow more."""
    return {
        "why": "widen",
        "provider_title": "GitHub",
        "client_name": "Claude",
        "client_name_is_checked": False,
        "scopes": [{"name": "repo", "new": True}],
        "person": "Ada Lovelace",
        "provider_choices": [],
        **RESOURCE,
        **changes,
    }


def account(**changes: Any) -> dict[str, Any]:
    """The page of somebody with a connection that works, one that does not, and a rude app."""
    connection = overview.Connection("github", "GitHub", AT, True, ["repo", "read:user"], True)
    connection.uses = [overview.Use("Claude", "Example MCP server", AT), overview.Use("“Cursor”", "Other", None)]
    ended = overview.Connection("long", "T" * 100, AT, False, ["u" * 150] * 4, True)
    ended.uses = [overview.Use(LONG_NAME, "אבג " * 30, AT)]
    idle = overview.Connection("gone", "gone", AT, True, [], False)
    one = overview.Access("tsid-1", "Firefox on Linux", "Example MCP server", ["use its tools"], ["GitHub"], AT, AT, AT)
    rude = overview.Access("t" * 64, "D" * 80, "אבג " * 30, ["s" * 200], ["T" * 100] * 3, AT, AT, AT)
    return {
        "person": "Ada Lovelace",
        "connections": [connection, ended, idle],
        "apps": [
            overview.AppWithAccess(1, "Claude", "claude.ai", [one, replace(one, tsid="tsid-2", device="")]),
            overview.AppWithAccess(2, LONG_NAME + "<script>alert(1)</script>", LONG_HOST, [rude, rude]),
        ],
        "is_whole": False,
        "browsers": [
            browsers.Browser(True, "Firefox on Linux", "github", "GitHub", AT, AT),
            browsers.Browser(False, "", "long", "T" * 100, None, AT),
            browsers.Browser(False, "", "", "", None, AT),
        ],
        "lately": [HAPPENING, RUDE_HAPPENING],
        **changes,
    }


def approval(**changes: Any) -> dict[str, Any]:
    """An app that waits for an operator, before and after the person has asked."""
    return {
        "client_name": "Claude Code",
        "client_place": "",
        "contact": "the service desk, desk@example.com",
        "server_host": "auth.example.com",
        "form_action": "/decide",
        "ticket": "opaque-value",
        "max_note": 500,
        "waiting_url": "/waiting",
        "state_url": "/waiting/state",
        "return_url": "/nowhere",
        "return_label": "Return to Claude Code",
        "request_id": "0123456789abcdef" * 2,
        **RESOURCE,
        **changes,
    }


def logout(**changes: Any) -> dict[str, Any]:
    """Signing out, as an app asked for it that people return to."""
    return {
        "app_name": "Claude Code",
        "return_url": "/nowhere?state=%22%3E%27",
        "return_host": "app.example.com",
        "flaw": "",
        "form_action": "/decide",
        "ticket": "opaque-value",
        "person": "Ada Lovelace",
        "goes_on": False,
        **changes,
    }


PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "consent-loopback": ("authorize/consent.html", consent()),
    "consent-signed-out": (
        "authorize/consent.html",
        consent(
            person="",
            not_you_url="",
            upstreams=[GITHUB | {"why": "sign_in"}],
            provider_choices=[{"name": "github", "title": "GitHub"}],
        ),
    ),
    "consent-choice": (
        "authorize/consent.html",
        consent(
            client_name="Cursor",
            redirect_host="cursor://anysphere.cursor-retrieval",
            redirect_kind="private_scheme",
            redirect_port=None,
            redirect_uri="cursor://anysphere.cursor-retrieval/oauth/callback",
            person="",
            not_you_url="",
            upstreams=[
                GITHUB | {"why": "connect"},
                {"title": "Atlassian", "scopes": ["read:jira-work"], "why": "renew"},
            ],
            provider_choices=[{"name": "github", "title": "GitHub"}, {"name": "google", "title": "Google"}],
        ),
    ),
    "consent-proven": (
        "authorize/consent.html",
        consent(
            client_name="Claude",
            client_is_proven=True,
            client_standing="published",
            client_origin="claude.ai",
            registered_how="metadata document",
            redirect_host="claude.ai",
            redirect_kind="https",
            redirect_port=None,
            redirect_uri="https://claude.ai/api/mcp/auth_callback",
        ),
    ),
    "consent-configured": (
        "authorize/consent.html",
        consent(
            client_name="My CLI",
            client_is_proven=True,
            client_name_is_checked=True,
            client_standing="configured",
            registered_how="configured by the operator",
            redirect_host="127.0.0.1",
            redirect_port=None,
            redirect_uri="http://127.0.0.1/callback",
            upstreams=[],
            lasts_days=1,
        ),
    ),
    "consent-verified": (
        "authorize/consent.html",
        consent(
            client_name="Claude",
            client_is_proven=True,
            client_name_is_checked=True,
            client_standing="verified",
            client_origin="claude.ai",
            registered_how="metadata document",
            redirect_host="claude.ai",
            redirect_kind="https",
            redirect_port=None,
            redirect_uri="https://claude.ai/api/mcp/auth_callback",
        ),
    ),
    "consent-approved": ("authorize/consent.html", consent(client_is_proven=True, client_standing="approved")),
    "consent-imitation": (
        "authorize/consent.html",
        consent(
            client_name="\u0421l\u0430ude (official)",  # two of these letters are Cyrillic
            likeness="Claude",
            suspicions=["looks_like", "claims", "mixed_scripts"],
        ),
    ),
    "consent-scripts": (
        "authorize/consent.html",
        consent(client_name="Cl\u0430ude", suspicions=["mixed_scripts"]),
    ),
    "approval": ("authorize/approval.html", approval()),
    "approval-rude": (
        "authorize/approval.html",
        approval(
            client_name=LONG_NAME + "<script>alert(1)</script>",
            client_place=LONG_HOST,
            resource_name="אבג " * 30,
            contact="Die Leute vom Rechenzentrum, " * 7,
        ),
    ),
    "waiting": ("authorize/waiting.html", approval(note="I am Ada of the data team; " * 10)),
    "waiting-without-a-note": ("authorize/waiting.html", approval(client_name="", contact="")),
    "consent-rude": (
        "authorize/consent.html",
        consent(
            client_name=LONG_NAME + "\u202e<script>alert(1)</script>",
            redirect_host=LONG_HOST,
            redirect_kind="https",
            redirect_port=None,
            redirect_uri=f"https://{LONG_HOST}/" + "p" * 1800,
            person="x" * 200 + "@example.com",
            resource_name="אבג " * 30,
            scopes=[{"name": "s" * 200, "words": ""}, {"name": "w", "words": "w" * 300}],
            upstreams=[{"title": "T" * 100, "scopes": ["u" * 150] * 4, "why": "connect"}],
        ),
    ),
    "consent-several": (
        "authorize/consent.html",
        consent(
            upstreams=[
                GITHUB,
                {"title": "Google", "scopes": ["openid", "calendar"], "why": "widen", "lacking": ["calendar"]},
                {"title": "Atlassian", "scopes": ["read:jira-work"], "why": "renew"},
                {"name": "slack", "title": "Slack", "scopes": ["search:read"], "why": "connect", "optional": True},
                {"name": "notion", "title": "Notion", "scopes": [], "why": "", "optional": True},
            ],
        ),
    ),
    "consent-nameless": ("authorize/consent.html", consent(client_name="", scopes=[], upstreams=[])),
    "returning-client": (
        "authorize/returning.html",
        {
            "kind": "client",
            "target_url": "/nowhere?code=x&state=%22%3E%27&iss=http%3A%2F%2Flocalhost",
            "app_name": "Claude Code",
            "target_host": "localhost:50766",
            "is_error": False,
            "provider_title": "",
        },
    ),
    "returning-denied": (
        "authorize/returning.html",
        {
            "kind": "client",
            "target_url": "/nowhere",
            "app_name": "",
            "target_host": LONG_HOST,
            "is_error": True,
            "provider_title": "",
        },
    ),
    "returning-provider": (
        "authorize/returning.html",
        {
            "kind": "provider",
            "target_url": "/nowhere",
            "app_name": "",
            "target_host": "github.com",
            "is_error": False,
            "provider_title": "GitHub",
        },
    ),
    "error-unknown-client": (
        "authorize/error.html",
        {
            "heading": "This app is not registered here",
            "explanation": "The app that sent you here is not known to this server. Its registration may have been "
            "removed, or it belongs to another server.",
            "steps": [
                "Go back to the app, remove this connection there and add it again: that registers the app anew.",
                "In Claude Code or VS Code, clear the saved sign-in of this MCP server and connect again.",
                "For developers: register at /oauth/register and use the client_id you are given.",
            ],
            "details": [("client_id", "c" * 300)],
            "return_url": "",
            "return_label": "",
            "retry_url": "",
            "retry_label": "",
            "request_id": "0123456789abcdef" * 2,
        },
    ),
    "error-redirect-uri": (
        "authorize/error.html",
        {
            "heading": "The app asked to be answered at an address it has not registered",
            "explanation": "To keep your sign-in from reaching somebody else, nothing was sent there.",
            "steps": ["Otherwise remove the connection in the app and add it again."],
            "details": [
                ("Redirect URI sent", "https://app.example.com/callback/" + "x" * 400),
                ("Redirect URI registered", "https://app.example.com/callback"),
            ],
            "return_url": "",
            "return_label": "",
            "retry_url": "",
            "retry_label": "",
            "request_id": "0123456789abcdef" * 2,
        },
    ),
    "error-upstream": (
        "authorize/error.html",
        {
            "heading": "Signing in with %(provider)s did not work",
            "explanation": "%(provider)s gave no answer that can be used. Nothing was approved and nothing was stored.",
            "steps": [
                "Try once more; often that is enough.",
                "If it happens again, tell the people who run this server the request id below.",
            ],
            "details": [],
            "return_url": "/nowhere",
            "return_label": "Return to the app",
            "retry_url": "/again",
            "retry_label": "Try again",
            "request_id": "0123456789abcdef" * 2,
        },
    ),
    "error-optional": (
        "authorize/error.html",
        {
            "heading": "This %(provider)s account belongs to another person here",
            "explanation": "Somebody else has signed in or connected with it on this server, so it cannot be connected to "
            "you as well. Nothing was changed.",
            "steps": [
                "If you have another account at %(provider)s, take that one.",
                "If it is your own: start again, choose “Not you?”, and sign in with %(provider)s itself.",
            ],
            "details": [("What failed", "sign_in_failed")],
            "choices": Choices(
                "/decide",
                (("try_again", "s", "Choose another account"), ("go_on_without", "s", "Go on without %(provider)s")),
            ),
            "return_url": "",
            "return_label": "",
            "request_id": "0123456789abcdef" * 2,
        },
    ),
    "error-required": (
        "authorize/error.html",
        {
            "heading": "%(provider)s did not give what %(resource)s needs",
            "explanation": "Some of the permissions were left out or refused there.",
            "steps": ["Ask again, and leave every permission selected at %(provider)s."],
            "details": [("What is missing", "read:jira-work " * 12)],
            "choices": Choices("/decide", (("try_again", "atlassian", "Ask again"),)),
            "return_url": "/nowhere",
            "return_label": "Return to the app",
            "request_id": "0123456789abcdef" * 2,
        },
    ),
    "connect-renew": ("connect/connect.html", connect(client_name=LONG_NAME, why="renew")),
    "connect-widen": (
        "connect/connect.html",
        connect(client_name_is_checked=True, scopes=[{"name": "repo", "new": False}, {"name": "s" * 100, "new": True}]),
    ),
    "connect-signed-out": (
        "connect/connect.html",
        connect(
            why="connect",
            person="",
            provider_choices=[{"name": "github", "title": "GitHub"}, {"name": "google", "title": "Google"}],
        ),
    ),
    "logout": ("logout/confirm.html", logout()),
    "logout-rude": (
        "logout/confirm.html",
        logout(
            app_name=LONG_NAME + "<script>alert(1)</script>",
            return_host=LONG_HOST,
            person="x" * 200 + "@example.com",
            flaw="post_logout_redirect_uri is not one that this client has registered. " * 3,
        ),
    ),
    "logout-plain": ("logout/confirm.html", logout(app_name="", return_url="", return_host="")),
    "signed-out": ("logout/signed_out.html", logout()),
    "signed-out-returning": ("logout/signed_out.html", logout(goes_on=True)),
    "signed-out-plain": ("logout/signed_out.html", logout(app_name="", return_url="", return_host="", flaw="x" * 300)),
    "signed-out-rude": ("logout/signed_out.html", logout(app_name="אבג " * 30, return_host=LONG_HOST)),
    "account-signed-out": (
        "account/sign_in.html",
        {"provider_choices": [{"name": "github", "title": "GitHub"}, {"name": "t", "title": "T" * 100}]},
    ),
    "account-closed": ("account/sign_in.html", {"provider_choices": []}),
    "account": ("account/home.html", account()),
    "account-empty": ("account/home.html", account(connections=[], apps=[], lately=[], is_whole=True)),
    "account-activity": (
        "account/activity.html",
        {"page": trail.Page([HAPPENING, RUDE_HAPPENING], older_than=7), "is_first": False},
    ),
    "account-confirm": (
        "account/confirm.html",
        {
            "heading": "Disconnect %(provider)s?",
            "sentences": [
                "Your connection to %(provider)s ends too: no other app uses it.",
                "%(provider)s is told, and takes its access back.",
            ],
            "button": "Disconnect %(provider)s",
        },
    ),
    "account-confirm-rude": (
        "account/confirm.html",
        {"heading": LONG_NAME, "sentences": [LONG_HOST, "אבג " * 30], "button": "B" * 120},
    ),
    "account-receipt": ("account/receipt.html", {"steps": [HAPPENING], "waiting": ["GitHub", "T" * 100]}),
    "account-sign-out": ("account/sign_out.html", {"others": 2}),
    "api": ("api/docs.html", schema.page()),
    "upstream-another-browser": ("upstream/error.html", {"reason": "another_browser"}),
    "upstream-another-session": ("upstream/error.html", {"reason": "another_session"}),
    "upstream-used": ("upstream/error.html", {"reason": "state_used_or_expired"}),
    "upstream-unknown": ("upstream/error.html", {"reason": ""}),
    "home": ("home.html", {"issuer": "http://localhost:8000", "demo": True}),
    "400": ("400.html", {}),
    "403": ("403.html", {}),
    "403-csrf": ("403_csrf.html", {}),
    "404": ("404.html", {}),
}


OF_MESSAGES = {"authorize/error.html", "account/confirm.html"}
"""Pages that say what they are given."""


def show(request: HttpRequest, name: str) -> HttpResponse:
    template, context = PAGES[name]
    return render(request, template, said(context) if template in OF_MESSAGES else context)


def said(value: Any) -> Any:
    """The same with every message in the language of the request; other people's words stay as they are."""
    if isinstance(value, str):
        words = gettext(value) if value else ""  # the empty message is the catalogue's header
        return words % NAMES if "%(" in value else words
    if isinstance(value, dict):
        return {name: said(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [said(one) for one in value]
    if isinstance(value, Choices):
        return replace(value, buttons=tuple((name, sent, said(label)) for name, sent, label in value.buttons))
    return value


@csrf_exempt  # as the real one: the form carries a ticket instead
def decide(request: HttpRequest) -> HttpResponse:
    """Where the consent form leads in here: says what was sent."""
    return render(
        request, "authorize/error.html", {"heading": request.POST["decision"], "explanation": request.POST["state"]}
    )


def nowhere(request: HttpRequest) -> HttpResponse:
    """Where the returning pages lead in here: 204 keeps the browser on the page, so that it can be read."""
    return HttpResponse(status=204)


def undecided(request: HttpRequest) -> HttpResponse:
    """What the waiting page's script asks for."""
    return JsonResponse({"state": "waiting"})


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a failure of ours, on purpose")


def away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("a database that is away, on purpose")


handler500 = server_error
urlpatterns = [
    path("api/v1/schema", nowhere, name="api-schema"),
    path("fail", fail),
    path("away", away),
    path("nowhere", nowhere),
    path("decide", decide),
    path("waiting/state", undecided),
    path("account/", include("authserver.account.urls")),
    path("<str:name>", show),
]
