"""The host's side: when to record, reading the device, the event file, live findings."""
