//! The client of the Management API: the one seam between tenantctl and the world.

pub mod auth;
