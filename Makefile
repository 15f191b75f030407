# Aliases of ./dev, for fingers that type make. The verbs and their options live there: ./dev --help
.PHONY: help run test lint bench example

help:
	@echo "make run       serve the demo on http://localhost:8000     ./dev run"
	@echo "make test      the whole suite: SQLite, then PostgreSQL    ./dev test"
	@echo "make lint      every check that needs no running server    ./dev lint"
	@echo "make bench     what each operation costs the server        ./dev bench"
	@echo "make example   an MCP server that uses it, beside 'run'    ./dev example fastmcp"
	@echo
	@echo "Options, and ./dev manage for Django's commands: ./dev --help"

run test lint bench:
	@./dev $@

example:
	@./dev example fastmcp
