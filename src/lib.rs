//! tenantctl keeps an Auth0 tenant equal to files in git.

pub mod api;
pub mod cli;
pub mod error;
pub mod kinds;
pub mod plan;
pub mod sandbox;
pub mod secret;
pub mod tenant;
pub mod text;
pub mod ui;
