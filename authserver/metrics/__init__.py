"""`/metrics`: what `accounts.metrics` counts and what a scrape finds out, in Prometheus' text format (version 0.0.4).

`middleware` measures every request and answers this one, `access` says to whom, `readings` finds out what nobody counts
(the queue, keys, maintenance), `directory` is where gunicorn's workers keep their numbers.
"""
