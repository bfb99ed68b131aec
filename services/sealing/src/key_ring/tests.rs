//! Sealing, opening, rotation, and what is refused.
use super::*;

fn ring(text: &str) -> KeyRing {
    KeyRing::from_text(text).expect("a key ring")
}

fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

#[test]
fn what_is_sealed_opens_in_its_row_only() {
    let ring = ring(KeyRing::generate_text().expose_secret());
    let sealed = ring.seal(b"row 1", b"hush").expect("seals");
    let text = ring.open_text(b"row 1", &sealed).expect("opens");
    assert_eq!(text.expose_secret(), "hush");
    assert!(!sealed.bytes.windows(4).any(|w| w == b"hush"));
    for other in [&b"row 2"[..], b"row 11", b"row", b""] {
        assert_eq!(ring.open(other, &sealed).err(), Some(OpenError::Refused));
    }
    let bytes = ring.seal(b"row 1", &[0xff, 0]).expect("seals");
    assert_eq!(
        ring.open(b"row 1", &bytes).expect("opens").expose_secret(),
        [0xff, 0]
    );
    let no_text = ring.open_text(b"row 1", &bytes).err();
    assert_eq!(no_text, Some(OpenError::Refused));
}

#[test]
fn nonces_differ_and_every_changed_byte_is_noticed() {
    let ring = ring(&format!("a:{}", key(1)));
    let row = b"row";
    let sealed = ring.seal(row, b"value").expect("seals");
    assert_ne!(sealed.bytes, ring.seal(row, b"value").expect("seals").bytes);
    for at in 0..sealed.bytes.len() {
        let mut changed = sealed.clone();
        changed.bytes[at] ^= 1;
        assert_eq!(
            ring.open(row, &changed).err(),
            Some(OpenError::Refused),
            "{at}"
        );
        changed.bytes.truncate(at);
        assert_eq!(
            ring.open(row, &changed).err(),
            Some(OpenError::Refused),
            "{at}"
        );
    }
}

#[test]
fn a_rotated_ring_opens_the_old_and_seals_with_the_new() {
    let old = ring(&format!("old:{}", key(1)));
    let row = b"row";
    let sealed = old.seal(row, b"value").expect("seals");
    let both = ring(&format!("new:{}, old:{}", key(2), key(1)));
    assert_eq!(both.ids(), ["new", "old"]);
    assert!(both.open(row, &sealed).is_ok());
    let again = both.reseal(row, &sealed).expect("opens").expect("is new");
    assert_eq!(again.key_id, "new");
    assert_eq!(
        both.open_text(row, &again).unwrap().expose_secret(),
        "value"
    );
    assert_eq!(both.reseal(row, &again), Ok(None));
    let fresh = both.seal(row, b"value").expect("seals");
    assert_eq!(fresh.key_id, "new");
    assert_eq!(
        old.open(row, &fresh).err(),
        Some(OpenError::UnknownKey("new".into()))
    );
    let same_id = ring(&format!("old:{}", key(3)));
    assert_eq!(same_id.open(row, &sealed).err(), Some(OpenError::Refused));
}

#[test]
fn odd_rings_are_refused_and_nothing_shows_a_key() {
    let short = format!("a:{}", STANDARD.encode([1; 31]));
    let twice = format!("a:{},a:{}", key(1), key(2));
    let good = key(7);
    for (text, says) in [
        ("", "key 1 has no id"),
        (good.as_str(), "key 1 has no id"),
        ("a b:x", "key 1 has an odd id"),
        ("a:???", "key 1 is not base64"),
        (short.as_str(), "key 1 is not 32 bytes"),
        (twice.as_str(), "key 2 has the id of another one"),
    ] {
        let error = KeyRing::from_text(text).expect_err("refused").to_string();
        assert!(
            error.starts_with(&format!("no key ring: {says} (")),
            "{error}"
        );
        assert!(!error.contains(good.as_str()), "{error}");
    }
    assert_eq!(
        format!("{:?}", ring(&format!("a:{good}"))),
        r#"KeyRing(["a"])"#
    );
}

#[test]
fn a_code_recognises_its_value_also_after_a_rotation() {
    let old = ring(&format!("old:{}", key(1)));
    let before = old.authentication_codes(b"SetSecret", b"1234").unwrap();
    assert_eq!(
        before,
        old.authentication_codes(b"SetSecret", b"1234").unwrap()
    );
    for (context, value) in [
        (&b"SetSecret"[..], &b"1235"[..]),
        (b"SetSecre", b"t1234"),
        (b"", b"SetSecret1234"),
    ] {
        let other = old.authentication_codes(context, value).unwrap();
        assert_ne!(other.current, before.current);
    }
    let both = ring(&format!("new:{}, old:{}", key(2), key(1)));
    let after = both.authentication_codes(b"SetSecret", b"1234").unwrap();
    assert_ne!(after.current, before.current);
    assert_eq!(after.former, [before.current]);
}
