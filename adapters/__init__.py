"""Everything that knows a vendor, behind one port."""
