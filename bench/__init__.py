"""The benchmark: what an operation costs the server, in CPU time and statements, beside two servers that people know.

`./dev bench` starts a PostgreSQL with its usual guarantees, gunicorn as in production, and a load generator of its own
process. docs/performance.md says what is measured and how to read it.

    deployment   PostgreSQL, our server and an upstream provider, started and stopped
    seeding      sessions, so many as asked, and among them those that are used
    operations   what is measured: the requests of each operation, and its budget
    load         the load generator, a closed loop over eight connections
    measuring    one operation, several times: CPU, statements, latencies
    meter        CPU time and memory of a process tree; statements of a database
    growth       the same operations at few sessions and at many, and what maintenance's purges cost
    report       Markdown and JSON
    peers        django-oauth-toolkit and oidc-provider, tuned, doing the same
"""
