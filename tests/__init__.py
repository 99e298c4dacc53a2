"""Tests mirror the code: unit, contract, integration, simulation, chaos, browser, deploy."""
