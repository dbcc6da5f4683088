//! What every kind must do, generated from its declaration, over real HTTP: create, change of each
//! field, delete, and nothing left to do after each.

use crate::support::samples::{
    Path, Shape, beside, is_refused, pointer, sample, shapes, targets, with, with_all_fields,
};
use crate::support::{World, definitions};
use serde_json::{Map, Value};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Field, Kind, Type};
use tenantctl::plan::{Action, Change, Edit, Plan, Policy};
use tenantctl::tenant::{Address, Desired};

/// What the samples refer to, and some objects of a kind.
fn desired(kind: &'static Kind, objects: Vec<Map<String, Value>>) -> Desired {
    let mut kinds = targets(kind);
    kinds.entry(kind.name.as_str()).or_default().extend(objects);
    definitions(&kinds)
}

/// A field, with an object that has it, and the same object with another value.
struct Leaf {
    path: Path<'static>,
    start: Map<String, Value>,
    made: Map<String, Value>,
    changed: Option<Map<String, Value>>,
    address: Address,
}

impl Leaf {
    fn last(&self) -> &'static Field {
        self.path[self.path.len() - 1]
    }

    /// It needs the tenant for itself: it waits for something, or ends in other objects.
    fn is_alone(&self) -> bool {
        self.last().until.is_some() || self.last().exclusive
    }

    /// Expects that the change of the value is all that is planned for the object.
    fn assert_changes_alone(&self, plan: &Plan) {
        let (at, last) = (format!("{}{}", self.address, pointer(&self.path)), self.last());
        let is_mine = |kind: &str, name: &str| self.address.kind == kind && self.address.name == name;
        let mut changes = plan.changes.iter().filter(|it| it.action != Action::Delete && is_mine(&it.kind, &it.name));
        let mine = changes.next();
        if last.secret || last.masked {
            let is_noted = plan.secrets.iter().any(|it| is_mine(&it.kind, &it.name));
            assert!(is_noted || mine.is_some_and(|it| it.fields.iter().any(|edit| edit.sensitive)), "{at}: {plan:#?}");
            return;
        }
        if last.call.as_ref().is_some_and(|call| call.value.is_some()) {
            let held = plan.held.iter().filter(|it| is_mine(&it.kind, &it.name)).count();
            assert!(mine.is_none() && held == 1, "{at}: {plan:#?}");
            return;
        }
        let Some(mine) = mine else { panic!("{at}: {plan:#?}") };
        let is_write_once = self.path.iter().any(|field| field.create_only);
        assert_eq!(mine.action == Action::Replace, is_write_once, "{at}");
        let is_within = |edit: &Edit| edit.path.starts_with(&pointer(&self.path));
        assert!(!mine.fields.is_empty() && mine.fields.iter().all(is_within), "{at}: {:#?}", mine.fields);
        assert!(mine.fields.len() == 1 || last.holds == Type::List, "{at}: {:#?}", mine.fields);
    }
}

/// The fields of a shape that can be tested, each with an object of its own.
fn leaves(kind: &'static Kind, shape: &Shape) -> Vec<Leaf> {
    let leaf = |(number, path): (usize, Path<'static>)| {
        let last = path[path.len() - 1];
        let mut start = shape.base(number);
        start.extend(beside(kind, &path));
        let of = |second| Some(with(&start, &path, &sample(last, second)?)).filter(|it| !is_refused(shape.kind, it));
        let (made, changed) = (of(false)?, of(true));
        let address = Address::of(kind, &made);
        Some(Leaf { path, start, made, changed, address })
    };
    shape.leaves().into_iter().enumerate().filter_map(leaf).collect()
}

/// Puts fields together whose objects can stand in one tenant.
fn together(leaves: Vec<Leaf>) -> Vec<Vec<Leaf>> {
    let mut groups: Vec<Vec<Leaf>> = Vec::new();
    for leaf in leaves {
        let stands = |group: &&mut Vec<Leaf>| {
            !leaf.is_alone() && !group.iter().any(|other| other.is_alone() || other.address == leaf.address)
        };
        match groups.iter_mut().find(stands) {
            Some(group) => group.push(leaf),
            None => groups.push(vec![leaf]),
        }
    }
    groups
}

/// Goes through all fields of a kind: made with one value, then changed to another.
async fn every_field(kind: &'static Kind, shape: Shape) -> usize {
    let world = World::new().await;
    let consent = Policy { allow_delete: true, ..world.policy.clone() };
    let mut seen = 0;
    for leaves in together(leaves(kind, &shape)) {
        let made = desired(kind, leaves.iter().map(|leaf| leaf.made.clone()).collect());
        if let [Leaf { path, start, .. }] = leaves.as_slice()
            && leaves[0].last().until.is_some()
        {
            // It can be written once the object is ready, and another one ends it.
            world.converge(&desired(kind, vec![start.clone()]), &consent).await;
            world.verify_domains().await;
            let planned = world.converge(&made, &consent).await.plan;
            assert_eq!(planned.changes[0].fields[0].path, pointer(path));
            continue;
        }
        world.converge(&made, &consent).await;
        let objects = leaves.iter().map(|leaf| leaf.changed.as_ref().unwrap_or(&leaf.made).clone());
        let changed = desired(kind, objects.collect());
        let planned = world.plan_with(&changed, &consent).await;
        let differ: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.changed.is_some()).collect();
        for leaf in &differ {
            leaf.assert_changes_alone(&planned.plan);
        }
        let is_one = |change: &Change| differ.iter().any(|leaf| leaf.address == change.address());
        let others = planned.plan.changes.iter().find(|change| change.action != Action::Delete && !is_one(change));
        assert!(others.is_none(), "{others:#?}");
        world.carry_out(&planned, &changed, &consent).await;
        seen += differ.len();
    }
    seen
}

/// Runs something for each kind, side by side, and says of all that failed.
async fn for_each_kind<F: Future<Output = ()> + Send + 'static>(run: impl Fn(&'static Kind) -> F) {
    let runs: Vec<_> = Registry::builtin().iter().map(|kind| (kind, tokio::spawn(run(kind)))).collect();
    let mut failed = Vec::new();
    for (kind, run) in runs {
        failed.extend(run.await.err().map(|error| format!("{}: {error}", kind.name)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_kind_changes_alone() {
    for_each_kind(|kind| async move {
        let mut seen = 0;
        let shapes: Vec<_> = shapes(kind).into_iter().map(|shape| tokio::spawn(every_field(kind, shape))).collect();
        for shape in shapes {
            seen += shape.await.unwrap();
        }
        let has_leaves = self::shapes(kind).iter().any(|shape| !shape.leaves().is_empty());
        assert_eq!(seen > 0, has_leaves, "{} has fields that change", kind.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_held_back_without_consent_and_done_with_it() {
    let deletable = |kind: &&'static Kind| !kind.is_fixed();
    for kind in Registry::builtin().iter().filter(deletable) {
        let world = World::new().await;
        let consent = Policy { allow_delete: true, ..world.policy.clone() };
        let mut without = targets(kind);
        without.entry(kind.name.as_str()).or_default();
        let without = definitions(&without);
        let before = world.converge(&without, &world.policy).await.plan.held.len();
        world.converge(&desired(kind, vec![shapes(kind)[0].base(1)]), &world.policy).await;
        let held = world.plan(&without).await.plan;
        assert!(held.is_empty() && held.held.len() == before + 1, "{}: {held:#?}", kind.name);
        let done = world.converge(&without, &consent).await.plan;
        match &kind.delete {
            Some(_) => assert_eq!(done.summary.delete, before + 1, "{}", kind.name),
            None => assert_eq!(done.summary.held, before + 1, "{}: what can't be deleted is held back", kind.name),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fields_at_once_are_made_and_found_again() {
    for_each_kind(|kind| async move {
        let world = World::new().await;
        world.converge(&definitions(&with_all_fields(kind)), &world.policy).await;
    })
    .await;
}
