"""What became of each attempt of a client to connect: where it stopped, and the likely cause in words.

Nothing is written for it but `authserver.refusals`; the rest is read from the rows that an attempt leaves anyway:
registration, approval, visits to providers, the code, the session, the releases of upstream tokens. Approvals, visits and
codes are kept for a day after their end, refusals for a week, registrations and sessions for as long as they are.
"""
