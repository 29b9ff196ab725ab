"""Our own records: the agenda, cases, intents, answers. The truth about tasks stays in the CRM."""

from connector.store.database import Store

__all__ = ["Store"]
