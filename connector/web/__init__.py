"""Pages and endpoints, one blueprint a file. Each is made by a function that is given the runtime it works with."""
