//! Conditions: what reads, what does not, what holds.

use cs_rbac::{
    Attributes, BadCondition, Condition, NO_ATTRIBUTES, Source,
    condition::{CONDITION_MAX_BYTES, CONDITION_MAX_DEPTH},
};
use cs_time::Timestamp;
use proptest::prelude::*;

fn holds(text: &str, attributes: &Attributes) -> bool {
    Condition::parse(text).unwrap().holds("Microsoft.X/y/read", attributes)
}

#[test]
fn every_condition_of_azures_roles_reads() {
    let dump: serde_json::Value = serde_json::from_str(include_str!("builtin-conditions.json")).unwrap();
    let conditions = dump["conditions"].as_array().unwrap();
    assert!(conditions.len() > 20);
    for one in conditions {
        let read = Condition::parse(one["condition"].as_str().unwrap());
        assert!(read.is_ok(), "{}: {:?}", one["role"], read.err());
    }
}

#[test]
fn what_is_no_condition_says_where() {
    for (text, at) in [
        ("", 0),
        ("true", 4),
        ("1 NumericEquals", 15),
        ("1 NumericEquals 1)", 17),
        ("(1 NumericEquals 1", 18),
        ("1 Frobnicates 1", 2),
        ("@Somewhere[x] BoolEquals true", 0),
        ("@Resource x BoolEquals true", 0),
        ("@Resource[] BoolEquals true", 0),
        ("'open StringEquals 'x", 20),
        ("ActionMatches 'x'", 14),
        ("ActionMatches{'a b'}", 13),
        ("Exists 'x'", 7),
        ("1 ForAnyOfAnyValues NumericEquals 1", 20),
        ("1 ForAnyOfAnyValues:ForAnyOfAnyValues 1", 20),
        ("1 NumericEquals 'x'", 16),
        ("'x' GuidEquals 00000000-0000-0000-0000-000000000000", 0),
        ("@Resource[a] StringEquals {'a','b'}", 26),
        ("@Resource[a] StringEquals {'a',}", 31),
        ("1 NumericEquals 99999999999999999999", 16),
        ("1 NumericEquals 1 & 1 NumericEquals 1", 18),
        ("é", 0),
    ] {
        let Err(BadCondition::Unexpected { at: found, .. }) = Condition::parse(text) else {
            panic!("{text}")
        };
        assert_eq!(found, at, "{text}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth: usize| format!("{}1 NumericEquals 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Condition::parse(&nested(CONDITION_MAX_DEPTH)).is_ok());
    assert_eq!(Condition::parse(&nested(CONDITION_MAX_DEPTH + 1)).unwrap_err(), BadCondition::TooDeep);
    assert_eq!(Condition::parse(&"!".repeat(CONDITION_MAX_BYTES)).unwrap_err(), BadCondition::TooDeep);
    let long = |length: usize| format!("1 NumericEquals 1{}", " ".repeat(length - 17));
    assert!(Condition::parse(&long(CONDITION_MAX_BYTES)).is_ok());
    assert_eq!(Condition::parse(&long(CONDITION_MAX_BYTES + 1)).unwrap_err(), BadCondition::TooLong);
}

#[test]
fn and_binds_tighter_than_or() {
    let (yes, no) = ("1 NumericEquals 1", "1 NumericEquals 2");
    assert!(holds(&format!("{yes} || {no} && {no}"), &NO_ATTRIBUTES));
    assert!(!holds(&format!("({yes} or {yes}) AND not {yes}"), &NO_ATTRIBUTES));
    assert!(holds(&format!("!{no} and!{no}"), &NO_ATTRIBUTES));
}

#[test]
fn absence_fails_every_comparison_and_only_exists_sees_it() {
    let empty = Attributes::new().with(Source::Resource, "x", Vec::<String>::new());
    for attributes in [&NO_ATTRIBUTES, &empty] {
        for operator in ["StringEquals", "StringNotEquals", "StringNotLike", "StringNotStartsWithIgnoreCase"]
        {
            assert!(!holds(&format!("@Resource[x] {operator} 'a'"), attributes), "{operator}");
        }
        assert!(!holds("@Resource[x] ForAllOfAnyValues:StringEquals {'a'}", attributes));
        assert!(!holds("{} ForAllOfAnyValues:StringEquals {'a'}", attributes));
    }
    assert!(holds("Exists @Resource[x]", &empty));
    assert!(holds("NotExists @Resource[x] AND NOT Exists @Request [x]", &NO_ATTRIBUTES));
    // An attribute of another source is another attribute.
    assert!(!holds("Exists @Request[x]", &empty));
}

#[test]
fn several_values_need_a_cross_product() {
    let two = Attributes::new().with(Source::Resource, "x", vec!["a", "b"]);
    assert!(!holds("@Resource[x] StringEquals 'a'", &two));
    assert!(holds("@Resource[x] ForAnyOfAnyValues:StringEquals 'a'", &two));
    assert!(holds("@Resource[x] ForAllOfAnyValues:StringEquals {'b','c','a'}", &two));
    assert!(!holds("@Resource[x] ForAllOfAllValues:StringNotEquals {'c','b'}", &two));
}

#[test]
fn time_and_suboperation_come_from_the_request() {
    let now = Attributes::new().at(Timestamp::from_seconds(1_767_225_600)).sub_operation("Blob.List");
    assert!(holds("@Environment[UtcNow] DateTimeGreaterThan '2025-12-31T23:59:59.9999999Z'", &now));
    assert!(!holds("@Environment[utcnow] DateTimeLessThan '2026-01-01T00:00:00.0Z'", &now));
    assert!(!holds("@Environment[UtcNow] DateTimeGreaterThan '2020-01-01T00:00:00Z'", &NO_ATTRIBUTES));
    assert!(holds("SubOperationMatches{'blob.list'}", &now));
    assert!(holds("@Request[subOperation] ForAnyOfAnyValues:StringEqualsIgnoreCase {'Blob.List'}", &now));
    assert!(!holds("SubOperationMatches{'Blob.List'}", &NO_ATTRIBUTES));
}

#[test]
fn quotes_and_escapes_of_strings() {
    let quote = Attributes::new().with(Source::Resource, "x", "it's");
    for literal in ["'it''s'", r"'it\'s'"] {
        assert!(holds(&format!("@Resource[x] StringEquals {literal}"), &quote), "{literal}");
    }
    assert!(holds("@Resource[x] StringLike 'it''?'", &quote));
}

/// A condition whose outcome is known, to hold the parser's tree against.
fn known() -> impl Strategy<Value = (String, bool)> {
    let leaf = any::<bool>().prop_map(|b| (format!("{b} BoolEquals true"), b));
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|(text, b)| (format!("!({text})"), !b)),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|all| joined(&all, "AND", |bs| bs.iter().all(|b| *b))),
            prop::collection::vec(inner, 1..4).prop_map(|all| joined(&all, "||", |bs| bs.iter().any(|b| *b))),
        ]
    })
}

fn joined(all: &[(String, bool)], word: &str, truth: fn(&[bool]) -> bool) -> (String, bool) {
    let texts: Vec<_> = all.iter().map(|(text, _)| format!("({text})")).collect();
    let truths: Vec<_> = all.iter().map(|(_, b)| *b).collect();
    (texts.join(&format!(" {word} ")), truth(&truths))
}

proptest! {
    #[test]
    fn any_text_reads_or_fails_without_panic(text in "\\PC{0,200}") {
        let _ = Condition::parse(&text).map(|c| c.holds("a/b", &NO_ATTRIBUTES));
    }

    #[test]
    fn any_tokens_read_or_fail_without_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "(", ")", "{", "}", ",", ":", "!", "&&", "OR", "not", "'a'", "'", "\\", "''", "1", "-1", "-", "true", "@Resource[x]",
            "@", "[", "]", "@Request [é]", "ActionMatches", "{'a/*'}", "Exists", "StringLike", "ForAnyOfAnyValues", "é",
            "00000000000000000000000000000000", "NumericEquals", " ",
        ]), 0..60)
    ) {
        let attributes = Attributes::new().with(Source::Resource, "x", "a");
        let _ = Condition::parse(&words.concat()).map(|c| c.holds("a/b", &attributes));
        let _ = Condition::parse(&words.join(" ")).map(|c| c.holds("a/b", &attributes));
    }

    #[test]
    fn nesting_beyond_the_bound_never_reads(extra in 1usize..3000, not in any::<bool>()) {
        let open = if not { "!" } else { "(" };
        let text = open.repeat(CONDITION_MAX_DEPTH + extra) + "1 NumericEquals 1";
        prop_assert_eq!(Condition::parse(&text).unwrap_err(), BadCondition::TooDeep);
    }

    #[test]
    fn conditions_hold_as_their_logic_says((text, expected) in known()) {
        prop_assert_eq!(holds(&text, &NO_ATTRIBUTES), expected, "{}", text);
    }
}
