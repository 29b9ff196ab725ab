"""The commands of ``aurevoir`` and how they print; :mod:`connector.cli` puts them together."""
