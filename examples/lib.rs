//! The examples: each file beside this one is a program of its own.
