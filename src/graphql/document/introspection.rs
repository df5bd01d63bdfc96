//! How many values an answer to introspection holds, known before it is asked. The executor answers it in one go, without
//! a pause in which a deadline could end it, so that its size is bounded here and paid like everything else.

use async_graphql::parser::types as out;
use async_graphql::{Pos, Positioned};

use super::error::RequestError;
use super::schema::{Schema, TypeForm};

/// What each costs, in thousandths of a point.
pub(super) const VALUE: u64 = 15;

/// How many entries the lists of introspection have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    types: u64,
    directives: u64,
    /// Of a type: by all types together, and most of one.
    fields: (u64, u64),
    inputs: (u64, u64),
    words: (u64, u64),
    kinds: (u64, u64),
    /// Of a field.
    arguments: u64,
}

impl Sizes {
    pub(super) fn of(schema: &Schema) -> Self {
        let (mut sizes, mut fields, mut arguments) = (Self::default(), 0, 0);
        let more = |(all, most): &mut (u64, u64), count: usize| {
            let count = count as u64;
            *all += count;
            *most = count.max(*most);
        };
        for ty in schema.types() {
            sizes.types += 1;
            match &ty.kind {
                TypeForm::Object(own) | TypeForm::Interface(own, _) => {
                    more(&mut sizes.fields, own.len());
                    fields += own.len() as u64;
                    arguments += own.values().map(|f| f.arguments.len() as u64).sum::<u64>();
                }
                TypeForm::Input(input) => more(&mut sizes.inputs, input.fields.len()),
                TypeForm::Enum(words) => more(&mut sizes.words, words.len()),
                TypeForm::BuiltIn(_) | TypeForm::Custom | TypeForm::Union(_) => {}
            }
            if let TypeForm::Interface(_, possible) | TypeForm::Union(possible) = &ty.kind {
                more(&mut sizes.kinds, possible.len());
            }
        }
        sizes.directives = schema.directives().count() as u64;
        sizes.arguments = arguments.div_ceil(fields.max(1)).max(1);
        sizes
    }

    /// How many entries a list has where so many types are asked for it.
    fn entries(self, (all, most): (u64, u64), asked: Asked, types: u64) -> u64 {
        match asked {
            Asked::One => most,
            // Types that fields have are larger than the average, since whole pages of scalars are none of them.
            Asked::Some => types.saturating_mul(2 * all.div_ceil(self.types.max(1)) + 1),
            Asked::All => all,
        }
    }
}

/// Which types a set is asked of.
#[derive(Clone, Copy)]
enum Asked {
    /// One, by its name.
    One,
    /// Each of the schema once.
    All,
    /// Whichever others name.
    Some,
}

/// How many values a field of introspection answers at most, about.
pub(super) fn values(sizes: Sizes, field: &out::Field) -> u64 {
    let asked = if field.name.node == "__type" {
        Asked::One
    } else {
        Asked::Some
    };
    in_set(sizes, &field.selection_set.node, asked, 1)
}

fn in_set(sizes: Sizes, set: &out::SelectionSet, asked: Asked, rows: u64) -> u64 {
    set.items.iter().fold(0, |sum: u64, item| {
        let more = match &item.node {
            out::Selection::Field(field) => in_field(sizes, &field.node, asked, rows),
            out::Selection::InlineFragment(inline) => {
                in_set(sizes, &inline.node.selection_set.node, asked, rows)
            }
            out::Selection::FragmentSpread(_) => 0,
        };
        sum.saturating_add(more)
    })
}

fn in_field(sizes: Sizes, field: &out::Field, asked: Asked, rows: u64) -> u64 {
    let of_types = |list: (u64, u64)| sizes.entries(list, asked, rows);
    let (entries, asked) = match field.name.node.as_str() {
        "types" => (rows.saturating_mul(sizes.types), Asked::All),
        "directives" => (rows.saturating_mul(sizes.directives), Asked::Some),
        "fields" => (of_types(sizes.fields), Asked::Some),
        "inputFields" => (of_types(sizes.inputs), Asked::Some),
        "enumValues" => (of_types(sizes.words), Asked::Some),
        "possibleTypes" | "interfaces" => (of_types(sizes.kinds), Asked::Some),
        "args" => (rows.saturating_mul(sizes.arguments), Asked::Some),
        // Half of what is named is wrapped, and what is inside is wrapped less and less.
        "ofType" => (rows / 2, Asked::Some),
        _ => (rows, Asked::Some),
    };
    let inside = in_set(sizes, &field.selection_set.node, asked, entries);
    rows.saturating_add(inside)
}

/// The refusal of an operation that asks for too many.
pub(super) fn too_much(pos: Pos, values: u64, most: u64) -> RequestError {
    let message = format!(
        "Introspection asks for about {values} values, the limit is {most}. Ask for fewer lists at once, or read the whole schema as text instead."
    );
    let figures = (most, values);
    RequestError::beyond(pos, message, "introspectionValues", figures, None)
}

/// Whether a field asks for the schema itself.
pub(super) fn is_asked(field: &Positioned<out::Field>) -> bool {
    matches!(field.node.name.node.as_str(), "__schema" | "__type")
}
