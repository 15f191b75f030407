"""What tests drive a running server with: a person at a browser, a plain OAuth client, running servers."""
