"""The audit trail in the console: `filters` says which rows, `words` what they mean, `export` hands them out as a file.

Nothing here changes a row. `authserver.console.audit` registers the page.
"""
