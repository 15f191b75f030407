"""`/account/`: the person's own page. What is connected, which apps have access, what happened lately, and the end of each.

A GET changes nothing; what ends something asks first, posts with a CSRF token, goes through `authserver.cascade`, and
leaves a receipt in words.
"""
