"""The HubSpot adapter; see README.md for its limits and quirks."""

from __future__ import annotations

from adapters.hubspot.adapter import HubSpotAdapter
from adapters.port import Adapter

ADAPTER: Adapter = HubSpotAdapter()
