//! A story that is added must be played: the tests read the names in `tests/stories` when they are built, so
//! a change there builds them anew.

fn main() {
    println!("cargo::rerun-if-changed=tests/stories");
}
