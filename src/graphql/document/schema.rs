//! The schema as this stage asks it: types, fields, arguments and directives by name. Built once from SDL, which is our own text and
//! trusted; no request's text comes here.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{OperationType, Type};
use async_graphql::{Name, Value as ConstValue};

use super::introspection::Sizes;
use super::plan::UsualPeriod;
use super::sdl;

/// What every schema has, whether or not its SDL says so.
const BUILT_IN: &str = r"
scalar Int
scalar Float
scalar String
scalar Boolean
scalar ID
directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @deprecated(reason: String) on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE
directive @specifiedBy(url: String!) on SCALAR
directive @oneOf on INPUT_OBJECT
type __Schema {
  description: String
  types: [__Type!]!
  queryType: __Type!
  mutationType: __Type
  subscriptionType: __Type
  directives: [__Directive!]!
}
type __Type {
  kind: __TypeKind!
  name: String
  description: String
  specifiedByURL: String
  fields(includeDeprecated: Boolean = false): [__Field!]
  interfaces: [__Type!]
  possibleTypes: [__Type!]
  enumValues(includeDeprecated: Boolean = false): [__EnumValue!]
  inputFields(includeDeprecated: Boolean = false): [__InputValue!]
  ofType: __Type
  isOneOf: Boolean
}
enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }
type __Field {
  name: String!
  description: String
  args(includeDeprecated: Boolean = false): [__InputValue!]!
  type: __Type!
  isDeprecated: Boolean!
  deprecationReason: String
}
type __InputValue {
  name: String!
  description: String
  type: __Type!
  defaultValue: String
  isDeprecated: Boolean!
  deprecationReason: String
}
type __EnumValue { name: String! description: String isDeprecated: Boolean! deprecationReason: String }
type __Directive {
  name: String!
  description: String
  isRepeatable: Boolean!
  locations: [__DirectiveLocation!]!
  args(includeDeprecated: Boolean = false): [__InputValue!]!
}
enum __DirectiveLocation {
  QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA SCALAR OBJECT
  FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION
}
";

/// Fields that every schema answers beside its own, as fields of a type that cannot be named.
const META: &str =
    "type Meta { __typename: String! __schema: __Schema! __type(name: String!): __Type }";

/// A schema, ready to be asked.
#[derive(Debug)]
pub(super) struct Schema {
    types: HashMap<Name, TypeInfo>,
    directives: HashMap<Name, DirectiveInfo>,
    meta: HashMap<Name, FieldInfo>,
    query: Name,
    mutation: Option<Name>,
    subscription: Option<Name>,
    sizes: Sizes,
}

/// A named type.
#[derive(Debug)]
pub(super) struct TypeInfo {
    pub(super) name: Name,
    pub(super) kind: TypeForm,
    /// What each object costs, in thousandths of a point, by `@cost`.
    pub(super) weight: Option<u64>,
}

/// What a named type is, with what belongs to that.
#[derive(Debug)]
pub(super) enum TypeForm {
    BuiltIn(BuiltIn),
    /// A scalar of the schema's own.
    Custom,
    Enum(HashSet<Name>),
    Input(InputInfo),
    Object(HashMap<Name, FieldInfo>),
    /// With the names of the object types that may stand for it.
    Interface(HashMap<Name, FieldInfo>, HashSet<Name>),
    Union(HashSet<Name>),
}

/// The five scalars of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BuiltIn {
    Int,
    Float,
    String,
    Boolean,
    Id,
}

/// An input object.
#[derive(Debug)]
pub(super) struct InputInfo {
    pub(super) fields: Vec<InputValue>,
    pub(super) one_of: bool,
}

impl InputInfo {
    pub(super) fn field(&self, name: &str) -> Option<&InputValue> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// An argument or a field of an input object.
#[derive(Debug)]
pub(super) struct InputValue {
    pub(super) name: Name,
    pub(super) ty: Type,
    pub(super) default: Option<ConstValue>,
    /// What answering it costs once, in thousandths of a point, by `@cost`.
    pub(super) weight: Option<u64>,
    /// What looking through the actions in its period costs, by `@scanCost`.
    pub(super) scan: Option<ScanCost>,
    /// Fields below, any of which asks for that as well, where the argument does not.
    pub(super) or_selected: Vec<String>,
}

impl InputValue {
    /// Whether it must be given.
    pub(super) fn required(&self) -> bool {
        !self.ty.nullable && self.default.is_none()
    }
}

/// A field of an object or interface.
#[derive(Debug)]
pub(super) struct FieldInfo {
    pub(super) arguments: Vec<InputValue>,
    pub(super) ty: Type,
    /// What each of its objects costs, in thousandths of a point, by `@cost`.
    pub(super) weight: Option<u64>,
    /// How long its list is, by `@listSize`.
    pub(super) list: Option<ListSize>,
    /// What looking through the actions in its range costs, by `@scanCost`, and the argument without which nothing is looked
    /// through.
    pub(super) scan: Option<(ScanCost, Option<String>)>,
}

/// What `@scanCost` says, in thousandths of a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanCost {
    /// What a thousand actions cost.
    pub(super) weight: u64,
    /// What it costs however few there are.
    pub(super) once: u64,
    /// What a thousand actions cost where columns in memory hold them, and nothing else.
    pub(super) held: Option<u64>,
    /// Whether all actions are looked through, whatever the range.
    pub(super) is_whole: bool,
    /// Whether saved segments are looked up.
    pub(super) is_of_saved: bool,
    /// Whether all entries of a list are told at once.
    pub(super) is_together: bool,
    /// Whether columns in memory answer the first page alone.
    pub(super) is_of_first_page: bool,
    /// Whether the database looks through no more of them than reports may read.
    pub(super) is_limited: bool,
    /// Whose period stands in for a range or a period that is not given.
    pub(super) usual: Option<UsualPeriod>,
}

/// What `@listSize` says.
#[derive(Debug)]
pub(super) struct ListSize {
    /// Entries where no argument says how many.
    pub(super) assumed: Option<u64>,
    /// Arguments that say how many.
    pub(super) arguments: Vec<String>,
    /// Fields of the type that are the list; empty where the field itself is.
    pub(super) fields: Vec<String>,
}

/// A directive.
#[derive(Debug)]
pub(super) struct DirectiveInfo {
    pub(super) arguments: Vec<InputValue>,
    /// As in `__DirectiveLocation`.
    pub(super) locations: Vec<Name>,
    pub(super) repeatable: bool,
}

impl TypeInfo {
    /// Whether it has fields or members, so that it needs a selection.
    pub(super) fn is_composite(&self) -> bool {
        matches!(
            self.kind,
            TypeForm::Object(_) | TypeForm::Interface(..) | TypeForm::Union(_)
        )
    }

    pub(super) fn is_input(&self) -> bool {
        !self.is_composite()
    }

    pub(super) fn is_leaf(&self) -> bool {
        !self.is_composite() && !matches!(self.kind, TypeForm::Input(_))
    }

    pub(super) fn is_union(&self) -> bool {
        matches!(self.kind, TypeForm::Union(_))
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.kind, TypeForm::Object(_))
    }

    /// Whether a value of the object type `object` can stand where this composite type is asked for.
    pub(super) fn covers(&self, object: &Name) -> bool {
        match &self.kind {
            TypeForm::Object(_) => self.name == *object,
            TypeForm::Interface(_, possible) | TypeForm::Union(possible) => {
                possible.contains(object)
            }
            _ => false,
        }
    }

    /// The object types that can stand for this composite type.
    pub(super) fn possible(&self) -> Vec<&Name> {
        match &self.kind {
            TypeForm::Object(_) => vec![&self.name],
            TypeForm::Interface(_, possible) | TypeForm::Union(possible) => {
                possible.iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether some object type can stand for both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.possible().into_iter().any(|name| other.covers(name))
    }

    /// Whether whatever stands for `other` also stands for this type.
    pub(super) fn covers_all(&self, other: &Self) -> bool {
        self.name == other.name || other.possible().into_iter().all(|name| self.covers(name))
    }
}

impl Schema {
    /// Reads a schema from SDL.
    ///
    /// # Errors
    /// A sentence when the SDL cannot be parsed or its query type is missing.
    pub(super) fn new(sdl: &str) -> Result<Self, String> {
        let mut schema = Self {
            types: HashMap::new(),
            directives: HashMap::new(),
            meta: HashMap::new(),
            query: Name::new("Query"),
            mutation: None,
            subscription: None,
            sizes: Sizes::default(),
        };
        schema.read(BUILT_IN)?;
        schema.read(META)?;
        if let Some(TypeInfo {
            kind: TypeForm::Object(fields),
            ..
        }) = schema.types.remove("Meta")
        {
            schema.meta = fields;
        }
        schema.read(sdl)?;
        schema.sizes = Sizes::of(&schema);
        if schema.types.contains_key(&schema.query) {
            Ok(schema)
        } else {
            Err(format!("the schema has no type {}", schema.query))
        }
    }

    /// Adds one text's definitions.
    fn read(&mut self, text: &str) -> Result<(), String> {
        let read = sdl::read(text).map_err(|error| {
            let place = error.locations.first().copied().unwrap_or_default();
            format!("the schema's SDL at {place}: {}", error.message)
        })?;
        let types = read.types.into_iter();
        self.types.extend(types.map(|ty| (ty.name.clone(), ty)));
        self.directives.extend(read.directives);
        for (object, interface) in read.implements {
            if let Some(TypeInfo {
                kind: TypeForm::Interface(_, possible),
                ..
            }) = self.types.get_mut(&interface)
            {
                possible.insert(object);
            }
        }
        let known = |name: &str| self.types.get_key_value(name).map(|(key, _)| key.clone());
        match read.roots {
            Some(mut roots) => {
                if let Some(query) = roots.remove("query") {
                    self.query = query;
                }
                self.mutation = roots.remove("mutation");
                self.subscription = roots.remove("subscription");
            }
            None => {
                self.mutation = known("Mutation");
                self.subscription = known("Subscription");
            }
        }
        Ok(())
    }

    /// All named types.
    pub(super) fn types(&self) -> impl Iterator<Item = &TypeInfo> {
        self.types.values()
    }

    /// All directives.
    pub(super) fn directives(&self) -> impl Iterator<Item = &DirectiveInfo> {
        self.directives.values()
    }

    /// How many entries the lists of introspection have.
    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    pub(super) fn ty(&self, name: &str) -> Option<&TypeInfo> {
        self.types.get(name)
    }

    pub(super) fn directive(&self, name: &str) -> Option<&DirectiveInfo> {
        self.directives.get(name)
    }

    /// The type that an operation of this kind begins at.
    pub(super) fn root(&self, kind: OperationType) -> Option<&TypeInfo> {
        let name = match kind {
            OperationType::Query => Some(&self.query),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => self.subscription.as_ref(),
        };
        self.types.get(name?)
    }

    /// A field of a composite type, `__typename` and the introspection fields included.
    pub(super) fn field<'a>(&'a self, parent: &'a TypeInfo, name: &str) -> Option<&'a FieldInfo> {
        match name {
            "__typename" if parent.is_composite() => self.meta.get(name),
            "__schema" | "__type" if parent.name == self.query => self.meta.get(name),
            _ => match &parent.kind {
                TypeForm::Object(fields) | TypeForm::Interface(fields, _) => fields.get(name),
                _ => None,
            },
        }
    }
}
