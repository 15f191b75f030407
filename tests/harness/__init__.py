"""What tests stand on: the environment, a real PostgreSQL, real server processes, and people and clients to send there."""
