use std::collections::BTreeMap;

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::Kind;

#[derive(Debug, Clone)]
struct Item {
    id: &'static str,
    count: i64,
    tags: Option<Vec<String>>,
    labels: BTreeMap<String, String>,
    at: &'static str,
}

impl Item {
    fn field<'a>(&'a self, name: &str) -> Value<'a> {
        match name {
            "id" => Value::Text(self.id),
            "count" => Value::Number(self.count),
            "even" => Value::Bool(self.count % 2 == 0),
            "tags" => Value::list(self.tags.as_ref()),
            "labels" => Value::object(Some(&self.labels)),
            "at" => Value::Time(DateTime::parse_from_rfc3339(self.at).expect("time")),
            _ => Value::Null,
        }
    }
}

static FIELDS: FieldsSpec = FieldsSpec {
    resource: "items",
    also: &[("things", ""), ("part", "part.")],
    all: &["id", "count", "tags", "part.of"],
    default: &["id"],
};

static SPEC: ListSpec = ListSpec {
    default_limit: 3,
    max_limit: 10,
    sorts: &["id", "count", "at"],
    default_sort: &[SortSpec::ascending("id")],
    single_sort: None,
    filters: &[
        FilterSpec::matching("id"),
        FilterSpec::matching("count"),
        FilterSpec::matching("even"),
        FilterSpec::matching("tags"),
        FilterSpec::matching("labels"),
        FilterSpec {
            name: "at",
            operators: &[
                Operator::Gt,
                Operator::Lt,
                Operator::Since,
                Operator::Until,
                Operator::Eq,
            ],
        },
    ],
    fields: Some(&FIELDS),
};

fn items() -> Vec<Item> {
    let tags = |list: &[&str]| Some(list.iter().map(ToString::to_string).collect());
    let labels = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    vec![
        Item {
            id: "beta",
            count: 2,
            tags: tags(&["Linux", "db"]),
            labels: labels(&[("city", "Lille")]),
            at: "2024-05-02T00:00:00Z",
        },
        Item {
            id: "Alpha",
            count: 10,
            tags: None,
            labels: labels(&[]),
            at: "2024-05-01T23:00:00Z",
        },
        Item {
            id: "gamma",
            count: 2_500_000,
            tags: tags(&[]),
            labels: labels(&[("City", "Köln"), ("a", "b")]),
            at: "2024-05-02T12:00:00+02:00",
        },
        Item {
            id: "",
            count: 0,
            tags: tags(&["web"]),
            labels: labels(&[]),
            at: "2024-06-01T00:00:00Z",
        },
    ]
}

fn parse(query: &str) -> crate::Result<ListQuery> {
    let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    ListQuery::parse(&pairs, &SPEC)
}

/// Runs a query and shows the ids, with the total behind a slash.
fn run(query: &str) -> String {
    let page = parse(query).expect(query).run(items(), Item::field);
    let ids: Vec<_> = page
        .items
        .iter()
        .map(|item| if item.id.is_empty() { "-" } else { item.id })
        .collect();
    format!("{}/{}", ids.join(" "), page.total)
}

#[test]
fn sorts_in_any_case_and_pages() {
    for (query, expected) in [
        ("", "- Alpha beta/4"),
        ("sort=-id", "gamma beta Alpha/4"),
        ("sort=", "- Alpha beta/4"),
        ("sort=count&page[limit]=4", "- beta Alpha gamma/4"),
        ("sort=-at", "- gamma beta/4"),
        ("page[limit]=2&page[offset]=1", "Alpha beta/4"),
        ("page[limit]=2&page[limit]=4", "- Alpha/4"),
        ("page[limit]=&page[offset]=", "- Alpha beta/4"),
        ("page[offset]=3", "gamma/4"),
        ("page[offset]=4", "/4"),
        ("page[offset]=99999999999", "/4"),
    ] {
        assert_eq!(run(query), expected, "{query}");
    }
}

#[test]
fn filters() {
    for (query, expected) in [
        ("filter[id]=ALPHA", "Alpha/1"),
        ("filter[id]=*a", "Alpha beta gamma/3"),
        ("filter[id]=b*A", "beta/1"),
        ("filter[id]=*", "- Alpha beta/4"),
        ("filter[id]=", "-/1"),
        ("filter[id]=alpha,  beta ", "Alpha beta/2"),
        ("filter[id]=or(alpha,beta)", "Alpha beta/2"),
        ("filter[id]=alpha&filter[id]=beta", "Alpha beta/2"),
        ("filter[id]=and(*a*,*e*)", "beta/1"),
        ("filter[id]=and(alpha,alpha)", "Alpha/1"),
        ("filter[id]=[ab]*", "Alpha beta/2"),
        ("filter[id]=.*", "Alpha beta gamma/3"),
        ("filter[id]=a[*", "/0"),
        ("filter[id]=(alpha", "/0"),
        ("filter[count]=2", "beta/1"),
        ("filter[count]=2500000", "gamma/1"),
        ("filter[count]=2.5e+06", "gamma/1"),
        ("filter[even]=TRUE", "- Alpha beta/4"),
        ("filter[tags]=linux", "beta/1"),
        ("filter[tags]=and(linux,db)", "beta/1"),
        ("filter[tags]=and(linux,web)", "/0"),
        ("filter[tags]=<nil>", "Alpha/1"),
        ("filter[tags]=", "/0"),
        ("filter[labels]=city: *", "beta gamma/2"),
        ("filter[labels]=a: b", "gamma/1"),
        ("filter[id|tags]=*b*", "- beta/2"),
        ("filter[*]=web", "-/1"),
        ("filter[*]=10", "Alpha/1"),
        ("filter[id]=*a&filter[count]=2", "beta/1"),
        ("filter[at][gt]=2024-05-02T00:00:00Z", "- gamma/2"),
        ("filter[at][since]=2024-05-02T00:00:00Z", "- beta gamma/3"),
        ("filter[at][lt]=2024-05-02", "Alpha/1"),
        ("filter[at][until]=2024-05-02T10:00:00Z", "Alpha beta gamma/3"),
        ("filter[at][eq]=2024-05-02", "beta gamma/2"),
        ("filter[at][eq]=2024-05-02T00:00:00+02:00", "Alpha beta gamma/3"),
        ("filter[at][gt]=yesterday", "/0"),
        (
            "filter[id=x&filter[]=x&filter[id]x=x&filter[id][]=x&other=1",
            "- Alpha beta/4",
        ),
    ] {
        assert_eq!(run(query), expected, "{query}");
    }
}

#[test]
fn selects_fields() {
    let names = |query: &str| parse(query).expect(query).fields.names().collect::<Vec<_>>();
    assert_eq!(names(""), ["id"]);
    assert_eq!(names("fields[items]=tags,id"), ["id", "tags"]);
    assert_eq!(names("fields[items]=tags&fields[items]=count"), ["count", "tags"]);
    assert_eq!(names("fields[things]=tags&fields[part]=of"), ["tags", "part.of"]);
    // A name that is no word does not count as a resource.
    assert_eq!(names("fields[it-ems]=x&fields=id&fields[]=x"), ["id"]);
    let query = parse("fields[items]=tags&filter[count]=1").expect("query");
    assert!(query.needs("tags") && query.needs("count") && query.needs("id"));
    assert!(query.looks_at("count") && !query.looks_at("tags"));
    let single = |pairs: &[(&str, &str)]| Fields::parse(pairs, &FIELDS).map(|fields| fields.names().count());
    assert_eq!(single(&[("sort", "nonsense")]).expect("all"), 4);
    assert_eq!(single(&[("fields[items]", "id")]).expect("one"), 1);
    assert!(single(&[("fields[items]", "")]).is_err());
}

#[test]
fn reports_all_mistakes_in_order() {
    let titles = |query: &str| {
        let error = parse(query).expect_err(query);
        assert_eq!(error.kind, Kind::Invalid);
        error.items().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        titles(
            "page[offset]=-1&page[limit]=0&fields[items]=x&fields[jobs]=y&filter[x]=1&filter[id][gt]=1&sort=-tags&filter[at]=1"
        ),
        [
            "unsupported sort field 'tags'",
            "unsupported filter field 'filter[x]'",
            "unsupported filter field 'filter[id][gt]'",
            "unsupported filter field 'filter[at]'",
            "unsupported field \"x\" for resource \"items\"",
            "unsupported resource in fields: \"jobs\"",
            "pagination limit must be positive",
            "pagination offset must not be negative",
        ]
    );
    assert_eq!(
        titles("filter[id|x]=1"),
        ["unsupported filter field 'filter[id|x]'"]
    );
    assert_eq!(
        titles("filter[id][ne]=1"),
        ["unsupported filter field 'filter[id][ne]'"]
    );
    assert_eq!(
        titles("fields[items]=id, tags"),
        ["unsupported field \" tags\" for resource \"items\""]
    );
    assert_eq!(
        titles("page[limit]=11"),
        ["pagination limit too big (11) maximum is 10"]
    );
    assert_eq!(titles("page[limit]=-1"), ["pagination limit must be positive"]);
    assert_eq!(
        titles("page[limit]=x&page[offset]=99999999999999999999"),
        [
            "pagination limit must be a number: strconv.Atoi: parsing \"x\": invalid syntax",
            "pagination offset must be a number: strconv.Atoi: parsing \"99999999999999999999\": value out of range",
        ]
    );
}

#[test]
fn clients_take_one_sort() {
    let parse = |pairs: &[(&str, &str)]| ListQuery::parse(pairs, &crate::CLIENT_LIST);
    assert!(parse(&[("sort", "-name")]).is_ok());
    let error = parse(&[("sort", "id"), ("sort", "name")]).expect_err("two sorts");
    assert_eq!(error.title, "Only one sort field is supported for clients.");
}

proptest! {
    #[test]
    fn any_query_is_answered_or_refused(key in "(sort|filter|fields|page)?[\\[\\]a-z*|]{0,12}", value in "\\PC{0,20}") {
        if let Ok(query) = ListQuery::parse(&[(key, value)], &SPEC) {
            query.run(items(), Item::field);
        }
    }

    #[test]
    fn any_pattern_is_compared(value in "[a*+?(){}|\\[\\]^$\\\\.0-9]{0,30}") {
        parse(&format!("filter[*]={value}")).expect("filter").run(items(), Item::field);
    }

    #[test]
    fn a_page_equals_the_cut_from_the_sorted_whole(
        counts in proptest::collection::vec(0..50i64, 0..40), limit in 1..10usize, offset in 0..45usize, down: bool,
    ) {
        let make = |count: &i64| Item { id: "x", count: *count, tags: None, labels: BTreeMap::new(), at: "2024-05-02T00:00:00Z" };
        let query = ListQuery {
            sorts: vec![SortSpec { column: "count", descending: down }],
            filters: Vec::new(), fields: Fields::all(&FIELDS), limit, offset,
        };
        let page = query.run(counts.iter().map(make), Item::field);
        let mut sorted = counts.clone();
        sorted.sort_unstable_by(|a, b| if down { b.cmp(a) } else { a.cmp(b) });
        let expected: Vec<_> = sorted.into_iter().skip(offset).take(limit).collect();
        prop_assert_eq!(page.items.iter().map(|item| item.count).collect::<Vec<_>>(), expected);
        prop_assert_eq!(page.total, counts.len());
    }
}
