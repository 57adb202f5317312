//! YAML as a tree of texts. A tag is what was written (`1.10`, `0123456`, `1e1`), never a number; an alias stands for nothing,
//! so that no file can grow; what is deep or large beyond reason is left out.

use saphyr_parser::{Event, Parser};

/// Values of one file, lists and maps counted too.
const MOST_NODES: usize = 100_000;
const DEEPEST: usize = 64;

#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// A text that says something: not empty, and not left to a template or to a variable.
    pub fn text(&self) -> Option<&str> {
        let Node::Text(text) = self else { return None };
        let text = text.trim();
        let is_open = ["{{", "${", "$("].iter().any(|mark| text.contains(mark));
        (!text.is_empty() && !is_open && !matches!(text, "~" | "null")).then_some(text)
    }

    pub fn entries(&self) -> &[(String, Node)] {
        if let Node::Map(entries) = self { entries } else { &[] }
    }

    pub fn items(&self) -> &[Node] {
        if let Node::List(items) = self { items } else { &[] }
    }
}

/// The documents of a file. What comes before an error is there: the rest of a broken file is not known.
pub(super) fn documents(text: &str) -> Vec<Node> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(Ok((event, _))) = parser.next_event() {
        if builder.take(event).is_none() {
            break;
        }
    }
    builder.documents
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    /// Lists and maps that are open, each with the key that waits for its value.
    open: Vec<(Node, Option<String>)>,
    count: usize,
}

impl Builder {
    /// `None` ends the reading.
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        match event {
            Event::Scalar(text, ..) => self.put(Node::Text(text.into_owned())),
            Event::Alias(_) => self.put(Node::Text(String::new())),
            Event::SequenceStart(..) => self.begin(Node::List(Vec::new())),
            Event::MappingStart(..) => self.begin(Node::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                let (node, _) = self.open.pop()?;
                self.put(node)
            }
            _ => Some(()),
        }
    }

    fn begin(&mut self, node: Node) -> Option<()> {
        self.open.push((node, None));
        (self.open.len() <= DEEPEST).then_some(())
    }

    fn put(&mut self, node: Node) -> Option<()> {
        self.count += 1;
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some((Node::List(items), _)) => items.push(node),
            Some((Node::Map(entries), key)) => match (key.take(), node) {
                (Some(key), node) => entries.push((key, node)),
                (None, Node::Text(text)) => *key = Some(text),
                // A list or a map as a key: legal, and nothing that we look for.
                (None, _) => *key = Some(String::new()),
            },
            Some((Node::Text(_), _)) => return None,
        }
        (self.count <= MOST_NODES).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_as_they_were_written() {
        let nodes = documents("image:\n  tag: 1.10\n  other: 0123456\n---\n- a\n- {b: c}\n");
        assert_eq!(nodes[0].at(&["image", "tag"]).and_then(Node::text), Some("1.10"));
        assert_eq!(nodes[0].at(&["image", "other"]).and_then(Node::text), Some("0123456"));
        assert_eq!(nodes[1].items()[1].get("b").and_then(Node::text), Some("c"));
    }

    #[test]
    fn what_is_left_open_is_no_text() {
        for text in ["'{{ .Values.tag }}'", "${TAG}", "$(TAG)", "''", "~", "null"] {
            assert_eq!(documents(&format!("a: {text}"))[0].get("a").and_then(Node::text), None, "{text}");
        }
    }

    #[test]
    fn bombs_and_broken_files_end_early() {
        let laughs: String = (1..40).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}, *a{0}]\n", i - 1)).collect();
        assert_eq!(documents(&format!("a0: &a0 lol\n{laughs}")).len(), 1);
        assert!(documents(&"[".repeat(100_000)).is_empty());
        assert!(documents(&"- ".repeat(100_000)).is_empty());
        assert_eq!(documents("a: b\n---\nimage: {{ x }}\n  - : [").len(), 1);
        assert!(documents(&format!("[{}]", "a,".repeat(200_000))).is_empty());
    }
}
