//! What the files of a configuration repository pin at any of its commits. A row of `manifests` tells how a commit differs from
//! its first parent, so at a commit that pin is in force which the nearest of its first parents, itself first, has set.
//!
//! Commits that only a push has told of have not been read: of them no more is known than which files they touch.

use super::entity;
use super::graph::{Node, Repo};
use crate::catalogue::glob_matches;
use crate::entities::Entities;
use flowgauge_lake::model::{Manifest, Table};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// The files and images of one configuration repository.
#[derive(Debug)]
pub struct Configuration {
    pub repo: Arc<Repo>,
    /// Of each commit the first parent; worked out when somebody asks, since most repositories are no configuration.
    first_parents: OnceLock<Vec<Option<Node>>>,
    /// Of each commit, the stretch of numbers that it and all that descend from it by first parents have.
    spans: Vec<Option<(u32, u32)>>,
    /// Ordered by file and image.
    images: Vec<Image>,
    /// The images that a word may mean: the names of their folders and files, and their own.
    by_word: HashMap<String, Vec<usize>>,
    /// Commits that rows speak of.
    told: HashSet<Node>,
}

/// An image in a file, and all that was ever pinned.
#[derive(Debug)]
struct Image {
    path: String,
    name: String,
    environment: Option<String>,
    /// In the order of the numbers of their commits.
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    span: (u32, u32),
    node: Node,
    tag: Option<String>,
    digest: Option<String>,
    removed: bool,
}

/// An image as a file pins it at some commit.
#[derive(Clone, Copy, Debug)]
pub struct Pinned<'a> {
    pub path: &'a str,
    pub image: &'a str,
    pub tag: Option<&'a str>,
    pub digest: Option<&'a str>,
    /// The commit that set it.
    pub set_by: Node,
}

impl Configuration {
    pub fn build(repo: &Arc<Repo>, entities: &Entities) -> Configuration {
        let rows: Vec<Manifest> =
            entities.with_first(Table::Manifest, &repo.name).map(|(_, stored)| entity::<Manifest>(stored.cells())).collect();
        let mut configuration = Configuration {
            repo: repo.clone(),
            first_parents: OnceLock::new(),
            spans: Vec::new(),
            images: Vec::new(),
            by_word: HashMap::new(),
            told: HashSet::new(),
        };
        if rows.is_empty() {
            return configuration;
        }
        let spans = spans(configuration.first_parents());
        let mut images: BTreeMap<(String, String), Image> = BTreeMap::new();
        for row in rows {
            // What a commit of an unknown place pins is in force nowhere.
            let Some((node, span)) = repo.find(&row.sha).and_then(|node| Some((node, spans[node as usize]?))) else { continue };
            let image = images.entry((row.path.clone(), row.image.clone())).or_insert_with(|| Image {
                path: row.path,
                name: row.image,
                environment: row.environment,
                changes: Vec::new(),
            });
            image.changes.push(Change { span, node, tag: row.tag, digest: row.digest, removed: row.removed == Some(true) });
        }
        let mut images: Vec<Image> = images.into_values().collect();
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, image) in images.iter_mut().enumerate() {
            image.changes.sort_by_key(|change| change.span);
            for word in words(image) {
                let known = by_word.entry(word).or_default();
                if known.last() != Some(&i) {
                    known.push(i);
                }
            }
        }
        configuration.told = images.iter().flat_map(|image| image.changes.iter().map(|change| change.node)).collect();
        (configuration.spans, configuration.images, configuration.by_word) = (spans, images, by_word);
        configuration
    }

    fn first_parents(&self) -> &[Option<Node>] {
        self.first_parents.get_or_init(|| self.repo.first_parents())
    }

    pub fn has_manifests(&self) -> bool {
        !self.images.is_empty()
    }

    /// Whether somebody has looked into the files of a commit: where only a push told of it, its parents are unknown.
    pub fn is_read(&self, node: Node) -> bool {
        self.repo.has_parents(node) || self.told.contains(&node)
    }

    /// A commit, its first parent, and so on.
    pub fn line(&self, from: Node) -> impl Iterator<Item = Node> + '_ {
        // A circle is no history; it must not last for ever either.
        let first_parents = self.first_parents();
        std::iter::successors(Some(from), |&node| first_parents[node as usize]).take(first_parents.len())
    }

    /// The pins that may be those of a service in an environment, in groups: what a group says goes before what later ones say.
    /// `paths`: the files and folders that the deployment is made of, those that win first.
    pub fn groups(&self, at: Node, service: &str, paths: Option<&[String]>, is_environment: &dyn Fn(&str) -> bool) -> Vec<Vec<Pinned<'_>>> {
        let Some(moment) = self.spans.get(at as usize).copied().flatten() else { return Vec::new() };
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for path in paths.unwrap_or_default() {
            groups.extend(by_environment(&self.images, self.below(path), is_environment, true));
        }
        // Without paths, and for what several environments have in common beside them: what is named like the service.
        let named = self.by_word.get(&service.to_lowercase()).cloned().unwrap_or_default();
        let [own, shared] = by_environment(&self.images, named, is_environment, false);
        groups.extend(if paths.is_some() { vec![shared] } else { vec![own, shared] });
        groups.iter().map(|group| group.iter().filter_map(|&i| self.images[i].at(moment)).collect()).collect()
    }

    /// The images in a file, or in the files below a folder.
    fn below(&self, path: &str) -> Vec<usize> {
        let is_all = matches!(path, "" | ".");
        if path.contains('*') {
            return (0..self.images.len()).filter(|&i| glob_matches(path, &self.images[i].path)).collect();
        }
        let from = if is_all { 0 } else { self.images.partition_point(|image| image.path.as_str() < path) };
        let is_below = |image: &Image| is_all || image.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let begins_so = |i: &usize| is_all || self.images[*i].path.starts_with(path);
        (from..self.images.len()).take_while(begins_so).filter(|&i| is_below(&self.images[i])).collect()
    }
}

impl Image {
    /// What is pinned at a commit: nothing if the file or the image is not there.
    fn at(&self, moment: (u32, u32)) -> Option<Pinned<'_>> {
        let until = self.changes.partition_point(|change| change.span.0 <= moment.0);
        let change = self.changes[..until].iter().rev().find(|change| change.span.1 >= moment.1)?;
        (!change.removed).then(|| Pinned {
            path: &self.path,
            image: &self.name,
            tag: change.tag.as_deref(),
            digest: change.digest.as_deref(),
            set_by: change.node,
        })
    }
}

/// Two groups: the images of the environment, and those of none in particular. `is_chosen`: the files were named as those of a
/// deployment, so if all of them are of one environment it is the deployment's own, whatever it is called.
fn by_environment(images: &[Image], found: Vec<usize>, is_environment: &dyn Fn(&str) -> bool, is_chosen: bool) -> [Vec<usize>; 2] {
    let of = |i: &usize| images[*i].environment.as_deref();
    let own: Vec<usize> = found.iter().copied().filter(|i| of(i).is_some_and(is_environment)).collect();
    let shared: Vec<usize> = found.iter().copied().filter(|i| of(i).is_none()).collect();
    if own.is_empty() && is_chosen && shared.is_empty() && found.windows(2).all(|pair| of(&pair[0]) == of(&pair[1])) {
        return [found, Vec::new()];
    }
    [own, shared]
}

/// The names of the folders and of the file, without the environment's; the last part of the image's name.
fn words(image: &Image) -> Vec<String> {
    let environment = image.environment.as_deref().map(str::to_lowercase).unwrap_or_default();
    let without = |part: &str| {
        let part = part.rsplit_once('.').filter(|(_, ending)| matches!(*ending, "yaml" | "yml")).map_or(part, |(stem, _)| stem);
        let part = part.to_lowercase();
        let rest = part.strip_suffix(&environment).or_else(|| part.strip_prefix(&environment)).unwrap_or(&part);
        rest.trim_matches(['-', '_', '.']).to_owned()
    };
    let mut words: Vec<String> = image.path.split('/').map(without).filter(|word| !word.is_empty()).collect();
    words.extend(image.name.rsplit('/').next().map(str::to_lowercase));
    words
}

/// Numbers every commit so that what descends from it by first parents has numbers within its own stretch.
fn spans(first_parents: &[Option<Node>]) -> Vec<Option<(u32, u32)>> {
    let mut children: Vec<Vec<Node>> = vec![Vec::new(); first_parents.len()];
    let mut stack: Vec<(Node, bool)> = Vec::new();
    for (node, parent) in (0..).zip(first_parents) {
        match parent {
            Some(parent) => children[*parent as usize].push(node),
            None => stack.push((node, false)),
        }
    }
    let mut spans = vec![None; first_parents.len()];
    let mut next = 0;
    while let Some((node, is_done)) = stack.pop() {
        let place = node as usize;
        if is_done {
            spans[place] = spans[place].map(|(from, _)| (from, next - 1));
        } else {
            spans[place] = Some((next, next));
            next += 1;
            stack.push((node, true));
            stack.extend(children[place].iter().map(|&child| (child, false)));
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_what_descends() {
        // 0 ── 1 ── 2 and 1 ── 3, and 4 ⇄ 5, which is no history.
        let spans = spans(&[None, Some(0), Some(1), Some(1), Some(5), Some(4)]);
        let holds = |a: usize, b: usize| matches!((spans[a], spans[b]), (Some((from, to)), Some((at, _))) if from <= at && at <= to);
        assert!(holds(0, 3) && holds(1, 2) && holds(1, 3) && holds(2, 2));
        assert!(!holds(2, 3) && !holds(3, 2) && !holds(1, 0));
        assert_eq!((spans[4], spans[5]), (None, None));
    }
}
