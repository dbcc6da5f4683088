//! What fields at endpoints of their own hold, as objects of a kind of their own: for the sandbox, which
//! keeps and serves them like all other objects.
//!
//! Each such kind is made once, from the mark `child` and the field's `items`, or from the mark `part` and the
//! field's own members, with the names that the API has: a member that is a name in files and a handle on the wire stands under the handle's name.

use serde_json::json;

use super::endpoint::Method;
use super::kind::{Child, Field, Fields, Kind, Named, Part, Reference, Type};
use super::server::Joined;

/// Gives all kinds, each `child` field with the kind of its elements.
pub(super) fn resolved(kinds: Vec<Kind>) -> Vec<Kind> {
    kinds.into_iter().map(with_elements).collect()
}

fn with_elements(mut kind: Kind) -> Kind {
    for fields in [&mut kind.fields, &mut kind.server.fields] {
        fields.having_mut(Field::is_apart).for_each(make_element);
    }
    kind.server.beside = resolved(kind.server.beside);
    kind
}

/// Gives a field its kind of elements, if it has some.
fn make_element(field: &mut Field) {
    let element = match (&field.child, &field.part) {
        (Some(child), _) => element(field, child),
        (_, Some(part)) if !field.server.elsewhere => whole(field, part),
        _ => return,
    };
    field.server.element = Some(Box::new(element));
}

/// The member under which the sandbox keeps a value that is no object, and the one of a unit's keys.
const VALUE: &str = "value";
const KEYS: &str = "keys";

/// Makes the kind of what is at the endpoint of a part: an object as it is, all else as the one member of an object.
fn whole(field: &Field, part: &Part) -> Kind {
    let mut unit = field;
    for _ in &part.by {
        unit = unit.items.as_deref().unwrap_or(unit);
    }
    let is_bare = unit.holds != Type::Object;
    let mut fields = unit.fields.clone();
    if is_bare {
        fields = std::iter::once(Field { name: VALUE.to_owned(), part: None, ..unit.clone() }).collect();
    }
    let is_keyed = !part.by.is_empty();
    if is_keyed {
        let keys = Field { name: KEYS.to_owned(), holds: Type::String, read_only: true, ..Field::default() };
        fields = fields.iter().cloned().chain([keys]).collect();
    }
    let is_put = part.update.method == Method::Put;
    let mut server = field.server.elements.as_deref().cloned().unwrap_or_default();
    server.is_unit = true;
    server.bare = is_bare.then(|| VALUE.to_owned());
    server.replace = is_put.then(|| part.update.clone());
    Kind {
        name: field.name.clone(),
        singleton: !is_keyed,
        id: is_keyed.then(|| KEYS.to_owned()),
        get: Some(part.get.clone()),
        create: part.create.clone(),
        update: (!is_put).then(|| part.update.clone()),
        delete: part.delete.clone(),
        fields,
        server,
        ..Kind::default()
    }
}

fn element(field: &Field, child: &Child) -> Kind {
    let items = field.items.as_deref();
    let names = items.and_then(|items| items.names.as_ref());
    let mut fields = members(items, child);
    let key = wire_key(field, &fields);
    let id = child.id.clone().or_else(|| <[String; 1]>::try_from(key).ok().map(|[only]| only));
    if let Some((names, id)) = names.zip(id.as_deref()) {
        fields = fields.iter().map(|member| of_named(member, names, id)).collect();
    }
    Kind {
        name: field.name.clone(),
        id,
        list: Some(child.list.clone()),
        fields,
        server: field.server.elements.as_deref().cloned().unwrap_or_default(),
        ..Kind::default()
    }
}

/// Gives the members of an element, under the names that the API has.
fn members(items: Option<&Field>, child: &Child) -> Fields {
    let Some(items) = items else { return Fields::default() };
    if let Some(name) = &child.element {
        return std::iter::once(Field { name: name.clone(), required: true, ..items.clone() }).collect();
    }
    items.fields.iter().map(on_the_wire).collect()
}

fn on_the_wire(member: &Field) -> Field {
    let mut member = member.clone();
    if let Some(handle) = &member.handle_as {
        let name = std::mem::replace(&mut member.name, handle.clone());
        member.alias.push(name);
    }
    make_element(&mut member);
    member
}

/// A member of elements that name an object: what names it is shown from it, and the handle is its handle.
fn of_named(member: &Field, names: &Named, id: &str) -> Field {
    let mut member = member.clone();
    if names.by.contains(&member.name) {
        member.required = false;
        member.read_only = true;
        let joined = Joined { shape: Some(json!(format!("{{{}}}", member.name))), ..Joined::default() };
        member.server.joined = Some(joined);
        member.reference = None;
    }
    if member.name == id {
        let kind = names.kind.clone();
        member.reference = Some(Reference { kind, or: None, path: Vec::new(), via: None });
    }
    member
}

/// Gives the members by which elements are told apart, under the names that the API has.
fn wire_key(field: &Field, members: &Fields) -> Vec<String> {
    if field.items.as_deref().is_some_and(|items| items.holds != Type::Object) {
        return members.iter().map(|member| member.name.clone()).collect();
    }
    field.key.iter().filter_map(|name| Some(members.find(name)?.name.clone())).collect()
}

impl Field {
    /// Tells whether the object has the elements too, in what an update takes and in answers.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        self.server.inline.as_ref() == Some(&self.name)
    }

    /// Gives the members by which the elements of a `child` field are told apart, under the names that the
    /// API has: those of its key, or the handle.
    #[must_use]
    pub fn element_key(&self) -> Vec<String> {
        let Some(element) = &self.server.element else { return Vec::new() };
        let names = self.items.as_deref().is_some_and(|items| items.names.is_some());
        let key = wire_key(self, &element.fields);
        if key.is_empty() || names { element.id.iter().cloned().collect() } else { key }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kinds::Registry;

    #[test]
    fn elements_have_the_names_of_the_wire() {
        let declared = json!([
            { "kind": "grants", "about": "", "id": "id", "fields": { "id": { "type": "string" } } },
            { "kind": "groups", "about": "", "fields": {
                "links": {
                    "type": "set", "key": ["name"],
                    "child": { "list": { "path": "/groups/{id}/links", "items": "links", "paging": ["page"], "scopes": [] } },
                    "items": { "type": "object", "fields": {
                        "name": { "type": "string", "handle_as": "link_id", "required": true },
                    } },
                },
                "grants": {
                    "type": "set",
                    "child": { "id": "id", "list": { "path": "/groups/{id}/grants", "items": "grants", "paging": ["page"], "scopes": [] } },
                    "items": { "type": "object", "names": { "kind": "grants", "by": ["client"], "address": "{client}" }, "fields": {
                        "client": { "type": "string", "required": true },
                        "id": { "type": "string", "read_only": true },
                    } },
                },
                "texts": {
                    "type": "set",
                    "child": { "element": "text_id", "list": { "path": "/groups/{id}/texts", "items": "texts", "paging": ["page"], "scopes": [] } },
                    "items": { "type": "string" },
                },
            } },
        ]);
        let registry = Registry::parse(&declared.to_string()).unwrap();
        let kind = registry.get("groups").unwrap();
        let element = |name: &str| kind.fields.get(name).unwrap().server.element.as_deref().unwrap();
        let links = element("links");
        assert_eq!((links.name.as_str(), links.id.as_deref()), ("links", Some("link_id")));
        assert_eq!(links.fields.find("name").unwrap().name, "link_id");
        assert_eq!(element("texts").id.as_deref(), Some("text_id"));
        let grants = element("grants");
        assert_eq!(grants.id.as_deref(), Some("id"));
        assert!(!grants.fields.get("client").unwrap().required && grants.fields.get("client").unwrap().read_only);
        assert_eq!(grants.fields.get("id").unwrap().reference.as_ref().unwrap().kind, "grants");
        assert_eq!(kind.fields.get("grants").unwrap().element_key(), ["id"]);
    }
}
