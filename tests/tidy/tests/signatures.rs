//! Functions: ids have types of their own, and a function fits a screen.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_tidy::sources;
use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Block, FnArg, ImplItemFn, ItemFn, ItemMod, LitStr, Macro, Pat, ReturnType, Signature,
    TraitItemFn, Type,
    spanned::Spanned,
    visit::{self, Visit},
};

/// The most lines that a function may have, a screen; those of an SQL statement do not count.
const MAX_FUNCTION_LINES: usize = 60;

/// What was found in a file.
#[derive(Default)]
struct Functions {
    file: String,
    long: Vec<String>,
    bare: Vec<String>,
}

impl Functions {
    fn of(file: &str) -> Self {
        let parsed =
            syn::parse_file(&sources::text(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut functions = Self {
            file: file.to_owned(),
            ..Self::default()
        };
        functions.visit_file(&parsed);
        functions
    }

    fn see(&mut self, signature: &Signature, span: proc_macro2::Span, statements: usize) {
        let name = &signature.ident;
        let lines = span.end().line - signature.span().start().line + 1 - statements;
        // The map from errors to statuses is one exhaustive match.
        let is_error_map = self.file.contains("/src/error") && name == "from";
        if lines > MAX_FUNCTION_LINES && !is_error_map {
            self.long
                .push(format!("{}: {name} has {lines} lines", self.file));
        }
        for input in &signature.inputs {
            if let FnArg::Typed(argument) = input {
                let named = match &*argument.pat {
                    Pat::Ident(ident) => ident.ident.to_string(),
                    _ => String::new(),
                };
                if let Some(bare) = bare(&named, &argument.ty) {
                    self.bare
                        .push(format!("{}: {name} takes {bare}", self.file));
                }
            }
        }
        if let ReturnType::Type(_, returned) = &signature.output
            && let Some(bare) = bare("", returned)
        {
            self.bare
                .push(format!("{}: {name} returns {bare}", self.file));
        }
    }
}

/// How many lines a block's SQL statements take: string literals over several lines.
fn statement_lines(block: &Block) -> usize {
    struct Literals(usize);
    impl Literals {
        fn tokens(&mut self, tokens: TokenStream) {
            for token in tokens {
                match token {
                    TokenTree::Literal(literal) => {
                        let span = literal.span();
                        self.0 += span.end().line - span.start().line;
                    }
                    TokenTree::Group(group) => self.tokens(group.stream()),
                    TokenTree::Ident(_) | TokenTree::Punct(_) => {}
                }
            }
        }
    }
    impl<'ast> Visit<'ast> for Literals {
        fn visit_macro(&mut self, item: &'ast Macro) {
            self.tokens(item.tokens.clone());
        }

        fn visit_lit_str(&mut self, literal: &'ast LitStr) {
            self.0 += literal.span().end().line - literal.span().start().line;
        }
    }
    let mut literals = Literals(0);
    literals.visit_block(block);
    literals.0
}

/// What is an id or a slot by its name and no type of its own.
fn bare(name: &str, ty: &Type) -> Option<String> {
    let written: String = quoted(ty);
    let words: Vec<&str> = written
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    if words.contains(&"Uuid") {
        return Some(format!("a bare Uuid ({name}: {written})"));
    }
    if written.contains("RunId,Epoch") {
        return Some(format!("a run id and an epoch side by side: {written}"));
    }
    let is_text = words.iter().any(|word| ["str", "String"].contains(word));
    let is_number = words
        .iter()
        .any(|word| ["i32", "u32", "i64"].contains(word));
    if name == "slot" && is_number {
        return Some(format!("a bare slot ({name}: {written})"));
    }
    if ["worker", "worker_id"].contains(&name) && is_text {
        return Some(format!("a bare worker id ({name}: {written})"));
    }
    if is_text
        && [
            "run_id",
            "project_id",
            "delivery_id",
            "repository_id",
            "user_id",
            "session_id",
            "token_id",
            "request_id",
        ]
        .contains(&name)
    {
        return Some(format!("a bare id ({name}: {written})"));
    }
    None
}

/// A type as it is written, without spaces.
fn quoted(ty: &Type) -> String {
    ty.span().source_text().map_or_else(String::new, |text| {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    })
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.see(&item.sig, item.block.span(), statement_lines(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.see(&item.sig, item.block.span(), statement_lines(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        let statements = item.default.as_ref().map_or(0, statement_lines);
        self.see(&item.sig, item.span(), statements);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let tests = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok()
        });
        if !tests {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The files whose functions are held: what ships.
fn shipped() -> Vec<Functions> {
    sources::rust_files()
        .iter()
        .filter(|file| file.starts_with("services/") && !sources::is_test(file))
        .map(|file| Functions::of(file))
        .collect()
}

#[test]
fn ids_have_types_of_their_own() {
    // The ids themselves are made of what they wrap.
    let wrong: Vec<String> = shipped()
        .into_iter()
        .filter(|functions| !functions.file.starts_with("services/types/"))
        .flat_map(|functions| functions.bare)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_function_fits_a_screen() {
    let wrong: Vec<String> = shipped().into_iter().flat_map(|f| f.long).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
