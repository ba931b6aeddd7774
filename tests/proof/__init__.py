"""What tries to break the promises: faults at every step, kills, odd file systems, hostile input, threads.

The tests here count what they do. ``--proof-report FILE`` keeps the figures, from which ``document.py`` fills the
pages of the documentation; ``--long`` does everything in full.
"""
