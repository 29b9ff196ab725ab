"""What runs: receiver, reconciler, scheduler, store and the ``aurevoir`` command."""
