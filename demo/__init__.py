"""`make demo`: the whole product at work on look-alikes of both CRMs, with a clock that can be moved."""
