//! What robfig/cron v3 reads, and clocks that change.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveDateTime, TimeZone, Timelike};
use proptest::prelude::*;

use super::*;

fn instant(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("test data").to_utc()
}

fn origin() -> Origin<'static> {
    Origin {
        since: DateTime::UNIX_EPOCH,
        server: &Utc,
    }
}

/// Due times after an instant, as the clock of the place shows them.
fn runs(text: &str, after: &str, count: usize) -> Vec<String> {
    let table = Timetable::parse(text).expect("a timetable");
    let zone = table.zone.unwrap_or(Tz::UTC);
    table
        .runs_after(instant(after), origin())
        .take(count)
        .map(|due| due.with_timezone(&zone).format("%m-%d %H:%M %z").to_string())
        .collect()
}

fn refused(text: &str) -> String {
    Timetable::parse(text).expect_err("wrong").to_string()
}

#[test]
fn fields_are_read_as_robfig_reads_them() {
    let at = "2024-05-01T10:00:00Z"; // a Wednesday
    let first = |text: &str| runs(text, at, 1).remove(0);
    for (text, due) in [
        ("* * * * *", "05-01 10:01 +0000"),
        ("? ? ? ? ?", "05-01 10:01 +0000"),
        ("*/15 * * * *", "05-01 10:15 +0000"),
        ("7/15 * * * *", "05-01 10:07 +0000"),
        ("5-7/2,50 * * * *", "05-01 10:05 +0000"),
        (",30,, 10 * * *", "05-01 10:30 +0000"),
        ("+5 010 * * *", "05-01 10:05 +0000"),
        ("*-9 10 * * *", "05-01 10:01 +0000"),
        ("0 0 * * sun", "05-05 00:00 +0000"),
        ("0 0 * * SAT,mon-Tue", "05-04 00:00 +0000"),
        ("0 0 1 feb ?", "02-01 00:00 +0000"),
        ("0 0 29 2 *", "02-29 00:00 +0000"),
        ("0 0 31 2 fri", "02-07 00:00 +0000"),
        ("\t0   0 1 * *  ", "06-01 00:00 +0000"),
        ("@yearly", "01-01 00:00 +0000"),
        ("@annually", "01-01 00:00 +0000"),
        ("@monthly", "06-01 00:00 +0000"),
        ("@weekly", "05-05 00:00 +0000"),
        ("@daily", "05-02 00:00 +0000"),
        ("@midnight", "05-02 00:00 +0000"),
        ("@hourly", "05-01 11:00 +0000"),
        ("@every 1h30m", "05-01 10:30 +0000"),
        ("TZ= 0 12 * * *", "05-01 12:00 +0000"),
        ("CRON_TZ=Asia/Kolkata  @daily", "05-02 00:00 +0530"),
        ("TZ=Asia/Kolkata 0 6 * * ?", "05-02 06:00 +0530"),
    ] {
        assert_eq!(first(text), due, "{text}");
    }
}

#[test]
fn either_day_counts_where_both_are_limited() {
    let at = "2024-05-01T10:00:00Z";
    assert_eq!(
        runs("0 0 13 * 5", at, 3),
        ["05-03 00:00 +0000", "05-10 00:00 +0000", "05-13 00:00 +0000"]
    );
    // A step makes a limit of a star; a step of one does not.
    assert_eq!(
        runs("0 0 */30 * 1", at, 2),
        ["05-06 00:00 +0000", "05-13 00:00 +0000"]
    );
    assert_eq!(
        runs("0 0 13 * */2", at, 2),
        ["05-02 00:00 +0000", "05-04 00:00 +0000"]
    );
    assert_eq!(
        runs("0 0 */1 * 1", at, 2),
        ["05-06 00:00 +0000", "05-13 00:00 +0000"]
    );
    assert_eq!(
        runs("0 0 13 * *", at, 2),
        ["05-13 00:00 +0000", "06-13 00:00 +0000"]
    );
}

#[test]
fn mistakes_are_named_in_the_original_words() {
    for (text, why) in [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        (
            "9-5 * * * *",
            "beginning of range (9) beyond end of range (5): 9-5",
        ),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("*/-5 * * * *", "negative number (-5) not allowed: -5"),
        (
            "x * * * *",
            "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (
            "mon * * * *",
            "failed to parse int from mon: strconv.Atoi: parsing \"mon\": invalid syntax",
        ),
        (", * * * *", "a field has no value: ,"),
        (
            "0 0 31 2,4 *",
            "no month of \"2,4\" has a day of \"31\": it would never run",
        ),
        ("@fortnightly", "unrecognized descriptor: @fortnightly"),
        ("@every", "unrecognized descriptor: @every"),
        (
            "@every soon",
            "failed to parse duration @every soon: time: invalid duration \"soon\"",
        ),
        (
            "@every -5s",
            "failed to parse duration @every -5s: time: negative duration \"-5s\"",
        ),
        (
            "TZ=Mars/Base * * * * *",
            "provided bad location Mars/Base: unknown time zone Mars/Base",
        ),
        ("TZ=Europe/Berlin", "nothing follows the time zone"),
    ] {
        assert_eq!(refused(text), why, "{text}");
    }
    assert_eq!(
        refused(&format!("{} * * * *", "1,".repeat(300))),
        "the schedule has 608 bytes, 500 are allowed"
    );
}

#[test]
fn a_time_the_clock_jumps_over_is_due_at_the_jump() {
    let at = "2024-03-30T12:00:00Z";
    let berlin = |line: &str, count| runs(&format!("CRON_TZ=Europe/Berlin {line}"), at, count);
    assert_eq!(
        berlin("30 2 * * *", 2),
        ["03-31 03:00 +0200", "04-01 02:30 +0200"]
    );
    assert_eq!(
        berlin("*/20 2-3 * * *", 4),
        [
            "03-31 03:00 +0200",
            "03-31 03:20 +0200",
            "03-31 03:40 +0200",
            "04-01 02:00 +0200"
        ],
        "what was jumped over and what is due then are one"
    );
    let lord_howe = runs(
        "CRON_TZ=Australia/Lord_Howe 15 2 * * *",
        "2024-10-05T00:00:00Z",
        2,
    );
    assert_eq!(lord_howe, ["10-06 02:30 +1100", "10-07 02:15 +1100"]);
    let samoa = runs("CRON_TZ=Pacific/Apia 0 12 * * *", "2011-12-29T09:00:00Z", 3);
    assert_eq!(
        samoa,
        ["12-29 12:00 -1000", "12-31 00:00 +1400", "12-31 12:00 +1400"]
    );
}

#[test]
fn a_time_the_clock_shows_twice_is_due_once() {
    let at = "2024-10-26T12:00:00Z";
    let berlin = |line: &str, count| runs(&format!("CRON_TZ=Europe/Berlin {line}"), at, count);
    assert_eq!(
        berlin("30 2 * * *", 2),
        ["10-27 02:30 +0200", "10-28 02:30 +0100"]
    );
    assert_eq!(
        berlin("0 2-3 * * *", 3),
        ["10-27 02:00 +0200", "10-27 03:00 +0100", "10-28 02:00 +0100"]
    );
    // Asked within the second pass.
    let table = "CRON_TZ=Europe/Berlin 30 2 * * *";
    assert_eq!(runs(table, "2024-10-27T01:10:00Z", 1), ["10-28 02:30 +0100"]);
}

#[test]
fn a_line_for_every_hour_goes_on_through_doubled_hours() {
    let half_hours = runs("CRON_TZ=Europe/Berlin 0/30 * * * *", "2024-10-26T23:45:00Z", 6);
    assert_eq!(
        half_hours,
        [
            "10-27 02:00 +0200",
            "10-27 02:30 +0200",
            "10-27 02:00 +0100",
            "10-27 02:30 +0100",
            "10-27 03:00 +0100",
            "10-27 03:30 +0100",
        ]
    );
    let spring = runs("CRON_TZ=Europe/Berlin 0/30 * * * *", "2024-03-31T00:15:00Z", 3);
    assert_eq!(
        spring,
        ["03-31 01:30 +0100", "03-31 03:00 +0200", "03-31 03:30 +0200"]
    );
}

#[test]
fn intervals_count_from_their_beginning() {
    let origin = Origin {
        since: instant("2024-05-01T10:00:00.7Z"),
        server: &Utc,
    };
    let table = |text: &str| Timetable::parse(text).expect("a timetable");
    let check = |text: &str, after: &str, due: &str| {
        assert_eq!(
            table(text).next_after(instant(after), origin),
            Some(instant(due)),
            "{text} after {after}"
        );
    };
    check("@every 90s", "2024-05-01T10:00:00Z", "2024-05-01T10:01:30Z");
    check("@every 90s", "2024-05-01T10:01:30Z", "2024-05-01T10:03:00Z");
    check("@every 90s", "2024-04-01T10:01:30Z", "2024-05-01T10:01:30Z");
    check("@every 1.9s", "2024-05-01T10:00:00Z", "2024-05-01T10:00:01Z");
    check("@every 0s", "2024-05-01T10:00:00.9Z", "2024-05-01T10:00:01Z");
    assert_eq!(
        table("@every 2562047h")
            .next_after(instant("2300-01-01T00:00:00Z"), origin)
            .map(|due| due.year()),
        Some(2316)
    );
    let last = |text: &str, after: &str, until: &str| {
        table(text).last_between(instant(after), instant(until), origin)
    };
    let (after, until) = ("2024-05-01T10:00:00Z", "2024-05-01T10:04:00Z");
    assert_eq!(
        last("@every 90s", after, until),
        Some(instant("2024-05-01T10:03:00Z"))
    );
    assert_eq!(last("@every 90s", "2024-05-01T10:03:00Z", until), None);
    assert_eq!(last("* * * * *", after, until), Some(instant(until)));
    assert_eq!(
        last("0 0 1 * *", "2023-05-01T10:00:00Z", until),
        Some(instant("2024-05-01T00:00:00Z"))
    );
    assert_eq!(
        last("0 0 29 2 *", "2001-05-01T10:00:00Z", "2003-01-01T00:00:00Z"),
        None
    );
    assert_eq!(
        last("0 0 29 2 *", "2001-05-01T10:00:00Z", "2007-01-01T00:00:00Z"),
        Some(instant("2004-02-29T00:00:00Z"))
    );
}

/// Values of the five fields. An empty field stands for a star.
type Fields = [BTreeSet<u32>; 5];

fn text(fields: &Fields) -> String {
    let field = |values: &BTreeSet<u32>| {
        let words: Vec<String> = values.iter().map(u32::to_string).collect();
        if words.is_empty() {
            "*".to_owned()
        } else {
            words.join(",")
        }
    };
    fields.iter().map(field).collect::<Vec<_>>().join(" ")
}

fn fits(fields: &Fields, shown: NaiveDateTime) -> bool {
    let [minutes, hours, days, months, weekdays] = fields;
    let one = |values: &BTreeSet<u32>, value: u32| values.is_empty() || values.contains(&value);
    let (day, weekday) = (shown.day(), shown.weekday().num_days_from_sunday());
    let date = if days.is_empty() || weekdays.is_empty() {
        one(days, day) && one(weekdays, weekday)
    } else {
        days.contains(&day) || weekdays.contains(&weekday)
    };
    one(minutes, shown.minute()) && one(hours, shown.hour()) && one(months, shown.month()) && date
}

/// Every due time of three weeks, minute by minute.
fn walk(fields: &Fields, zone: Tz, start: NaiveDate) -> BTreeSet<DateTime<Utc>> {
    let mut due = BTreeSet::new();
    let mut jumped = false;
    for minutes in 0..21 * 24 * 60 {
        let shown = start.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(minutes);
        let wanted = fits(fields, shown);
        match zone.from_local_datetime(&shown) {
            chrono::MappedLocalTime::None => jumped |= wanted,
            chrono::MappedLocalTime::Single(instant) => {
                if wanted || jumped {
                    due.insert(instant.to_utc());
                }
                jumped = false;
            }
            chrono::MappedLocalTime::Ambiguous(first, second) => {
                if wanted {
                    due.insert(first.to_utc());
                    if fields[1].is_empty() {
                        due.insert(second.to_utc());
                    }
                }
            }
        }
    }
    due
}

fn some(range: std::ops::Range<u32>, most: usize) -> impl Strategy<Value = BTreeSet<u32>> {
    prop_oneof![
        2 => Just(BTreeSet::new()),
        3 => proptest::collection::btree_set(range, 1..=most),
    ]
}

/// Year, month, day.
type Day = (i32, u32, u32);

/// Places and the days on which their clocks change.
const CHANGES: [(Tz, [Day; 2]); 4] = [
    (Tz::Europe__Berlin, [(2024, 3, 31), (2024, 10, 27)]),
    (Tz::America__New_York, [(2024, 3, 10), (2024, 11, 3)]),
    (Tz::Australia__Lord_Howe, [(2024, 10, 6), (2024, 4, 7)]),
    (Tz::Asia__Kolkata, [(2024, 5, 5), (2024, 12, 31)]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn due_times_are_those_of_a_walk_through_every_minute(
        place in 0usize..4, change in 0usize..2, seconds in 0i64..20 * 86_400,
        minutes in some(0..60, 4), hours in some(0..5, 3), days in some(1..32, 5), months in some(1..13, 9),
        weekdays in some(0..7, 3),
    ) {
        let fields = [minutes, hours, days, months, weekdays];
        let (zone, changes) = CHANGES[place];
        let (year, month, day) = changes[change];
        let start = NaiveDate::from_ymd_opt(year, month, day).expect("a date") - TimeDelta::days(10);
        let Ok(table) = Timetable::parse(&format!("CRON_TZ={zone} {}", text(&fields))) else {
            // Days that no chosen month has.
            return Ok(());
        };
        let due = walk(&fields, zone, start);
        let begin = zone.from_local_datetime(&start.and_time(chrono::NaiveTime::MIN)).earliest().expect("midnight");
        let after = begin.to_utc() + TimeDelta::seconds(seconds);
        let expected: Vec<_> = due.range(after + TimeDelta::seconds(1)..).take(100).copied().collect();
        let found: Vec<_> = table.runs_after(after, origin()).take(expected.len()).collect();
        prop_assert_eq!(found, expected);
        let until = after + TimeDelta::hours(30);
        let last = due.range(after + TimeDelta::seconds(1)..=until).next_back().copied();
        if until < begin.to_utc() + TimeDelta::days(20) {
            prop_assert_eq!(table.last_between(after, until, origin()), last);
        }
    }

    #[test]
    fn no_text_panics_and_every_due_time_is_later(
        line in "(CRON_TZ=|TZ=)?(Europe/Berlin |Asia/Kolkata | )?(@every |@)?[-0-9*/?,a-zµ ]{0,24}",
        seconds in any::<i64>(), since in -10_000_000_000i64..10_000_000_000,
    ) {
        let Ok(table) = Timetable::parse(&line) else { return Ok(()) };
        let origin = Origin {
            since: DateTime::from_timestamp(since, 0).expect("in range"),
            server: &Tz::America__New_York,
        };
        let near = DateTime::from_timestamp(seconds % 300_000_000_000, 0).expect("in range");
        for after in [near, DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
            if let Some(due) = table.next_after(after, origin) {
                prop_assert!(due > after);
            }
        }
    }

    #[test]
    fn lines_of_five_fields_are_always_due_some_day(
        minutes in some(0..60, 4), hours in some(0..24, 3), days in some(1..32, 5), months in some(1..13, 3),
        weekdays in some(0..7, 3), seconds in 0i64..6_000_000_000,
    ) {
        if let Ok(table) = Timetable::parse(&text(&[minutes, hours, days, months, weekdays])) {
            let after = DateTime::from_timestamp(seconds, 0).expect("in range");
            prop_assert!(table.next_after(after, origin()).is_some_and(|due| due > after));
        }
    }
}
