"""The domain: what a good goodbye is. Pure functions and words; no vendor, network, clock or database."""
