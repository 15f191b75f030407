"""Token sessions in the console: the list and its filters, each session's whole story, and what ends them.

`listing` is the page of Django's admin, `filters` decides which rows, `beside` what is read beside them, `standing` how
each upstream stands, `story` and `trail` are the detail page, `ending` and `everything` end all of something.
"""

from authserver.console.sessions.ending import EndsSessionsMixin, ReasonForm

__all__ = ["EndsSessionsMixin", "ReasonForm"]
