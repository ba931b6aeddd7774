"""Fresh Debian systems, made from nothing, in which the project is tried as a new user would.

``PYTHONPATH=tests python3 -m systems --help`` says what can be asked for. It takes root, on Linux.
"""
