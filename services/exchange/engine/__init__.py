"""The exchange's pure core: money, books, matching, the tape. No I/O; time is passed in."""
