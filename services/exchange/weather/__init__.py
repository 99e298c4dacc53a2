"""Bad weather: what goes wrong between a client and the venue, seeded, scoped and logged. Pure."""
