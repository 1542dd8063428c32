"""A second, independent implementation of the protocol in PROTOCOL.md.

It is written for interoperability tests: it is not constant in time and erases nothing.
"""
