//! What is due, when to look again.
