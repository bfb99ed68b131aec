//! Reading payloads: expected fields, fields of another type, and bodies that are no payload.
use super::{tolerant_json::FileNames, *};

#[test]
fn known_fields_are_read_and_all_others_skipped() {
    let body = br#"{"action":"labeled","unknown":[1,{"a":null}],"repository":{"id":186853002,"name":"x"},
        "issue":{"number":7,"title":"A \"b\"","labels":[{"name":"bug"},"odd"]},"label":{"name":"run:dev"},"sender":{"login":"mona","type":"User"}}"#;
    let payload = Payload::parse(body).expect("a payload");
    assert_eq!(payload.repository_id(), Some(186_853_002));
    assert_eq!(payload.action.as_str(), "labeled");
    assert_eq!(payload.sender_login(), "mona");
    let issue = payload.issue.0.expect("an issue");
    assert_eq!((issue.number.0, issue.title.as_str()), (Some(7), "A \"b\""));
    assert_eq!(issue.labels.0.len(), 2);
}

#[test]
fn a_field_of_an_unexpected_type_counts_as_absent() {
    let body = br#"{"action":5,"repository":"x","sender":[1,2],"label":null,"issue":true,"comment":{"body":{"a":1}},"ref":null,
        "deleted":"yes","commits":{"a":1},"head_commit":1.5,"pull_request":{"number":-1,"labels":"none"}}"#;
    let payload = Payload::parse(body).expect("a payload");
    assert_eq!(payload.repository_id(), None);
    assert_eq!(payload.action.as_str(), "");
    assert!(payload.commits.0.is_empty() && !payload.deleted.0);
    assert_eq!(payload.pull_request.0.expect("there").number.0, None);
}

#[test]
fn each_kind_of_bad_body_has_its_own_error() {
    for body in [
        &b""[..],
        b"x",
        b"{",
        b"{\"a\":1}x",
        b"{\"action\":\"\xff\"}",
        b"payload=%7B%7D",
    ] {
        assert_eq!(
            Payload::parse(body).err(),
            Some(PayloadError::Syntax),
            "{body:?}"
        );
    }
    for body in [&b"[]"[..], b"1", b"\"x\"", b"null", b"[{\"action\":\"a\"}]"] {
        assert_eq!(
            Payload::parse(body).err(),
            Some(PayloadError::Shape),
            "{body:?}"
        );
    }
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!(
            "{{\"x\":{}1{}}}",
            open.repeat(200_000),
            close.repeat(200_000)
        );
        assert_eq!(
            Payload::parse(deep.as_bytes()).err(),
            Some(PayloadError::Depth)
        );
        let unclosed = open.repeat(200_000);
        assert_eq!(
            Payload::parse(unclosed.as_bytes()).err(),
            Some(PayloadError::Depth)
        );
        let shallow = format!("{{\"x\":{}1{}}}", open.repeat(100), close.repeat(100));
        assert!(Payload::parse(shallow.as_bytes()).is_ok());
    }
    let wide = format!(
        "{{\"x\":[{}{{}}],\"t\":\"{}\"}}",
        "{},".repeat(1_000),
        "[".repeat(1_000)
    );
    assert!(Payload::parse(wide.as_bytes()).is_ok());
}

#[test]
fn the_repository_is_found_without_reading_the_rest() {
    let body =
        br#"{"action":5,"issue":{"labels":[{"name":"bug"}]},"repository":{"name":"x","id":7}}"#;
    assert_eq!(repository_id(body), Ok(Some(7)));
    for body in [
        &b"{}"[..],
        b"{\"repository\":[]}",
        b"{\"repository\":{\"id\":\"7\"}}",
    ] {
        assert_eq!(repository_id(body), Ok(None), "{body:?}");
    }
    assert_eq!(repository_id(b"{"), Err(PayloadError::Syntax));
    assert_eq!(repository_id(b"{} {}"), Err(PayloadError::Syntax));
    assert_eq!(repository_id(b"[]"), Err(PayloadError::Shape));
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(repository_id(deep.as_bytes()), Ok(None));
}

#[test]
fn nothing_after_the_repository_is_read() {
    let cut = br#"{"issue":{"repository":{"id":5}},"repository":{"id":7,"#;
    assert_eq!(repository_id(cut), Ok(Some(7)));
    assert_eq!(Payload::parse(cut).err(), Some(PayloadError::Syntax));
}

#[test]
fn of_a_repeated_key_the_first_counts_before_the_signature_and_after_it() {
    for (twice, expected) in [
        (r#"{"repository":{"id":7},"repository":{"id":8}}"#, Some(7)),
        (r#"{"repository":{"id":7,"id":8}}"#, Some(7)),
        (r#"{"repository":{"id":"x","id":8}}"#, None),
        (r#"{"repository":[],"repository":{"id":8}}"#, None),
        (r#"{"repository":{"i\u0064":7,"id":8}}"#, Some(7)),
    ] {
        assert_eq!(repository_id(twice.as_bytes()), Ok(expected), "{twice}");
        let payload = Payload::parse(twice.as_bytes()).expect(twice);
        assert_eq!(payload.repository_id(), expected, "{twice}");
    }
    let action = br#"{"action":"opened","x":1,"action":"closed","x":2}"#;
    let payload = Payload::parse(action).expect("a payload");
    assert_eq!(payload.action.as_str(), "opened");
}

/// What other readers refuse: halves of surrogate pairs in texts and keys, and numbers that are too large.
#[test]
fn whatever_is_json_is_read_before_the_signature_and_after_it() {
    for (body, id) in [
        (r#"{"action":"cut \ud83d","repository":{"id":7}}"#, Some(7)),
        (r#"{"\ud83d":1,"repository":{"\ude00":2,"id":7}}"#, Some(7)),
        (
            r#"{"issue":{"number":1e400},"repository":{"id":7}}"#,
            Some(7),
        ),
        (
            r#"{"issue":1e400,"label":"\ud83d","repository":{"id":7}}"#,
            Some(7),
        ),
        (r#"{"repository":{"id":1e400}}"#, None),
        (r#"{"repository":1e400}"#, None),
        (r#"{"repository":"\ud83d","x":[]}"#, None),
        (r#"{"repository":{"id":"\ud83d"}}"#, None),
        (
            r#"{"deleted":-1e999,"commits":["\ud83d",{"message":"\ud83d"}],"repository":{"id":7}}"#,
            Some(7),
        ),
    ] {
        assert_eq!(repository_id(body.as_bytes()), Ok(id), "{body}");
        let body = PayloadBody::new(body.as_bytes());
        let payload = body.payload().expect("a payload");
        assert_eq!(payload.repository_id(), id, "{body:?}");
    }
    let body = PayloadBody::new(&br#"{"action":"cut \ud83d!","issue":{"title":"\u0000"}}"#[..]);
    assert_eq!(
        body.payload().expect("a payload").action.as_str(),
        "cut \u{fffd}!"
    );
    for body in [
        &b"{"[..],
        br#"{"a":"\ud83d""#,
        br#"{"a":01}"#,
        b"{\"action\":\"\xff\"}",
    ] {
        let error = PayloadBody::new(body).payload().err();
        assert_eq!(error, Some(PayloadError::Syntax), "{body:?}");
    }
}

#[test]
fn lists_and_escaped_texts_are_bounded() {
    let commits = vec!["{}"; 5_000].join(",");
    let text = r"\n".repeat(1_000_000);
    let body = format!(r#"{{"commits":[{commits}],"action":"{text}","ref":"after"}}"#);
    let payload = Payload::parse(body.as_bytes()).expect("a payload");
    assert_eq!(payload.commits.0.len(), MAX_COMMITS);
    assert_eq!(payload.action.as_str().len(), 256 * 1024);
    assert_eq!(payload.git_ref.as_str(), "after");
}

#[test]
fn file_names_are_read_one_by_one() {
    let body = br#"{"head_commit":{"added":["a\u002frs",5,"\ud83d.rs",1e400,"b"],"modified":"c","removed":null}}"#;
    let payload = Payload::parse(body).expect("a payload");
    let commit = payload.head_commit.0.expect("a commit");
    let mut names = Vec::new();
    let found = commit.added.any(|name| {
        names.push(name.to_owned());
        name == "b"
    });
    assert!(found);
    assert_eq!(names, ["a/rs", "", "\u{fffd}.rs", "", "b"]);
    for list in [commit.modified, commit.removed, FileNames::default()] {
        assert!(!list.any(|_| true));
    }
}
