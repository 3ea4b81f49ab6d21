use super::*;

#[test]
fn exactly_the_announced_bytes_are_read() {
    for (content, announced, expected) in
        [("grown", 3, "gro"), ("cut", 5, "cut\0\0"), ("same", 4, "same"), ("proc", 0, "")]
    {
        let mut read = String::new();
        let mut file = Exact::new(content.as_bytes(), announced);
        file.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), file.has_changed()), (expected, content != "same"));
    }
}
