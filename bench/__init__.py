"""Measurements, side by side in one run; only ratios of one run count."""
