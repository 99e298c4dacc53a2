"""Do the detectors of cheating and of shared hands find what was planted, and only that?"""
