//! What is to be seen: the world as the pages show it.
