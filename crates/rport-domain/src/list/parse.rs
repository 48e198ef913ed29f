//! Query strings to checked queries.

use super::{Fields, FieldsSpec, Filter, ListQuery, ListSpec, Operator, SortSpec, engine::MAX_PATTERNS};
use crate::{Error, Result};

impl ListQuery {
    /// Checks a query against what the resource allows. Parameters that are no list parameters, and malformed ones,
    /// are ignored, as in the Go server.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`], all mistakes joined, in the order sort, filter, fields, page.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)], spec: &ListSpec) -> Result<Self> {
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
            .collect();
        let mut errors = Vec::new();
        let mut sorts = parse_sorts(&pairs, spec, &mut errors);
        let filters = parse_filters(&pairs, spec, &mut errors);
        let fields = match spec.fields {
            Some(fields) => parse_fields(&pairs, fields, fields.default, &mut errors),
            None => Fields {
                spec: None,
                wanted: 0,
            },
        };
        let limit = parse_limit(&pairs, spec, &mut errors);
        let offset = parse_offset(&pairs, &mut errors);
        if let (true, Some(text), true) = (sorts.len() > 1, spec.single_sort, errors.is_empty()) {
            errors.push(Error::invalid(text));
        }
        if let Some(error) = Error::join(errors) {
            return Err(error);
        }
        for sort in spec.default_sort {
            if sorts.iter().all(|earlier| earlier.column != sort.column) {
                sorts.push(*sort);
            }
        }
        Ok(Self {
            sorts,
            filters,
            fields,
            limit,
            offset,
        })
    }
}

impl Fields {
    /// Checks the sparse fields of a query for a single item, which has all members unless some are asked for.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`], all mistakes joined.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)], spec: &'static FieldsSpec) -> Result<Self> {
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
            .collect();
        let mut errors = Vec::new();
        let fields = parse_fields(&pairs, spec, spec.all, &mut errors);
        Error::join(errors).map_or(Ok(fields), Err)
    }
}

/// Filters of one query. Each of them is a condition that SQL nests, and that is tried on every item.
const MAX_FILTERS: usize = 64;

/// Values in all filters of a query: SQLite binds at most 32766.
const MAX_VALUES: usize = 10_000;

type Pairs<'a> = [(&'a str, &'a str)];

fn parse_sorts(pairs: &Pairs<'_>, spec: &ListSpec, errors: &mut Vec<Error>) -> Vec<SortSpec> {
    let mut sorts = Vec::new();
    for (_, value) in pairs
        .iter()
        .filter(|(key, value)| *key == "sort" && !value.is_empty())
    {
        let (name, descending) = value
            .strip_prefix('-')
            .map_or((*value, false), |name| (name, true));
        match spec.sorts.iter().find(|column| **column == name) {
            Some(column) => sorts.push(SortSpec { column, descending }),
            None => errors.push(Error::invalid(format!("unsupported sort field '{name}'"))),
        }
    }
    sorts
}

fn parse_filters(pairs: &Pairs<'_>, spec: &ListSpec, errors: &mut Vec<Error>) -> Vec<Filter> {
    let mut filters: Vec<(&str, Filter)> = Vec::new();
    for (key, value) in pairs {
        let Some((columns, operator)) = split_filter_key(key) else {
            continue;
        };
        if let Some((_, earlier)) = filters.iter_mut().find(|(earlier, _)| earlier == key) {
            earlier.add(value);
            continue;
        }
        match resolve_filter(columns, operator, spec) {
            Some((columns, operator)) => {
                let mut filter = Filter::new(columns, operator);
                filter.add(value);
                filters.push((key, filter));
            }
            None => errors.push(Error::invalid(format!("unsupported filter field '{key}'"))),
        }
    }
    if filters.iter().map(|(_, filter)| filter.patterns).sum::<usize>() > MAX_PATTERNS {
        errors.push(Error::invalid(format!(
            "more than {MAX_PATTERNS} patterns with * in one query"
        )));
    }
    if filters.len() > MAX_FILTERS {
        errors.push(Error::invalid(format!(
            "more than {MAX_FILTERS} filters in one query"
        )));
    }
    if filters
        .iter()
        .map(|(_, filter)| filter.values.len())
        .sum::<usize>()
        > MAX_VALUES
    {
        errors.push(Error::invalid(format!(
            "more than {MAX_VALUES} values in one query"
        )));
    }
    filters.into_iter().map(|(_, filter)| filter).collect()
}

/// Takes `filter[columns]` or `filter[columns][operator]` apart.
fn split_filter_key(key: &str) -> Option<(&str, Option<&str>)> {
    let (columns, rest) = key.strip_prefix("filter[")?.split_once(']')?;
    if columns.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some((columns, None));
    }
    let operator = rest.strip_prefix('[')?.strip_suffix(']')?;
    (!operator.is_empty() && !operator.contains(['[', ']'])).then_some((columns, Some(operator)))
}

fn resolve_filter(
    columns: &str,
    operator: Option<&str>,
    spec: &ListSpec,
) -> Option<(Vec<&'static str>, Operator)> {
    let operator = match operator {
        None => Operator::Match,
        Some("gt") => Operator::Gt,
        Some("lt") => Operator::Lt,
        Some("since") => Operator::Since,
        Some("until") => Operator::Until,
        Some("eq") => Operator::Eq,
        Some(_) => return None,
    };
    let allowed = || {
        spec.filters
            .iter()
            .filter(|filter| filter.operators.contains(&operator))
    };
    if columns == "*" {
        return Some((allowed().map(|filter| filter.name).collect::<Vec<_>>(), operator))
            .filter(|(all, _)| !all.is_empty());
    }
    let mut found = Vec::new();
    for column in columns.split('|') {
        let name = allowed().find(|filter| filter.name == column)?.name;
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Some((found, operator))
}

fn parse_fields(
    pairs: &Pairs<'_>,
    spec: &'static FieldsSpec,
    default: &[&str],
    errors: &mut Vec<Error>,
) -> Fields {
    let mut fields = Fields {
        spec: Some(spec),
        wanted: 0,
    };
    let mut given = false;
    for (key, value) in pairs {
        let Some(resource) = key
            .strip_prefix("fields[")
            .and_then(|rest| rest.strip_suffix(']'))
        else {
            continue;
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if resource.is_empty() || !resource.chars().all(is_word) {
            continue;
        }
        let also = || spec.also.iter().find(|(word, _)| *word == resource);
        let prefix = if resource == spec.resource {
            ""
        } else if let Some((_, prefix)) = also() {
            prefix
        } else {
            errors.push(Error::invalid(format!(
                "unsupported resource in fields: {resource:?}"
            )));
            continue;
        };
        given = true;
        for name in value.split(',') {
            if !fields.insert(&format!("{prefix}{name}")) {
                errors.push(Error::invalid(format!(
                    "unsupported field {name:?} for resource {resource:?}"
                )));
            }
        }
    }
    if given {
        fields
    } else {
        Fields::of(spec, default.iter().copied())
    }
}

fn parse_limit(pairs: &Pairs<'_>, spec: &ListSpec, errors: &mut Vec<Error>) -> usize {
    let max = spec.max_limit;
    let error = match first_number(pairs, "page[limit]") {
        None => return spec.default_limit,
        Some(Err(detail)) => Error::invalid("pagination limit must be a number").detail(detail),
        Some(Ok(limit)) => match usize::try_from(limit) {
            Ok(limit) if limit > max => {
                Error::invalid(format!("pagination limit too big ({limit}) maximum is {max}"))
            }
            Ok(limit) if limit > 0 => return limit,
            _ => Error::invalid("pagination limit must be positive"),
        },
    };
    errors.push(error);
    spec.default_limit
}

fn parse_offset(pairs: &Pairs<'_>, errors: &mut Vec<Error>) -> usize {
    let error = match first_number(pairs, "page[offset]") {
        None => return 0,
        Some(Err(detail)) => Error::invalid("pagination offset must be a number").detail(detail),
        Some(Ok(offset)) => match usize::try_from(offset) {
            Ok(offset) => return offset,
            Err(_) => Error::invalid("pagination offset must not be negative"),
        },
    };
    errors.push(error);
    0
}

/// Reads the first occurrence; an empty one counts as absent.
fn first_number(pairs: &Pairs<'_>, wanted: &str) -> Option<Result<i64, String>> {
    let (_, text) = pairs.iter().find(|(key, _)| *key == wanted)?;
    if text.is_empty() {
        return None;
    }
    Some(text.parse::<i64>().map_err(|error| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let problem = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.Atoi: parsing {text:?}: {problem}")
    }))
}
