use super::*;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

#[test]
fn seeds_give_the_keys_of_the_go_server() {
    let golden: Value = serde_json::from_str(include_str!("../golden/host-key.json")).expect("golden");
    let vectors = golden["vectors"].as_array().expect("list");
    assert!(vectors.len() >= 5);
    for v in vectors {
        let seed = v["key_seed"].as_str().expect("seed");
        let hex = |name: &str| v[name].as_str().expect("hex").to_owned();
        let material = seeded_material(seed.as_bytes());
        let show = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            show(material.as_ref()),
            hex("key_material_40_bytes_hex"),
            "{seed}"
        );
        assert_eq!(
            show(scalar_of(&material).as_ref()),
            format!("{:0>64}", hex("d_hex")),
            "{seed}"
        );
        let key = HostKey::from_seed(seed).expect("key");
        let blob = STANDARD
            .decode(hex("ssh_public_key_blob_base64"))
            .expect("base64");
        assert_eq!(key.blob(), blob, "{seed}");
        assert_eq!(key.fingerprint().md5(), hex("fingerprint_md5"), "{seed}");
        assert_eq!(
            key.fingerprint().sha256(),
            hex("sha256_openssh_style_for_reference_only"),
            "{seed}"
        );
        assert_eq!(point_of_blob(&blob).map(<[u8]>::len), Some(65));
    }
}

#[test]
fn an_empty_seed_is_a_new_key_each_time() {
    let one = HostKey::from_seed("").expect("key");
    let two = HostKey::from_seed("").expect("key");
    assert_ne!(one.fingerprint(), two.fingerprint());
}

#[test]
fn pins() {
    let fingerprint = HostKey::from_seed("test").expect("key").fingerprint();
    let matches = |pin: &str| pin.parse::<FingerprintPin>().map(|p| p.matches(&fingerprint));
    assert_eq!(
        matches("aa:0d:c9:17:67:75:6f:a6:ec:49:65:d4:0f:eb:92:01"),
        Ok(true)
    );
    assert_eq!(matches("AA:0D"), Ok(true));
    assert_eq!(matches("aa:0d:c9"), Ok(true));
    assert_eq!(matches("aa:0e"), Ok(false));
    assert_eq!(matches(fingerprint.sha256()), Ok(true));
    assert_eq!(
        matches("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        Ok(false)
    );
    assert_eq!(matches("SHA256:RZpr"), Err(BadPin));
    assert_eq!(matches("not a fingerprint"), Err(BadPin));
    assert_eq!(matches(""), Err(BadPin));
}
