"""The same findings in four forms, one module each. None of them reads anything."""
