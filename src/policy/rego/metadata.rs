//! Annotations: what a `# METADATA` comment says of the rule or the package after it.

use super::ast::Span;

/// One block.
#[derive(Clone, Debug)]
pub(crate) struct Annotation {
    /// From `# METADATA` to the end of the last comment of the block.
    pub(crate) span: Span,
}
