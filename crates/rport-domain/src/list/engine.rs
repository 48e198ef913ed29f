//! The in-memory engine.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::OnceLock;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};
use regex::{Regex, RegexBuilder};

use super::{ListQuery, Operator, Page, Value, value::equal_in_any_case};
use crate::Glob;

/// Patterns that compile to more are compared as plain texts: nobody types them, and compiling costs memory.
const MAX_PATTERN_BYTES: usize = 1 << 18;

/// Patterns in all filters of a query. Each is tried on each member of each item.
pub(super) const MAX_PATTERNS: usize = 32;

/// One condition of a query.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Members of which one must satisfy the condition.
    pub columns: Vec<&'static str>,
    /// How to compare.
    pub operator: Operator,
    /// Values as given, trimmed.
    pub values: Vec<String>,
    /// Whether all values must match instead of any (`and(…)`).
    pub all: bool,
    tests: Vec<Test>,
    /// Plain values in lower case, once there are too many to compare one by one.
    plain: HashSet<String>,
    /// How many values are patterns.
    pub(super) patterns: usize,
}

/// A value, prepared for comparing.
#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    Pattern(Pattern),
    Time(DateTime<FixedOffset>),
    /// A time operator with a value that is no time, or a pattern too many.
    Never,
}

/// A value with stars.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    /// Answers for usual texts, unless the pattern takes the expression engine.
    glob: Option<Glob>,
    /// Made at first use, since compiling costs more than matching a page of clients. `None` inside: not an
    /// expression at all.
    expression: OnceLock<Option<Regex>>,
}

/// Up to so many plain values are compared one by one.
const FEW: usize = 8;

impl Filter {
    pub(super) fn new(columns: Vec<&'static str>, operator: Operator) -> Self {
        Self {
            columns,
            operator,
            values: Vec::new(),
            all: false,
            tests: Vec::new(),
            plain: HashSet::new(),
            patterns: 0,
        }
    }

    /// Adds the values of one occurrence: `v1,v2`, `or(v1,v2)` or `and(v1,v2)`.
    pub(super) fn add(&mut self, text: &str) {
        let inner = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
        let list = match inner("and(") {
            Some(list) => {
                self.all = true;
                list
            }
            None => inner("or(").unwrap_or(text),
        };
        for value in list.split(',').map(str::trim) {
            if self.values.iter().any(|earlier| earlier == value) {
                continue;
            }
            self.patterns += usize::from(value.contains('*'));
            // The query is refused then: no need to compile more.
            let excess = self.patterns > MAX_PATTERNS;
            self.tests.push(if excess {
                Test::Never
            } else {
                Test::new(self.operator, value)
            });
            self.values.push(value.to_owned());
        }
        self.collect_plain();
    }

    /// Keeps long lists of values from being compared one by one with every item.
    fn collect_plain(&mut self) {
        let is_plain = |test: &Test| matches!(test, Test::Equal(_));
        if self.all || self.tests.iter().filter(|test| is_plain(test)).count() <= FEW {
            return;
        }
        for test in self.tests.extract_if(.., |test| is_plain(test)) {
            if let Test::Equal(value) = test {
                self.plain.insert(value.to_lowercase());
            }
        }
    }

    /// Tells whether an item satisfies the condition.
    pub fn accepts<'a, T: ?Sized>(&self, item: &'a T, field: impl Fn(&'a T, &str) -> Value<'a>) -> bool {
        if self.all {
            return self.tests.iter().all(|test| {
                let mut columns = self.columns.iter();
                columns.any(|column| self.passes(test, &field(item, column)))
            });
        }
        self.columns.iter().any(|column| {
            let value = field(item, column);
            self.tests.iter().any(|test| self.passes(test, &value))
                || (!self.plain.is_empty()
                    && value.any_text(|text| self.plain.contains(&text.to_lowercase())))
        })
    }

    fn passes(&self, test: &Test, value: &Value<'_>) -> bool {
        match test {
            Test::Equal(wanted) => value.any_text(|text| equal_in_any_case(text, wanted)),
            Test::Pattern(pattern) => value.any_text(|text| pattern.matches(text)),
            Test::Time(wanted) => value.time().is_some_and(|time| match self.operator {
                Operator::Match => false,
                Operator::Gt => time > *wanted,
                Operator::Lt => time < *wanted,
                Operator::Since => time >= *wanted,
                Operator::Until => time <= *wanted,
                Operator::Eq => time.with_timezone(wanted.offset()).date_naive() == wanted.date_naive(),
            }),
            Test::Never => false,
        }
    }
}

impl Test {
    fn new(operator: Operator, value: &str) -> Self {
        if operator != Operator::Match {
            return parse_time(value).map_or(Self::Never, Self::Time);
        }
        if !value.contains('*') {
            return Self::Equal(value.to_owned());
        }
        Self::Pattern(Pattern {
            text: value.to_owned(),
            glob: Glob::of_expression(value),
            expression: OnceLock::new(),
        })
    }
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        if let Some(verdict) = self.glob.as_ref().and_then(|glob| glob.matches_simple(text)) {
            return verdict;
        }
        match self.expression.get_or_init(|| expression(&self.text)) {
            Some(expression) => expression.is_match(text),
            None => equal_in_any_case(text, &self.text),
        }
    }
}

/// As in the Go server, the star becomes `.*` and other expression characters keep their meaning. The engine runs in
/// linear time, so a hostile expression costs no more than its length.
fn expression(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{})$", pattern.replace('*', ".*")))
        .case_insensitive(true)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .ok()
}

fn parse_time(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).ok().or_else(|| {
        let date = text.parse::<NaiveDate>().ok()?;
        Some(date.and_time(NaiveTime::MIN).and_utc().fixed_offset())
    })
}

impl ListQuery {
    /// Tells whether an item satisfies all conditions.
    pub fn accepts<'a, T: ?Sized>(
        &self,
        item: &'a T,
        field: impl Fn(&'a T, &str) -> Value<'a> + Copy,
    ) -> bool {
        self.filters.iter().all(|filter| filter.accepts(item, field))
    }

    /// Compares two items by the order asked for.
    pub fn compare<'a, T: ?Sized>(
        &self,
        a: &'a T,
        b: &'a T,
        field: impl Fn(&'a T, &str) -> Value<'a> + Copy,
    ) -> Ordering {
        self.sorts
            .iter()
            .map(|sort| {
                let order = field(a, sort.column).compare(&field(b, sort.column));
                if sort.descending { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// Answers the query from items that come in the order asked for: filters, counts and cuts out the page.
    pub fn run_sorted<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        field: for<'a> fn(&'a T, &str) -> Value<'a>,
    ) -> Page<T> {
        let mut page = Page {
            items: Vec::new(),
            total: 0,
        };
        for item in items {
            if !self.accepts(&item, field) {
                continue;
            }
            if page.total >= self.offset && page.items.len() < self.limit {
                page.items.push(item);
            }
            page.total += 1;
        }
        page
    }

    /// Answers the query from memory: filters, counts, sorts, and cuts out the page.
    ///
    /// `field` gives the value of a member; it is called with the names of the specification only.
    pub fn run<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        field: for<'a> fn(&'a T, &str) -> Value<'a>,
    ) -> Page<T> {
        let mut items: Vec<T> = items
            .into_iter()
            .filter(|item| self.accepts(item, field))
            .collect();
        let total = items.len();
        let end = self.offset.saturating_add(self.limit).min(total);
        if self.offset >= end {
            return Page {
                items: Vec::new(),
                total,
            };
        }
        let order = |a: &T, b: &T| self.compare(a, b, field);
        // Sorting everything to show one page is most of the work of a large list.
        if end < total {
            items.select_nth_unstable_by(end - 1, order);
            items.truncate(end);
        }
        items.sort_unstable_by(order);
        Page {
            items: items.split_off(self.offset),
            total,
        }
    }
}
