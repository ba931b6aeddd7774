"""What is installed here, compared with what pip and uv install, and each removed by the others.

The wheels are one made here, which has everything that the format knows, and some of the benchmark's, which pip
downloads. ``WHEEL_LINKER_TEST_WHEELS=DIRECTORY`` takes all the wheels of a directory instead that fit the interpreter.

A list of published wheels that are odd is downloaded and compared with ``--long``, one after the other;
``WHEEL_LINKER_TEST_ODD_WHEELS=DIRECTORY`` keeps them there for the next time.
"""
