"""Drop-in parts for installers that are built on other libraries, one module for each library."""
