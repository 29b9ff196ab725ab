"""`make bench`: figures that the product promises, measured on this machine against the sandboxes."""
