"""A page as a person sees it: its words, its forms and where it leads by itself. No script is run.

`read(response)` gives a `Page`; `Page.form(...)` finds one form; `Form.filled(...)` is what a browser would submit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Protocol
from urllib.parse import urljoin

_SKIPPED = {"script", "style", "title"}
_REFRESH = re.compile(r"^\s*\d+\s*[;,]\s*(?:url\s*=\s*)?['\"]?(.*?)['\"]?\s*$", re.IGNORECASE)


class Answer(Protocol):
    """The part of an HTTP response that a page is made of; httpx's and requests' both have it."""

    @property
    def text(self) -> str: ...


@dataclass
class Choice:
    """A radio button, checkbox, submit button or other field; `label` is the text a person reads beside it."""

    name: str
    type: str
    value: str
    label: str = ""
    checked: bool = False

    def reads(self, words: str) -> bool:
        """Whether a person who looks for `words` would take this one."""
        return words.lower() in f"{self.label} {self.value}".lower()


@dataclass
class Form:
    """`action` is absolute; `method` is "get" or "post". Buttons stand apart: only the pressed one is submitted."""

    action: str
    method: str
    fields: list[Choice] = field(default_factory=list)
    buttons: list[Choice] = field(default_factory=list)

    def button(self, words: str) -> Choice | None:
        """The first submit button whose text or value contains `words`."""
        return next((button for button in self.buttons if button.reads(words)), None)

    def radios(self) -> dict[str, list[Choice]]:
        """Radio buttons by group name."""
        groups: dict[str, list[Choice]] = {}
        for choice in self.fields:
            if choice.type == "radio":
                groups.setdefault(choice.name, []).append(choice)
        return groups

    def filled(self, press: Choice | None = None, **values: str) -> dict[str, str]:
        """Names and values to submit: what is filled in, what is chosen, the pressed button, and `values` over all."""
        filled = {
            one.name: one.value
            for one in self.fields
            if one.name and (one.type not in {"radio", "checkbox"} or one.checked)
        }
        if press is not None and press.name:
            filled[press.name] = press.value
        return filled | values


@dataclass
class Page:
    """`url` is where it was found; `refresh_url` is absolute, from `<meta http-equiv="refresh">`."""

    url: str
    text: str
    title: str
    refresh_url: str | None
    links: list[str]
    forms: list[Form]


def read(response: Answer, url: str) -> Page:
    """The page in `response`, found at `url`."""
    reader = _Reader(url)
    reader.feed(response.text)
    reader.close()
    return Page(
        url=url,
        text=" ".join("".join(reader.words).split()),
        title=" ".join(reader.title.split()),
        refresh_url=reader.refresh_url,
        links=reader.links,
        forms=reader.forms,
    )


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url = url
        self.title = ""
        self.words: list[str] = []
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.refresh_url: str | None = None
        self._inside: list[str] = []  # the skipped elements we are in
        self._form: Form | None = None
        self._button: Choice | None = None
        self._label: list[Choice] | None = None  # the choices of the label we are in
        self._label_text = ""
        self._label_for: dict[str, str] = {}  # text by the id it is a label for
        self._label_target: str | None = None
        self._by_id: dict[str, Choice] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _SKIPPED:
            self._inside.append(tag)
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            if match := _REFRESH.match(values.get("content", "")):
                self.refresh_url = urljoin(self.url, match.group(1))
        elif tag == "a" and "href" in values:
            self.links.append(urljoin(self.url, values["href"]))
        elif tag == "form":
            action = urljoin(self.url, values["action"]) if values.get("action") else self.url
            self._form = Form(action, values.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "label":
            self._label, self._label_text, self._label_target = [], "", values.get("for")
        elif tag in {"input", "button", "textarea", "select"}:
            self._choice(tag, values)

    def _choice(self, tag: str, values: dict[str, str]) -> None:
        if self._form is None or "disabled" in values:
            return
        type_ = values.get("type", "submit" if tag == "button" else "text").lower()
        value = values.get("value", "on" if type_ in {"radio", "checkbox"} else "")
        choice = Choice(values.get("name", ""), type_, value, checked="checked" in values)
        if type_ == "submit":
            choice.label = value if tag == "input" else ""
            self._form.buttons.append(choice)
            self._button = choice if tag == "button" else None
        elif type_ not in {"button", "reset"}:
            self._form.fields.append(choice)
            if self._label is not None:
                self._label.append(choice)
        if "id" in values:
            self._by_id[values["id"]] = choice

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()
        elif tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None
        elif tag == "label" and self._label is not None:
            text = " ".join(self._label_text.split())
            for choice in self._label:
                choice.label = text
            if self._label_target:
                self._label_for[self._label_target] = text
            self._label = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            if self._inside[-1] == "title":
                self.title += data
            return
        self.words.append(data)
        if self._button is not None:
            self._button.label += data
        if self._label is not None:
            self._label_text += data

    def close(self) -> None:
        super().close()
        for id_, text in self._label_for.items():
            if (choice := self._by_id.get(id_)) is not None and not choice.label:
                choice.label = text
