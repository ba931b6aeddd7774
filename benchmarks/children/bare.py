"""Does nothing: its memory is what interpreter and harness need by themselves."""

from __future__ import annotations

from benchmarks.children.job import Answer, Job, peak_memory


def main() -> None:
    """Read a job, do nothing, answer."""
    Job.read()
    Answer(0.0, peak_memory()).give()


if __name__ == "__main__":
    main()
