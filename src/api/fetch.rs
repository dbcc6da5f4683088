//! Reading kinds: all lists side by side, the pages of each as `paging` says.
//!
//! Stands between `Client` and the planner: answers go in, a raw `Tenant` comes out, ids where the
//! API has ids. A kind that may not be read is said to be unreadable, never to be empty.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Map, Value};

use super::failure::{Cause, Failure};
use super::paging::{Ask, Finish, Reading};
use super::{Client, Query};
use crate::error::Error;
use crate::kinds::kind::{self, Child, Endpoint, Field, Keys, Kind, List, Method, Part, at};
use crate::kinds::part::put;
use crate::plan::call::encoded;
use crate::tenant::needs::Needs;
use crate::tenant::unreadable::{Lack, Unreadable};
use crate::tenant::{Address, Object, Tenant};

/// A kind as it was read, or why it could not be.
enum Found {
    Objects(Vec<Object>),
    Unreadable(Unreadable),
}

impl Client {
    /// Reads all objects of some kinds, side by side, and what is needed of their fields that stand at
    /// endpoints of their own. A list that two kinds share is read once.
    ///
    /// # Errors
    /// The first call that failed for good, or a list that is not complete.
    pub async fn fetch(&self, kinds: &[&Kind], needs: &Needs) -> Result<Tenant, Error> {
        self.fetch_after(kinds, needs, self.rounds()).await
    }

    /// Does so after a chain of other requests.
    pub(crate) async fn fetch_after(&self, kinds: &[&Kind], needs: &Needs, after: usize) -> Result<Tenant, Error> {
        let mut endpoints: Vec<Vec<&Kind>> = Vec::new();
        for kind in kinds {
            let shared = |other: &Vec<&Kind>| is_one_list(other[0], kind);
            match endpoints.iter_mut().find(|other| shared(other)) {
                Some(endpoint) => endpoint.push(kind),
                None => endpoints.push(vec![kind]),
            }
        }
        // What has the most definitions probably has the longest list, and what refers to others a
        // longer one than they: the sooner its first page tells of its other pages, the more of them go
        // out beside the first pages of the rest.
        endpoints.reverse();
        endpoints.sort_by_key(|kinds| Reverse(kinds.iter().map(|kind| needs.expected(kind)).sum::<usize>()));
        let found = try_join_all(endpoints.iter().map(|kinds| self.fetch_endpoint(kinds, needs, after))).await?;
        let mut tenant = Tenant::default();
        for (kind, found, unread) in found.into_iter().flatten() {
            match found {
                Found::Objects(objects) => drop(tenant.kinds.insert(kind.name.clone(), objects)),
                Found::Unreadable(reason) => drop(tenant.unreadable.insert(kind.name.clone(), reason)),
            }
            tenant.unreadable.extend(unread);
        }
        Ok(tenant)
    }

    /// Reads the kinds of one endpoint.
    async fn fetch_endpoint<'k>(
        &self,
        kinds: &[&'k Kind],
        needs: &Needs,
        after: usize,
    ) -> Result<Vec<(&'k Kind, Found, Vec<(String, Unreadable)>)>, Failure> {
        let values = self.read_kind(kinds[0], needs, after).await;
        let values = match values {
            Ok(values) => values,
            Err(failure) => {
                let why =
                    |kind: &'k Kind| Some((kind, Found::Unreadable(unreadable(kind, None, &failure)?), Vec::new()));
                return kinds.iter().map(|kind| why(kind)).collect::<Option<_>>().ok_or(failure);
            }
        };
        let mut objects: Vec<Vec<Object>> = kinds.iter().map(|_| Vec::new()).collect();
        for mut value in values {
            let is_its = |kind: &&Kind| kind.list.as_ref().is_none_or(|list| list.holds(&value));
            if let Some(at) = kinds.iter().position(is_its) {
                needs.keep(kinds[at], &mut value);
                objects[at].push(object(kinds[at], value));
            }
        }
        let of_kind = kinds.iter().zip(objects).map(|(kind, objects)| async move {
            if !kind.has_summaries() {
                return self.with_children(kind, objects, needs, after + 1).await;
            }
            match self.in_full(kind, objects, needs, after + 1).await {
                Ok(objects) => self.with_children(kind, objects, needs, after + 2).await,
                Err(failure) => {
                    let reason = unreadable(kind, None, &failure).ok_or(failure)?;
                    Ok((Found::Unreadable(reason), Vec::new()))
                }
            }
        });
        let found = try_join_all(of_kind).await?;
        Ok(kinds.iter().zip(found).map(|(kind, (found, unread))| (*kind, found, unread)).collect())
    }

    /// Reads all objects of a kind, without what stands at endpoints of its own.
    async fn read_kind(&self, kind: &Kind, needs: &Needs, after: usize) -> Result<Vec<Map<String, Value>>, Failure> {
        if let (Some(keys), None) = (&kind.keys, &kind.list) {
            return self.read_names(kind, keys, needs, after).await;
        }
        match (&kind.list, &kind.get) {
            (Some(list), _) if !kind.singleton => {
                let reading = Reading::expecting(list, kind.id.as_deref(), needs.expected(kind));
                self.read_by(reading, list, None, after).await
            }
            // One that can be made need not be there.
            (_, Some(get)) => match self.read_one(get, None, after).await {
                Err(failure) if failure.status == Some(404) && kind.create.is_some() => Ok(Vec::new()),
                read => read.map(|value| vec![value]),
            },
            _ if kind.singleton => Ok(vec![Map::new()]),
            _ => Err(Failure::new(&format!("GET {}", kind.name), Cause::NotDone, "it is not declared how it is read")),
        }
    }

    /// Reads the objects of fixed names that are there. One that can't be read, as where the tenant's
    /// plan lacks what it is for, counts only where a definition has it.
    async fn read_names(
        &self,
        kind: &Kind,
        keys: &Keys,
        needs: &Needs,
        after: usize,
    ) -> Result<Vec<Map<String, Value>>, Failure> {
        let names = keys.values.iter().filter(|name| needs.name(kind, name));
        let read =
            join_all(names.map(|name| async move { (name, self.read_named(kind, keys, name, after).await) })).await;
        let is_for_all = read.iter().all(|(_, read)| read.is_err());
        let mut values = Vec::new();
        for (name, read) in read {
            match read {
                Ok(value) => values.extend(value),
                Err(failure) => {
                    if is_for_all || needs.is_defined(kind, name) || unreadable(kind, None, &failure).is_none() {
                        return Err(failure);
                    }
                }
            }
        }
        Ok(values)
    }

    /// Reads the object of one fixed name; nothing where it is not set.
    async fn read_named(
        &self,
        kind: &Kind,
        keys: &Keys,
        name: &str,
        after: usize,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let mut value = match &kind.get {
            None => Map::new(),
            Some(get) => match self.read_value(get, Some(name), after).await {
                Err(failure) if failure.status == Some(404) => return Ok(None),
                // It is there, and nothing of it is set.
                Ok(Value::Null) if kind.is_fixed() => Map::new(),
                read => object_in(get, Some(name), read?)?,
            },
        };
        named(keys, name, &mut value);
        Ok(Some(value))
    }

    /// Reads one object as it is now, by its handle; a singleton without one.
    ///
    /// # Errors
    /// As [`Client::fetch`].
    pub(crate) async fn read_object(
        &self,
        kind: &Kind,
        id: Option<&str>,
        needs: &Needs,
        after: usize,
    ) -> Result<Object, Failure> {
        let missing = || Failure::new(&format!("GET {}", kind.name), Cause::NotDone, "it can't be read one by one");
        let mut value = match (&kind.keys, &kind.get, id) {
            (Some(keys), None, Some(name)) => self.read_named(kind, keys, name, after).await?.ok_or_else(missing)?,
            (_, Some(get), id) => self.read_one(get, id, after).await?,
            _ if kind.singleton => Map::new(),
            _ => return Err(missing()),
        };
        if let (Some(keys), Some(name)) = (&kind.keys, id) {
            named(keys, name, &mut value);
        }
        let mut read = object(kind, value);
        for (field, value) in self.children_of(kind, &read, needs, after + 1).await? {
            read.value.insert(field.name.clone(), value);
        }
        Ok(read)
    }

    /// Reads the objects one by one that are needed and of which the list has a part only.
    async fn in_full(
        &self,
        kind: &Kind,
        objects: Vec<Object>,
        needs: &Needs,
        after: usize,
    ) -> Result<Vec<Object>, Failure> {
        let read = objects.into_iter().map(|summary| async move {
            let (Some(get), true) = (&kind.get, needs.object(kind, &summary)) else { return Ok(Some(summary)) };
            match self.read_one(get, summary.id.as_deref(), after).await {
                // It was deleted after it was listed.
                Err(failure) if failure.status == Some(404) => Ok(None),
                read => read.map(|mut value| {
                    needs.keep(kind, &mut value);
                    Some(object(kind, value))
                }),
            }
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    /// Completes objects with what is needed of their fields at endpoints of their own. What can't be
    /// read of them makes the kind unreadable where definitions have it, and is told else.
    async fn with_children(
        &self,
        kind: &Kind,
        mut objects: Vec<Object>,
        needs: &Needs,
        after: usize,
    ) -> Result<(Found, Vec<(String, Unreadable)>), Failure> {
        let mut unread: BTreeMap<String, Unreadable> = BTreeMap::new();
        let of_field = kind.fields.iter().filter(|field| field.is_apart()).map(|field| {
            let wanted = objects.iter().map(|object| self.read_apart(kind, field, object, needs, after));
            async move { (field, join_all(wanted).await) }
        });
        for (field, read) in join_all(of_field).await {
            for (object, read) in objects.iter_mut().zip(read) {
                match read {
                    Ok(value) => object.value.extend(value.map(|value| (field.name.clone(), value))),
                    Err(failure) => {
                        // Not every tenant knows every fixed name.
                        let is_no_name = kind.keys.is_some() && !needs.is_strict() && failure.status == Some(400);
                        let unknown = is_no_name.then(|| Lack::Unknown(failure.message.clone()).into());
                        let why = unreadable(kind, Some(field), &failure).or(unknown).ok_or(failure)?;
                        // What the object itself says of it may be in part.
                        object.value.remove(&field.name);
                        unread.entry(format!("{}.{}", kind.name, field.name)).or_insert(why);
                    }
                }
            }
        }
        let whole = unread.iter().next().filter(|_| needs.is_strict()).map(|(name, why)| {
            let field = name.split_once('.').map(|(_, field)| field.to_owned());
            Found::Unreadable(Unreadable { field, ..why.clone() })
        });
        Ok((whole.unwrap_or(Found::Objects(objects)), unread.into_iter().collect()))
    }

    async fn children_of<'k>(
        &self,
        kind: &'k Kind,
        object: &Object,
        needs: &Needs,
        after: usize,
    ) -> Result<Vec<(&'k Field, Value)>, Failure> {
        let apart = kind.fields.iter().filter(|field| field.is_apart());
        let read =
            apart.map(|field| async move { Ok((field, self.read_apart(kind, field, object, needs, after).await?)) });
        let read = try_join_all(read).await?;
        Ok(read.into_iter().filter_map(|(field, value)| Some((field, value?))).collect())
    }

    /// Reads a field that stands at endpoints of its own, as far as it is needed; nothing where it is not set.
    async fn read_apart(
        &self,
        kind: &Kind,
        field: &Field,
        object: &Object,
        needs: &Needs,
        after: usize,
    ) -> Result<Option<Value>, Failure> {
        if !needs.field(kind, field, object) {
            return Ok(None);
        }
        match (&field.child, &field.part) {
            (Some(child), _) => self.read_child(field, child, object, after).await.map(Some),
            (_, Some(part)) => {
                let units = match needs.units(kind, field, object) {
                    Some(units) => units,
                    None => self.all_units(part, after).await?,
                };
                self.read_units(part, object.id.as_deref(), &units, after).await
            }
            _ => Ok(None),
        }
    }

    /// Reads what is at some endpoints of a part.
    async fn read_units(
        &self,
        part: &Part,
        id: Option<&str>,
        units: &[Vec<String>],
        after: usize,
    ) -> Result<Option<Value>, Failure> {
        let read = units.iter().map(|keys| async move {
            let path = part.path(&part.get.path, id, keys, encoded);
            let pairs = part.get.pairs();
            let query = Query { path: &path, pairs: &pairs, bucket: part.get.bucket.as_deref().unwrap_or_default() };
            match self.read(&query, after).await {
                Err(failure) if failure.status == Some(404) && failure.missing_scope().is_none() => Ok(None),
                read => read.map(|value| Some((keys, value))),
            }
        });
        let mut value = None;
        for (keys, unit) in try_join_all(read).await?.into_iter().flatten() {
            // What is a map has an answer for each key: an empty one says that there is nothing.
            if part.by.is_empty() || unit.as_object().is_none_or(|members| !members.is_empty()) {
                put(value.get_or_insert_default(), keys, unit);
            }
        }
        Ok(value)
    }

    /// Lists all units that a part may have.
    async fn all_units(&self, part: &Part, after: usize) -> Result<Vec<Vec<String>>, Failure> {
        let mut units = vec![Vec::new()];
        for by in &part.by {
            let keys = match &by.found {
                None => by.values.clone(),
                Some(found) => {
                    let object = self.read_one(&found.get, None, after).await?;
                    let listed = object.get(&found.member).and_then(Value::as_array);
                    listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
                }
            };
            let longer = |unit: &Vec<String>| {
                let longer = keys.iter().map(|key| [unit.as_slice(), std::slice::from_ref(key)].concat());
                longer.collect::<Vec<_>>()
            };
            units = units.iter().flat_map(longer).collect();
        }
        Ok(units)
    }

    /// Reads a field that stands at endpoints of its own.
    async fn read_child(&self, field: &Field, child: &Child, object: &Object, after: usize) -> Result<Value, Failure> {
        let items = self.read_list(&child.list, object.id.as_deref(), child.id.as_deref(), after).await?;
        Ok(items.into_iter().filter_map(|item| element(field, child, item)).collect())
    }

    /// Reads a list to its end.
    ///
    /// `owner` is the handle in its path, `id` the member that holds an object's handle.
    pub(crate) async fn read_list(
        &self,
        list: &List,
        owner: Option<&str>,
        id: Option<&str>,
        after: usize,
    ) -> Result<Vec<Map<String, Value>>, Failure> {
        self.read_by(Reading::new(list, id), list, owner, after).await
    }

    async fn read_by(
        &self,
        mut reading: Reading<'_>,
        list: &List,
        owner: Option<&str>,
        after: usize,
    ) -> Result<Vec<Map<String, Value>>, Failure> {
        let path = &with_handle(&list.path, owner);
        let mut asked = FuturesUnordered::new();
        let mut asks = vec![(reading.start(), after)];
        loop {
            for (ask, after) in asks.drain(..) {
                let query = reading.query(&ask);
                asked.push(self.ask(list, path, ask, query, after));
            }
            let Some((ask, after, answer)) = asked.next().await else {
                match reading.finish() {
                    Finish::Complete(items) => return Ok(items),
                    Finish::Again(again) => asks.extend(again.into_iter().map(|ask| (ask, self.rounds()))),
                    Finish::Failed(why) => {
                        let failure = Failure::new(&format!("GET {path}"), Cause::Refused, why);
                        return Err(failure.hint("somebody else is changing the tenant: run it again"));
                    }
                }
                continue;
            };
            let more = match answer {
                Ok(answer) => reading.answered(&ask, answer).map_err(|why| {
                    Failure::new(&format!("GET {path}"), Cause::Refused, why)
                        .hint("this does not look like Auth0's Management API: check the tenant's domain")
                })?,
                Err(failure) if failure.status == Some(400) => reading.refused(&ask).ok_or(failure)?,
                Err(failure) => return Err(failure),
            };
            asks.extend(more.into_iter().map(|ask| (ask, after + 1)));
        }
    }

    async fn ask(
        &self,
        list: &List,
        path: &str,
        ask: Ask,
        query: Vec<(String, String)>,
        after: usize,
    ) -> (Ask, usize, Result<Value, Failure>) {
        let bucket = list.bucket.as_deref().unwrap_or_default();
        let query = Query { path, pairs: &query, bucket };
        (ask, after, self.read(&query, after).await)
    }

    /// Reads one object; a singleton without an id.
    pub(crate) async fn read_one(
        &self,
        get: &Endpoint,
        id: Option<&str>,
        after: usize,
    ) -> Result<Map<String, Value>, Failure> {
        object_in(get, id, self.read_value(get, id, after).await?)
    }

    async fn read_value(&self, get: &Endpoint, id: Option<&str>, after: usize) -> Result<Value, Failure> {
        debug_assert_eq!(get.method, Method::Get, "a read is a GET");
        let path = with_handle(&get.path, id);
        let pairs = get.pairs();
        let query = Query { path: &path, pairs: &pairs, bucket: get.bucket.as_deref().unwrap_or_default() };
        self.read(&query, after).await
    }
}

/// Takes the object out of an answer.
fn object_in(get: &Endpoint, id: Option<&str>, answer: Value) -> Result<Map<String, Value>, Failure> {
    if let Value::Object(value) = answer {
        return Ok(value);
    }
    let call = format!("GET {}", with_handle(&get.path, id));
    Err(Failure::new(&call, Cause::Refused, "the answer is not an object")
        .hint("this does not look like Auth0's Management API: check the tenant's domain"))
}

/// Tells whether two kinds are read by the same requests.
fn is_one_list(one: &Kind, other: &Kind) -> bool {
    match (&one.list, &other.list) {
        (Some(one), Some(other)) => one.path == other.path && one.query == other.query,
        _ => false,
    }
}

fn with_handle(path: &str, id: Option<&str>) -> String {
    id.map_or_else(|| path.to_owned(), |id| kind::with_handle(path, id, encoded))
}

/// Gives an object the members that say its name, where the answer does not.
fn named(keys: &Keys, name: &str, value: &mut Map<String, Value>) {
    for (field, part) in keys.members(name) {
        value.entry(field).or_insert(part);
    }
}

/// Gives an element of a field in the form of files, with what is declared of it and its own handle.
fn element(field: &Field, child: &Child, item: Map<String, Value>) -> Option<Value> {
    if let Some(member) = &child.element {
        return item.get(member).cloned();
    }
    let fields = &field.items.as_ref()?.fields;
    let mut element = Map::new();
    for declared in fields.iter().filter(|declared| declared.from.is_some()) {
        let value = declared.from.as_ref().and_then(|pointer| at(&item, pointer));
        element.extend(value.map(|value| (declared.name.clone(), value.clone())));
    }
    let is_known =
        |name: &String| fields.find(name).is_some_and(|field| field.from.is_none()) || child.id.as_ref() == Some(name);
    element.extend(item.into_iter().filter(|(name, _)| is_known(name)));
    Some(Value::Object(element))
}

/// Gives the reason why a kind, or a field of it, can't be read, where that is no reason to stop: the token
/// lacks the scope, the plan lacks the feature, or the tenant does not have it.
pub(crate) fn unreadable(kind: &Kind, field: Option<&Field>, failure: &Failure) -> Option<Unreadable> {
    if let Some(scopes) = failure.missing_scope() {
        return Some(Lack::Scope(scopes.replace(',', " or ")).into());
    }
    let said = failure.message.clone();
    let of_field = field.and_then(|field| field.entitlement.as_deref());
    let entitlements = [of_field, kind.entitlement.as_ref()];
    if failure.lacks_feature(None) || entitlements.iter().any(|it| failure.lacks_feature(*it)) {
        let named = entitlements.iter().flatten().next().map(|entitlement| entitlement.feature.clone());
        let unnamed = || format!("what `{}` needs", field.map_or(kind.name.as_str(), |field| &field.name));
        return Some(Lack::Feature { feature: named.unwrap_or_else(unnamed), said }.into());
    }
    // 404 and 501 are endpoints that the tenant's API does not have.
    matches!(failure.status, Some(403 | 404 | 501)).then(|| Lack::Unknown(said).into())
}

/// Wraps what the API gave.
pub(crate) fn object(kind: &Kind, value: Map<String, Value>) -> Object {
    let id = kind.handle_of(&value);
    Object { address: Address::of(kind, &value), id, value, provenance: Arc::default() }
}
