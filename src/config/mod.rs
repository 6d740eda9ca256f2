//! The rules file: its shape as types, loading it, and finding all that is wrong with it at once.
