"""The console's pages of upstream providers: a form for each type, where the secret comes from, health, and two tests.

`guides` says what a type needs and where it is found, `form` asks for it by the configuration file's rules, `admin` puts
the pages together. `connection` looks at a provider from outside; `sign_in_test` signs an operator in there, keeps
nothing, and says by `findings` and `causes` what came.
"""
