"""Look-alikes of the CRMs over HTTP on loopback, for demonstration and tests; nothing in here knows the product."""
