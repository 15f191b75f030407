"""What may be wrong with this server as it runs, found by looking: `manage.py doctor` and a page of the console.

`examination.examine` asks every module here; each gives `Finding`s. Nothing is written but one key of the cache, nothing
secret is said, every call is bounded, and so is the whole.
"""
