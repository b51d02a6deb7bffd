//! Compiled expressions: how large they may be, and the cache of them that each thread has to itself.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use regex::{Error, Regex, RegexBuilder};

use super::super::Failure;

/// What an expression may take that is kept in the large cache.
const SMALL: usize = 256 << 10;
/// What any expression may take.
const LARGE: usize = 10 << 20;
/// The most expressions that are kept, small and large.
const KEPT: [usize; 2] = [256, 4];
/// The longest text that a large expression is applied to: the time is at worst the product of both.
const MAX_TEXT: usize = 64 << 10;

/// An expression, and the names of its groups from 1 on.
pub(in crate::policy::builtins) struct Compiled {
    pub(in crate::policy::builtins) regex: Regex,
    pub(super) names: Vec<Option<String>>,
    is_large: bool,
}

impl Compiled {
    /// Whether it may be applied to `text`.
    pub(in crate::policy::builtins) fn admits(&self, text: &str) -> Result<(), Failure> {
        if self.is_large && text.len() > MAX_TEXT {
            return Err(Failure::Spent(format!("a text of more than {MAX_TEXT} bytes for so large an expression")));
        }
        Ok(())
    }
}

type Cache = HashMap<String, Rc<Compiled>>;

thread_local! {
    static CACHE: RefCell<[Cache; 2]> = RefCell::default();
}

/// The expression that `key` stands for: from the cache, or made by `translate`, which gives the crate's syntax.
pub(in crate::policy::builtins) fn compiled(
    key: &str,
    translate: impl FnOnce() -> Result<(String, Vec<Option<String>>), Failure>,
) -> Result<Rc<Compiled>, Failure> {
    let known = CACHE.with_borrow(|caches| caches.iter().find_map(|cache| cache.get(key).cloned()));
    if let Some(known) = known {
        return Ok(known);
    }
    let (pattern, names) = translate()?;
    let build = |size: usize| RegexBuilder::new(&pattern).size_limit(size).nest_limit(2_500).build();
    let (regex, is_large) = match build(SMALL) {
        Err(Error::CompiledTooBig(_)) => (build(LARGE), true),
        regex => (regex, false),
    };
    let regex = regex.map_err(|error| match error {
        Error::CompiledTooBig(_) => Failure::Spent("the expression is too large".to_owned()),
        error => Failure::Operand(error.to_string()),
    })?;
    let compiled = Rc::new(Compiled { regex, names, is_large });
    CACHE.with_borrow_mut(|caches| {
        let at = usize::from(is_large);
        if let (Some(cache), Some(kept)) = (caches.get_mut(at), KEPT.get(at)) {
            if cache.len() >= *kept {
                cache.clear();
            }
            cache.insert(key.to_owned(), Rc::clone(&compiled));
        }
    });
    Ok(compiled)
}
