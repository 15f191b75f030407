"""Somebody at a browser: keeps cookies, follows redirects, reads pages, presses buttons. No script is run.

    person = Person()                                  # approves, and signs in as Ada
    callback = person.authorize(authorization_url)     # the client's address, with code, state and iss; not fetched
    Person(decision="deny").authorize(url)             # presses Deny
    person.visit(connect_url).title                    # a page that does not lead back to a client
    Person(name="Grace", provider="github")            # who they are, and which provider they take where they may choose

What the person meets on the way is in `person.seen`, so that a test can say in which order the pages came.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import httpx

from tests.harness.page import Choice, Form, Page, read

MAX_STEPS = 30
CALLBACK_SECONDS = 20.0
_HEADERS = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Accept-Language": "en"}


class Stuck(AssertionError):
    """The person does not know how to go on: an error page, or a form they do not understand. Carries the page."""

    def __init__(self, why: str, page: Page, status: int) -> None:
        super().__init__(f"{why}: {status} at {page.url.partition('?')[0]}: {page.title!r}: {page.text[:600]}")
        self.page = page
        self.status = status


class TheEnd(Stuck):
    """A page that leads nowhere: no form that the person could answer."""


class Person:
    """`name` is whom they pick at the demo provider, `provider` which radio button they take, `decision` approve or deny."""

    def __init__(
        self,
        name: str = "Ada",
        *,
        decision: str = "approve",
        provider: str | None = None,
        timeout_seconds: float = 20.0,
    ) -> None:
        self.name = name
        self.decision = decision
        self.provider = provider
        self.seen: list[Page] = []
        self.browser = httpx.Client(
            headers=_HEADERS,
            follow_redirects=False,
            timeout=timeout_seconds,
            limits=httpx.Limits(max_keepalive_connections=0),  # nothing stays open, so that `with` is no duty
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.browser.close()

    def authorize(self, url: str) -> str:
        """Walk from an authorization URL to the client's redirect URI, and give that address without fetching it."""
        redirect_uri = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        return self.walk(url, until=redirect_uri)

    def return_to_client(self, url: str) -> httpx.Response:
        """`authorize`, and then fetch the client's address as a browser does.

        Some clients send the person away before they listen, so one that refuses the connection is tried again for a while.
        """
        callback = self.authorize(url)
        deadline = time.monotonic() + CALLBACK_SECONDS
        while True:
            try:
                return self.browser.get(callback, headers=_navigation("cross-site"))
            except httpx.ConnectError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def visit(self, url: str) -> Page:
        """Open a page, press what goes on, and give the page where that ends; raises `Stuck` at an error page."""
        try:
            address = self.walk(url, until="")
        except TheEnd as end:
            return end.page
        raise AssertionError(f"left for {address}")

    def walk(self, url: str, *, until: str) -> str:
        """Go from `url` on until the next address is `until` (its query apart); raises `Stuck`."""
        request = self.browser.build_request("GET", url, headers=_navigation("none"))
        for _ in range(MAX_STEPS):
            response = self.browser.send(request)
            here = str(request.url)
            if response.is_redirect:
                address = urljoin(here, response.headers["location"])
                if _same_place(address, until):
                    return address
                request = self._follow(address, here)
                continue
            page = read(response, here)
            self.seen.append(page)
            if response.status_code != 200:
                raise Stuck("an error page", page, response.status_code)
            if page.refresh_url:
                if _same_place(page.refresh_url, until):
                    return page.refresh_url
                request = self._follow(page.refresh_url, here)
                continue
            request = self._answer(page, response.status_code)
        raise AssertionError(f"more than {MAX_STEPS} steps, last at {here.partition('?')[0]}")

    def _follow(self, address: str, here: str) -> httpx.Request:
        return self.browser.build_request("GET", address, headers=_navigation(_site(here, address)))

    def _answer(self, page: Page, status: int) -> httpx.Request:
        """The form whose button says what the person wants, or the page's only one, filled in and sent."""
        for words in (self.decision, self.name):
            for form in page.forms:
                if (press := form.button(words)) is not None:
                    return self._submit(form, press, page.url)
        if len(page.forms) == 1 and len(page.forms[0].buttons) == 1:
            return self._submit(page.forms[0], page.forms[0].buttons[0], page.url)
        raise TheEnd("no form to go on with", page, status)

    def _submit(self, form: Form, press: Choice, here: str) -> httpx.Request:
        values = form.filled(press)
        for group, choices in form.radios().items():
            wanted = [one for one in choices if one.reads(self.name) or (self.provider and one.value == self.provider)]
            if wanted or group not in values:
                values[group] = (wanted or choices)[0].value
        headers = _navigation(_site(here, form.action))
        if form.method == "get":
            return self.browser.build_request("GET", form.action, params=values, headers=headers)
        origin = urlsplit(here)
        headers["Origin"] = f"{origin.scheme}://{origin.netloc}"
        if _site(here, form.action) == "same-origin":
            headers["Referer"] = here  # Referrer-Policy: same-origin
        return self.browser.build_request("POST", form.action, data=values, headers=headers)


def parameters(address: str) -> dict[str, str]:
    """The query parameters of an address, each of which may stand there once only."""
    pairs = parse_qsl(urlsplit(address).query, keep_blank_values=True, strict_parsing=True)
    found = dict(pairs)
    assert len(found) == len(pairs), f"a parameter is repeated: {sorted(name for name, _ in pairs)}"
    return found


def _same_place(address: str, until: str) -> bool:
    here, there = urlsplit(address), urlsplit(until)
    return (here.scheme, here.netloc, here.path) == (there.scheme, there.netloc, there.path)


def _site(here: str, there: str) -> str:
    """`Sec-Fetch-Site` of a navigation; ports apart, every address in these tests is its own site."""
    from_, to = urlsplit(here), urlsplit(there)
    if (from_.scheme, from_.netloc) == (to.scheme, to.netloc):
        return "same-origin"
    return "same-site" if from_.hostname == to.hostname else "cross-site"


def _navigation(site: str) -> dict[str, str]:
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
