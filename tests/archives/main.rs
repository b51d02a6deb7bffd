//! Archives: hostile ones are refused for the right reason and in little memory, those of real tools load.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod build;
mod genuine;
mod hostile;
mod memory;
mod opa;
