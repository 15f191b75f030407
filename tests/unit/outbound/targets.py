"""Where an outbound call may be pointed to in order to reach what it must not, and the word with which it is refused."""

from __future__ import annotations

ADDRESS, HOST, URL, SCHEME, PORT, USERINFO = (
    "address_not_allowed", "host_malformed", "url_malformed", "scheme_not_allowed", "port_not_allowed", "url_has_userinfo",
)  # fmt: skip

TARGETS: dict[str, str] = {
    # Addresses, as everybody writes them.
    "https://127.0.0.1/x": ADDRESS,
    "https://127.255.255.254/x": ADDRESS,
    "https://10.0.0.1/x": ADDRESS,
    "https://172.16.0.1/x": ADDRESS,
    "https://172.31.255.255/x": ADDRESS,
    "https://192.168.0.1/x": ADDRESS,
    "https://169.254.0.1/x": ADDRESS,
    "https://169.254.169.254/latest": ADDRESS,
    "https://100.100.100.200/x": ADDRESS,
    "https://168.63.129.16/x": ADDRESS,
    "https://100.64.0.1/x": ADDRESS,
    "https://0.0.0.0/x": ADDRESS,
    "https://255.255.255.255/x": ADDRESS,
    "https://224.0.0.1/x": ADDRESS,
    "https://198.18.0.1/x": ADDRESS,
    "https://192.0.2.1/x": ADDRESS,
    "https://[::1]/x": ADDRESS,
    "https://[::]/x": ADDRESS,
    "https://[fc00::1]/x": ADDRESS,
    "https://[fd00:ec2::254]/x": ADDRESS,
    "https://[fe80::1]/x": ADDRESS,
    "https://[fec0::1]/x": ADDRESS,
    "https://[ff02::1]/x": ADDRESS,
    # IPv4 inside IPv6: mapped, compatible, translated, NAT64 (RFC 6052, RFC 8215), 6to4, Teredo.
    "https://[::ffff:127.0.0.1]/x": ADDRESS,
    "https://[::ffff:7f00:1]/x": ADDRESS,
    "https://[::ffff:169.254.169.254]/x": ADDRESS,
    "https://[::127.0.0.1]/x": ADDRESS,
    "https://[::ffff:0:127.0.0.1]/x": ADDRESS,
    "https://[64:ff9b::7f00:1]/x": ADDRESS,
    "https://[64:ff9b::10.0.0.1]/x": ADDRESS,
    "https://[64:ff9b:1::7f00:1]/x": ADDRESS,
    "https://[2002:7f00:1::]/x": ADDRESS,
    "https://[2001:0:7f00:1::]/x": ADDRESS,
    # Names of this machine.
    "https://localhost/x": ADDRESS,
    "https://LOCALHOST/x": ADDRESS,
    "https://foo.localhost/x": ADDRESS,
    "https://localhost./x": HOST,
    # Other spellings: decimal, octal, hexadecimal, short, encoded, with a zone.
    "https://2130706433/x": HOST,
    "https://0177.0.0.1/x": HOST,
    "https://017700000001/x": HOST,
    "https://0x7f.1/x": HOST,
    "https://0x7f000001/x": HOST,
    "https://127.1/x": HOST,
    "https://127.0.0.1./x": HOST,
    "https://0/x": HOST,
    "https://127%2e0%2e0%2e1/x": HOST,
    "https://localhost%00.example.com/x": HOST,
    "https://[fe80::1%25lo]/x": HOST,
    "https://127\u30020\u30020\u30021/x": URL,
    "https://\uff11\uff12\uff17.0.0.1/x": URL,
    "https://\u2460\u2461\u2466.0.0.1/x": URL,
    # What one parser takes for the host and another does not.
    "https://idp.example@127.0.0.1/x": USERINFO,
    "https://idp.example:443@127.0.0.1/x": USERINFO,
    "https://@127.0.0.1/x": USERINFO,
    "https://127.0.0.1\\@idp.example/x": URL,
    "https://127.0.0.1\\.idp.example/x": URL,
    "https://idp.example\t@127.0.0.1/x": URL,
    # Schemes.
    "http://idp.example/x": SCHEME,
    "ftp://idp.example/x": SCHEME,
    "gopher://idp.example/x": SCHEME,
    "file:///etc/passwd": SCHEME,
    "unix:/var/run/docker.sock": SCHEME,
    "data:application/json,{}": SCHEME,
    "//idp.example/x": SCHEME,
    # Other services.
    "https://idp.example:22/x": PORT,
    "https://idp.example:25/x": PORT,
    "https://idp.example:5432/x": PORT,
    "https://idp.example:6379/x": PORT,
    "https://idp.example:11211/x": PORT,
    # Names whose addresses are these (`NAMES`).
    "https://loopback.example/x": ADDRESS,
    "https://private.example/x": ADDRESS,
    "https://metadata.example/x": ADDRESS,
    "https://mapped.example/x": ADDRESS,
    "https://mixed.example/x": ADDRESS,
    "https://mixed-six.example/x": ADDRESS,
}

NAMES: dict[str, list[str]] = {
    "loopback.example": ["127.0.0.1"],
    "private.example": ["10.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "mixed.example": ["8.8.4.4", "192.168.0.1"],
    "mixed-six.example": ["2606:4700::1111", "::1"],
}

AT_ENTRY = {url: reason for url, reason in TARGETS.items() if not any(name in url for name in NAMES)}
"""What can be told from the URL alone, so that no operator gets to store it."""
