use super::*;

#[test]
fn placeholder() {
    let m = mask(Language::Rust, "let x = \"a\"; // b\n", true);
    assert_eq!(m.code, "let x = \" \";     \n");
    assert_eq!(m.live, "let x = \"a\";     \n");
}
