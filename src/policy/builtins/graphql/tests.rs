//! What GraphQL.
