"""How documents look: Word files with Jinja in them, and what writes them."""
