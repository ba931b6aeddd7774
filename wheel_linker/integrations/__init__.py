"""Parts for other tools that install wheels by this library: one module or package for each tool."""
