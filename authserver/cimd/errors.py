"""Why a client's metadata document cannot be used."""

from __future__ import annotations


class UnusableDocument(Exception):
    """The message is a sentence for the client's developer; it holds nothing that the document's server said."""


class Busy(UnusableDocument):
    """Not the document's fault: too many are being fetched at this moment."""
