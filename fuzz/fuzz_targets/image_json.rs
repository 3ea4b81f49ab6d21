//! Foreign manifests, indexes and configurations, and names of images: reading them ends with a value.

#![no_main]

use illico_image::Reference;
use illico_image::oci::{Configuration, Document, for_this_machine};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Document::parse(bytes) {
        Ok(Document::Index(manifests)) => drop(for_this_machine(&manifests).map(|all| all.len())),
        Ok(Document::Manifest(manifest)) => {
            let _ = manifest.check();
            let _ = Configuration::parse(bytes, manifest.layers.len());
        }
        Err(_) => drop(Configuration::parse(bytes, 0)),
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(reference) = text.parse::<Reference>()
    {
        assert_eq!(reference.to_string().parse(), Ok(reference.clone()));
        assert_eq!(reference.familiar().parse(), Ok(reference));
    }
});
