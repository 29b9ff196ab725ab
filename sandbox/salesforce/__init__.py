"""A look-alike of a Salesforce organisation over HTTP on loopback."""

from sandbox.salesforce.org import SalesforceSandbox
from sandbox.salesforce.world import Actor, Settings

__all__ = ["Actor", "SalesforceSandbox", "Settings"]
