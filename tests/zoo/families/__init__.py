"""One module per family of faults; each ends in its `PROGRAMS`. `zoo.catalogue` joins them."""
