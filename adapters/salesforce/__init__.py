"""The Salesforce adapter."""

from adapters.salesforce.adapter import ADAPTER

__all__ = ["ADAPTER"]
