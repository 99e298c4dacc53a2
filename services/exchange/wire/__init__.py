"""The venue's protocol over HTTP and WebSocket: names, units, texts and statuses; no rules."""
