"""Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document): a client whose id is an https URL.

The document behind the URL says what a registration request would. `address` decides which URLs are client ids,
`document` fetches and reads one, `freshness` says how long it holds, `flights` how many are fetched at once, `resolver`
keeps it as a `Client` row. `authserver.clients` asks `resolve`; nothing else needs to.
"""

from authserver.cimd.address import PREFIX
from authserver.cimd.resolver import resolve

__all__ = ["PREFIX", "resolve"]
