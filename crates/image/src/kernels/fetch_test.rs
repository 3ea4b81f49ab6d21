use super::*;

#[test]
fn packages_with_a_kernel_are_told_from_meta_packages() {
    assert!(is_image("linux-image-6.12.9+deb12-cloud-amd64"));
    assert!(is_image("linux-image-unsigned-6.8.0-31-generic"));
    for other in ["linux-image-6.12-cloud-amd64", "linux-image-cloud-amd64", "linux-base", "linux-image-"] {
        assert!(!is_image(other), "{other}");
    }
}
