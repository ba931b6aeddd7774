"""Programs that run in a process of their own: a job on stdin, a figure on stdout."""
