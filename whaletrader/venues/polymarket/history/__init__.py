"""What wallets did at Polymarket, as public services tell it: Data API, catalogue, RTDS, subgraphs.

Reads only, needs no key. The one place that knows these services' field names; what comes out
is `rows`. Called by the scan of `lab.scan`, and by feeds where markets are live.
"""
