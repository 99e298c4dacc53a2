"""When something stopped being what it was: detectors one value at a time, and in hindsight."""
