"""Benchmarks of wheel_linker: real wheels, real file systems, side by side."""
