"""Whether the server of this container answers /livez: exit status 0, else 1. Asks as a proxy does, with a host it knows."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # started as a file, it has its own directory there

from authserver.env import Environment

PORT = 8000
PATIENCE_SECONDS = 4


def main(port: int) -> int:
    env = Environment()
    issuer = urlsplit(env.get("AUTHSERVER_ISSUER") or "")
    host = (env.get("AUTHSERVER_ALLOWED_HOSTS") or issuer.netloc).split(",")[0].strip()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", f"{issuer.path}/livez", headers={"Host": host})
        return int(connection.getresponse().status != http.client.OK)
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else PORT))
