//! The category tree: how it is read, and what a node knows of its place.

use std::collections::HashMap;

use super::{CatalogError, sheet};

/// Id of the fixed node above all categories whose place is not known.
pub const UNKNOWN_CATEGORY: &str = "unknown";

/// A node of the shipped tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// AliExpress' id, or [`UNKNOWN_CATEGORY`].
    pub external_id: String,
    /// Its English name.
    pub name: String,
    /// Id of the category above; none at level 1.
    pub parent: Option<String>,
    /// 1 at the top.
    pub level: i32,
    /// Id of itself or its ancestor at level 1.
    pub level1: String,
    /// Id of itself or its ancestor at level 2; of itself at level 1.
    pub level2: String,
    /// How sure we are of id, name and place.
    pub confidence: Confidence,
}

/// How sure we are of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confidence {
    /// Id, name and place are published.
    Documented,
    /// Id and name are; the place is inferred.
    ParentInferred,
    /// Id and name are; the place is not known.
    ParentUnknown,
    /// Of an older tree, without a clear successor.
    Legacy,
    /// Ours.
    Fixed,
}

impl Confidence {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "documented" => Self::Documented,
            "parent-inferred" => Self::ParentInferred,
            "parent-unknown" => Self::ParentUnknown,
            "legacy" => Self::Legacy,
            "fixed" => Self::Fixed,
            _ => return None,
        })
    }
}

/// Reads the tree: parents before children, ids once.
pub(super) fn parse(text: &str) -> Result<Vec<Category>, CatalogError> {
    let mut categories: Vec<Category> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let heading = ["id", "parent", "name", "confidence"];
    for (line, [external_id, parent, name, confidence]) in sheet::rows(text, heading)? {
        let wrong = |what: &str| CatalogError(format!("categories, line {line}: {what}"));
        let confidence = Confidence::parse(&confidence)
            .ok_or_else(|| wrong(&format!("no such confidence: {confidence}")))?;
        if external_id.is_empty() || name.is_empty() {
            return Err(wrong("without an id or a name"));
        }
        let above = if parent.is_empty() {
            None
        } else {
            let place = places
                .get(&parent)
                .ok_or_else(|| wrong("stands before its parent"))?;
            categories.get(*place)
        };
        let level = above.map_or(1, |above| above.level + 1);
        let category = Category {
            level,
            level1: above.map_or_else(|| external_id.clone(), |above| above.level1.clone()),
            level2: match above {
                Some(above) if level > 2 => above.level2.clone(),
                _ => external_id.clone(),
            },
            parent: above.map(|above| above.external_id.clone()),
            external_id: external_id.clone(),
            name,
            confidence,
        };
        if places.insert(external_id, categories.len()).is_some() {
            return Err(wrong("an id that was there before"));
        }
        categories.push(category);
    }
    match categories.first() {
        Some(first) if first.external_id == UNKNOWN_CATEGORY => Ok(categories),
        _ => Err(CatalogError(format!(
            "categories: the first is not {UNKNOWN_CATEGORY}"
        ))),
    }
}

/// Reads which old id stands for which node.
pub(super) fn parse_aliases(text: &str) -> Result<HashMap<String, String>, CatalogError> {
    let mut aliases = HashMap::new();
    for (line, [old, node, name, why]) in sheet::rows(text, ["id", "node", "old name", "why"])? {
        let told = !name.is_empty() && !why.is_empty();
        if !told || aliases.insert(old, node).is_some() {
            return Err(CatalogError(format!(
                "category aliases, line {line}: an id twice, or one without its old name and a reason"
            )));
        }
    }
    Ok(aliases)
}
