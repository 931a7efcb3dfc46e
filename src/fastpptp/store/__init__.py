"""The store of the Configuration tree. Imported by backends/, admin/, server/ and cli/ alone."""

from fastpptp.store.store import Store

__all__ = ["Store"]
