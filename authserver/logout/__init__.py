"""Signing out, from either side.

`backchannel`: `/oauth/backchannel-logout/<upstream>`, where an upstream says whom it has signed out (OpenID Connect
Back-Channel Logout 1.0); `ending` is what ends then. `rp_initiated`: `/oauth/logout`, where an app sends a person to be
signed out here (OpenID Connect RP-Initiated Logout 1.0), with what it asks read in `asked`.
"""
