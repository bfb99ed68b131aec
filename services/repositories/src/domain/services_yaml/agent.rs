//! The fields of `run` that are about an agent: which one, what it checks out, what becomes of its result.
use ck8s_types::{
    AgentPreset, AgentSpec, Checkout, MAX_CHECKOUT_DEPTH, Outputs, is_repository_path,
};

use super::{
    fields::{Field, Fields, get, list},
    parse_error::ParseError,
};

/// The keys of `checkout`.
pub(crate) const CHECKOUT_KEYS: &[&str] = &["depth"];
/// The keys of `outputs`.
pub(crate) const OUTPUTS_KEYS: &[&str] = &["pull_request", "comment"];

/// The fields as the file has them; a field that is missing comes from the layer below.
#[derive(Clone, Default)]
pub(crate) struct AgentLayer {
    agent: Option<AgentPreset>,
    model: Option<String>,
    prompt: Option<Vec<String>>,
    checkout: Option<CheckoutField>,
    pull_request: Option<bool>,
    comment: Option<bool>,
}

/// What `checkout` says.
#[derive(Clone, Copy)]
enum CheckoutField {
    Off,
    On(Checkout),
}

impl AgentLayer {
    /// Reads the fields.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, ParseError> {
        let mut layer = Self {
            agent: get(fields.get("agent"), agent)?,
            model: get(fields.get("model"), |field| {
                let fits = |t: &str| (1..=200).contains(&t.len()) && !t.contains(char::is_control);
                field.word(fits, "the name of a model")
            })?,
            prompt: get(fields.get("prompt"), |field| {
                let expected = "the path of a file in the repository";
                match field.text() {
                    Ok(_) => Ok(vec![field.word(is_repository_path, expected)?]),
                    Err(_) => list(field, is_repository_path, expected),
                }
            })?,
            checkout: get(fields.get("checkout"), checkout)?,
            ..Self::default()
        };
        if let Some(field) = fields.get("outputs") {
            let fields = field.fields(OUTPUTS_KEYS)?;
            layer.pull_request = get(fields.get("pull_request"), Field::bool)?;
            layer.comment = get(fields.get("comment"), Field::bool)?;
        }
        Ok(layer)
    }

    /// Lays this layer over `below`: `outputs` merges, everything else replaces.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            agent: self.agent.or(below.agent),
            model: self.model.or(below.model),
            prompt: self.prompt.or(below.prompt),
            checkout: self.checkout.or(below.checkout),
            pull_request: self.pull_request.or(below.pull_request),
            comment: self.comment.or(below.comment),
        }
    }

    /// Makes what surrounds the command. None: nothing is asked for, and the command runs alone. An agent has a
    /// checkout and a pull request unless the file says otherwise.
    pub(super) fn spec(self) -> Option<AgentSpec> {
        let has_agent = self.agent.is_some();
        let checkout = match self.checkout {
            Some(CheckoutField::On(checkout)) => Some(checkout),
            None if has_agent => Some(Checkout::default()),
            Some(CheckoutField::Off) | None => None,
        };
        let is_asked = has_agent
            || checkout.is_some()
            || self.model.is_some()
            || self.prompt.is_some()
            || self.pull_request.is_some()
            || self.comment.is_some();
        is_asked.then(|| AgentSpec {
            preset: self.agent,
            model: self.model.unwrap_or_default(),
            prompt_files: self.prompt.unwrap_or_default(),
            checkout,
            outputs: Outputs {
                pull_request: self.pull_request.unwrap_or(has_agent),
                comment: self.comment.unwrap_or(has_agent),
            },
        })
    }
}

fn agent(field: &Field<'_>) -> Result<AgentPreset, ParseError> {
    let words: Vec<&str> = AgentPreset::ALL.iter().map(|p| p.as_str()).collect();
    let expected = format!("an agent ({})", words.join(", "));
    let word = field.word(|t| words.contains(&t), &expected)?;
    word.parse()
        .map_err(|error: ck8s_types::UnknownWord| field.error(error.to_string()))
}

fn checkout(field: &Field<'_>) -> Result<CheckoutField, ParseError> {
    if field.entries().is_err() {
        return match field.bool() {
            Ok(true) => Ok(CheckoutField::On(Checkout::default())),
            Ok(false) => Ok(CheckoutField::Off),
            Err(_) => Err(field.error("must be true, false or a map with depth")),
        };
    }
    let fields = field.fields(CHECKOUT_KEYS)?;
    let depth = get(fields.get("depth"), |f| f.number(1, MAX_CHECKOUT_DEPTH))?;
    Ok(CheckoutField::On(Checkout {
        depth: depth.unwrap_or(Checkout::default().depth),
    }))
}
