//! What Stepwell **offers**: the API's actions, their shapes, errors and pages, over an [`engine::Engine`].

pub mod api;
