//! The few fields of a GitHub payload that matter here, borrowed from the body.
use serde::Deserialize;

use super::lenient::{Flag, List, Number, Object, Text};

/// Deeper than this is refused, as other JSON readers would: no real payload comes near, and what is stored must be readable.
const DEEPEST: usize = 128;

/// What matters of a payload.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Payload<'a> {
    #[serde(borrow)]
    pub(crate) action: Text<'a>,
    #[serde(borrow)]
    pub(crate) repository: Object<Repository<'a>>,
    #[serde(borrow)]
    pub(crate) sender: Object<User<'a>>,
    #[serde(borrow)]
    pub(crate) label: Object<Label<'a>>,
    #[serde(borrow)]
    pub(crate) issue: Object<Subject<'a>>,
    #[serde(borrow)]
    pub(crate) pull_request: Object<Subject<'a>>,
    #[serde(borrow)]
    pub(crate) comment: Object<Comment<'a>>,
    #[serde(borrow, rename = "ref")]
    pub(crate) git_ref: Text<'a>,
    #[serde(borrow)]
    pub(crate) after: Text<'a>,
    #[serde(borrow)]
    pub(crate) compare: Text<'a>,
    pub(crate) deleted: Flag,
    #[serde(borrow)]
    pub(crate) head_commit: Object<Commit<'a>>,
    #[serde(borrow)]
    pub(crate) commits: List<Object<Commit<'a>>>,
}

/// The repository that it is about.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Repository<'a> {
    pub(crate) id: Number,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
}

/// An account.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct User<'a> {
    pub(crate) id: Number,
    #[serde(borrow)]
    pub(crate) login: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
}

/// A label.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Label<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
}

/// An issue or a pull request.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Subject<'a> {
    pub(crate) number: Number,
    #[serde(borrow)]
    pub(crate) title: Text<'a>,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
    #[serde(borrow)]
    pub(crate) labels: List<Object<Label<'a>>>,
    #[serde(borrow)]
    pub(crate) author_association: Text<'a>,
    #[serde(borrow)]
    pub(crate) user: Object<User<'a>>,
    #[serde(borrow)]
    pub(crate) base: Object<Branch<'a>>,
    #[serde(borrow)]
    pub(crate) head: Object<Branch<'a>>,
}

/// One end of a pull request.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Branch<'a> {
    #[serde(borrow, rename = "ref")]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) sha: Text<'a>,
}

/// A comment on anything.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Comment<'a> {
    pub(crate) id: Number,
    #[serde(borrow)]
    pub(crate) body: Text<'a>,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
    #[serde(borrow)]
    pub(crate) author_association: Text<'a>,
}

/// A commit of a push.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Commit<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) message: Text<'a>,
    #[serde(borrow)]
    pub(crate) url: Text<'a>,
    #[serde(borrow)]
    pub(crate) added: List<Text<'a>>,
    #[serde(borrow)]
    pub(crate) modified: List<Text<'a>>,
    #[serde(borrow)]
    pub(crate) removed: List<Text<'a>>,
}

/// Why a body is no payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotPayload {
    /// No JSON at all.
    Syntax,
    /// Nested too deep.
    Depth,
    /// JSON, but no object.
    Shape,
}

impl<'a> Payload<'a> {
    /// Reads a body.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, NotPayload> {
        if nested_too_deep(body) {
            return Err(NotPayload::Depth);
        }
        let object: Object<Self> = serde_json::from_slice(body).map_err(|_| NotPayload::Syntax)?;
        object.0.ok_or(NotPayload::Shape)
    }

    /// GitHub's id of the repository.
    pub(crate) fn repository_id(&self) -> Option<u64> {
        self.repository.0.as_ref()?.id.0
    }

    /// Who did it.
    pub(crate) fn sender_id(&self) -> Option<u64> {
        self.sender.0.as_ref()?.id.0
    }

    /// Who did it.
    pub(crate) fn sender_login(&self) -> &str {
        self.sender
            .0
            .as_ref()
            .map_or("", |user| user.login.as_str())
    }
}

/// serde_json skips what nobody asks for without recursion, so depth is checked here; counting brackets settles nearly all bodies.
fn nested_too_deep(body: &[u8]) -> bool {
    // With this bit `[` becomes `{`. Pieces of less than 256 are counted in bytes, many at once.
    let opening: usize = body
        .chunks(192)
        .map(|piece| {
            piece
                .iter()
                .map(|byte| u8::from(byte | 0x20 == b'{'))
                .sum::<u8>()
        })
        .map(usize::from)
        .sum();
    if opening <= DEEPEST {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for &byte in body {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_matters_and_skips_the_rest() {
        let body = br#"{"action":"labeled","unknown":[1,{"a":null}],"repository":{"id":186853002,"name":"x"},
            "issue":{"number":7,"title":"A \"b\"","labels":[{"name":"bug"},"odd"]},"label":{"name":"run:dev"},"sender":{"login":"mona","type":"User"}}"#;
        let payload = Payload::read(body).expect("a payload");
        assert_eq!(payload.repository_id(), Some(186_853_002));
        assert_eq!(payload.action.as_str(), "labeled");
        assert_eq!(payload.sender_login(), "mona");
        let issue = payload.issue.0.expect("an issue");
        assert_eq!((issue.number.0, issue.title.as_str()), (Some(7), "A \"b\""));
        assert_eq!(issue.labels.0.len(), 2);
    }

    #[test]
    fn fields_of_another_shape_count_as_absent() {
        let body = br#"{"action":5,"repository":"x","sender":[1,2],"label":null,"issue":true,"comment":{"body":{"a":1}},"ref":null,
            "deleted":"yes","commits":{"a":1},"head_commit":1.5,"pull_request":{"number":-1,"labels":"none"}}"#;
        let payload = Payload::read(body).expect("a payload");
        assert_eq!(payload.repository_id(), None);
        assert_eq!(payload.action.as_str(), "");
        assert!(payload.commits.0.is_empty() && !payload.deleted.0);
        assert_eq!(payload.pull_request.0.expect("there").number.0, None);
    }

    #[test]
    fn what_is_no_payload_is_told_apart() {
        for body in [
            &b""[..],
            b"x",
            b"{",
            b"{\"a\":1}x",
            b"{\"action\":\"\xff\"}",
            b"payload=%7B%7D",
        ] {
            assert_eq!(
                Payload::read(body).err(),
                Some(NotPayload::Syntax),
                "{body:?}"
            );
        }
        for body in [&b"[]"[..], b"1", b"\"x\"", b"null", b"[{\"action\":\"a\"}]"] {
            assert_eq!(
                Payload::read(body).err(),
                Some(NotPayload::Shape),
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
                Payload::read(deep.as_bytes()).err(),
                Some(NotPayload::Depth)
            );
            let unclosed = open.repeat(200_000);
            assert_eq!(
                Payload::read(unclosed.as_bytes()).err(),
                Some(NotPayload::Depth)
            );
            let shallow = format!("{{\"x\":{}1{}}}", open.repeat(100), close.repeat(100));
            assert!(Payload::read(shallow.as_bytes()).is_ok());
        }
        let wide = format!(
            "{{\"x\":[{}{{}}],\"t\":\"{}\"}}",
            "{},".repeat(1_000),
            "[".repeat(1_000)
        );
        assert!(Payload::read(wide.as_bytes()).is_ok());
    }
}
