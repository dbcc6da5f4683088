//! tenantctl keeps an Auth0 tenant equal to files in git.

pub mod api;
pub mod apply;
pub mod cli;
pub mod config;
pub mod error;
pub mod export;
pub mod files;
pub mod kinds;
pub mod plan;
pub mod render;
pub mod sandbox;
pub mod secret;
pub mod tenant;
pub mod text;
pub mod ui;
