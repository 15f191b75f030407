"""The configuration file: `manage.py apply_config FILE` makes the database match it.

One way through, each step a module: `tree` turns YAML into nodes that know their lines; `upstreams`, `resources`,
`callers` and `policy` read one section each into the frozen `entries`, by way of `reading`; `document` puts them together
and checks what one entry says of another; `applying` and its steps write, in one transaction. Whatever is wrong is
collected in `problems`, all of it, each with line, key, cause and remedy.

The console's forms pass the same readers (`tree.from_python`), so nothing can be typed there that a file may not say.
"""
