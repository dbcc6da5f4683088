//! A tenant as files: what `export` writes.
//!
//! Takes a `Tenant` whose references are names, decides what of it belongs into files, and lays it
//! out. It never knows a plan, and writes nothing itself.

mod directory;
mod edits;
mod file_name;
pub mod files;
mod json;
mod keep;
mod merge;
pub mod merged;
mod together;
mod yaml;
