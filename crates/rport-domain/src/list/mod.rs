//! List queries: sort, filter, sparse fields and pages, as every list of the API understands them.
//!
//! A [`ListSpec`] says what one resource allows; [`ListQuery::parse`] checks a query string against it and reports
//! all mistakes at once; [`ListQuery::run`] answers from memory. Source: API notes, section 4.
//!
//! The engine asks for single members through a function that borrows from the item, so that filtering many
//! thousand clients copies nothing.

mod engine;
mod parse;
mod value;

pub use engine::Filter;
pub use value::Value;

/// What one resource allows in list queries.
#[derive(Debug)]
pub struct ListSpec {
    /// Page size when none is asked for.
    pub default_limit: usize,
    /// Largest page size.
    pub max_limit: usize,
    /// Members to sort by.
    pub sorts: &'static [&'static str],
    /// Order when none is asked for; also settles ties. Members named here need not be in `sorts`.
    pub default_sort: &'static [SortSpec],
    /// Set where only one sort may be given: the text for those who give two.
    pub single_sort: Option<&'static str>,
    /// Members to filter by.
    pub filters: &'static [FilterSpec],
    /// Sparse fields, if the resource has them.
    pub fields: Option<&'static FieldsSpec>,
}

/// One member to filter by and the comparisons it takes. Plain matching without operator is [`Operator::Match`].
#[derive(Debug)]
pub struct FilterSpec {
    /// The member.
    pub name: &'static str,
    /// What may stand in the second brackets.
    pub operators: &'static [Operator],
}

impl FilterSpec {
    /// Makes a member that can only be matched.
    pub const fn matching(name: &'static str) -> Self {
        Self {
            name,
            operators: &[Operator::Match],
        }
    }
}

/// Which members an answer can have.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldsSpec {
    /// The word in `fields[…]`.
    pub resource: &'static str,
    /// Other words that may stand there, and what the members named behind them begin with: with `("result",
    /// "result.")`, `fields[result]=stdout` asks for the member `result.stdout`.
    pub also: &'static [(&'static str, &'static str)],
    /// All members, in the order of the answer.
    pub all: &'static [&'static str],
    /// Members when none are asked for.
    pub default: &'static [&'static str],
}

/// One column of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortSpec {
    /// The member.
    pub column: &'static str,
    /// Largest first.
    pub descending: bool,
}

impl SortSpec {
    /// Makes an ascending order.
    pub const fn ascending(column: &'static str) -> Self {
        Self {
            column,
            descending: false,
        }
    }
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// No operator: equal, or matching a pattern with `*`, in any case.
    Match,
    /// `gt`: later than.
    Gt,
    /// `lt`: earlier than.
    Lt,
    /// `since`: not earlier than.
    Since,
    /// `until`: not later than.
    Until,
    /// `eq`: on the same day.
    Eq,
}

/// A checked list query.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// The order asked for, followed by the default order.
    pub sorts: Vec<SortSpec>,
    /// Conditions; all must hold.
    pub filters: Vec<Filter>,
    /// Members of the answer.
    pub fields: Fields,
    /// Number of items wanted.
    pub limit: usize,
    /// Number of items to skip.
    pub offset: usize,
}

impl ListQuery {
    /// Tells whether sorting, filtering or the answer needs a member. Lets a service skip what is costly to compute.
    pub fn needs(&self, name: &str) -> bool {
        self.fields.contains(name) || self.looks_at(name)
    }

    /// Tells whether sorting or filtering needs a member.
    pub fn looks_at(&self, name: &str) -> bool {
        self.sorts.iter().any(|sort| sort.column == name)
            || self.filters.iter().any(|filter| filter.columns.contains(&name))
    }
}

/// The members an answer shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    spec: Option<&'static FieldsSpec>,
    /// One bit per member of the specification.
    wanted: u64,
}

impl Fields {
    /// Selects all members of a specification.
    pub fn all(spec: &'static FieldsSpec) -> Self {
        Self::of(spec, spec.all.iter().copied())
    }

    /// Selects the members a list has by default.
    pub fn default_of(spec: &'static FieldsSpec) -> Self {
        Self::of(spec, spec.default.iter().copied())
    }

    fn of<'a>(spec: &'static FieldsSpec, names: impl Iterator<Item = &'a str>) -> Self {
        let mut fields = Self {
            spec: Some(spec),
            wanted: 0,
        };
        for name in names {
            fields.insert(name);
        }
        fields
    }

    /// Adds a member; `false` if the specification has none of that name.
    fn insert(&mut self, name: &str) -> bool {
        let position = self
            .spec
            .and_then(|spec| spec.all.iter().position(|member| *member == name));
        self.wanted |= position.map_or(0, |position| 1 << position);
        position.is_some()
    }

    /// Tells whether the answer shall have a member. Resources without sparse fields always have all.
    pub fn contains(&self, name: &str) -> bool {
        let Some(spec) = self.spec else { return true };
        spec.all
            .iter()
            .position(|member| *member == name)
            .is_some_and(|position| self.wanted & (1 << position) != 0)
    }

    /// Returns the names of the wanted members, in the order of the answer.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let wanted = self.wanted;
        let all = self.spec.map_or(&[][..], |spec| spec.all);
        all.iter()
            .enumerate()
            .filter(move |(position, _)| wanted & (1 << position) != 0)
            .map(|(_, name)| *name)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// How many items all pages have together.
    pub total: usize,
}

impl<T> Page<T> {
    /// Converts the items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests;
