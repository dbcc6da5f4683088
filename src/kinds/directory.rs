//! Where a kind's objects lie in the directory layout of the Deploy CLI, as a declaration says it.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where the objects of a kind lie in the directory layout.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// The folder, below that of the definitions; empty for that one itself.
    #[serde(default)]
    pub folder: String,
    /// The file of an object in exports, with `{field}` in it; without, the one file that holds all. Empty where
    /// each field has a file.
    #[serde(default)]
    pub file: String,
    /// Fields of the one object that have a file each.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The first `.json` file of the folder holds all, whatever its name.
    #[serde(default)]
    pub first: bool,
    /// Files of the folder that are another kind's.
    #[serde(default)]
    pub except: Vec<String>,
    /// Each file is an object, though their name has no field in it.
    #[serde(default)]
    pub each: bool,
    /// A file that holds `{}` is no object.
    #[serde(default)]
    pub skips_empty: bool,
}

impl Directory {
    /// Tells whether one file holds all objects, as a value like the one under the kind's key.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.each && !self.file.contains('{')
    }

    /// Gives the field that a file holds, if it is a field's.
    #[must_use]
    pub fn field_of(&self, path: &str) -> Option<&str> {
        let is_its = |name: &str| path == self.path(name) || path.ends_with(&format!("/{}", self.path(name)));
        self.fields.iter().find(|(_, name)| is_its(name)).map(|(field, _)| field.as_str())
    }

    /// Gives the name that the file of each object has in a folder of the object's own, if it has one.
    #[must_use]
    pub fn name_inside(&self) -> Option<&str> {
        self.file.split_once('/').map(|(_, name)| name)
    }

    /// Gives the path of something in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }
}
