//! The shipped facts, and that a catalogue that contradicts itself is refused.

use std::collections::BTreeSet;

use super::*;

const ELEVEN: [&str; 11] = [
    "RU", "AM", "AZ", "BY", "GE", "KZ", "KG", "MD", "TJ", "TM", "UZ",
];
const TREE: &str = "id,parent,name,confidence\nunknown,,Unknown,fixed\n1,,One,documented\n2,1,Two,documented\n3,2,Three,legacy\n";
const NO_ALIASES: &str = "id,node,old name,why\n";

fn shipped() -> Catalog {
    Catalog::parse(
        include_str!("../../../data/programs.toml"),
        include_str!("../../../data/categories.csv"),
        include_str!("../../../data/category_aliases.csv"),
    )
    .unwrap()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

#[test]
fn the_shipped_files_are_read() {
    assert_eq!(shipped().programs(), Catalog::shipped().programs());
    assert_eq!(shipped().categories(), Catalog::shipped().categories());
    assert_eq!(Catalog::shipped().programs().len(), 5);
    assert!(Catalog::shipped().categories().len() > 150);
}

#[test]
fn programs_are_found_by_id_and_by_name() {
    let catalog = Catalog::shipped();
    for (key, id, name, currency) in [
        ("aliexpress-ww", Some("6115"), "aliexpress ww", "USD"),
        (
            "aliexpress-ru-cis-new",
            Some("25179"),
            "ALIEXPRESS RU & CIS NEW",
            "RUB",
        ),
        (
            "aliexpress-ru-cis",
            Some("22586"),
            " AliExpress RU&CIS",
            "RUB",
        ),
        ("aliexpress-tr", Some("14289"), "AliExpress\u{a0}TR", "USD"),
        ("aliexpress-in", None, "AliExpress India", "USD"),
    ] {
        let program = catalog.program(key).unwrap();
        assert_eq!(program.external_id.as_deref(), id, "{key}");
        assert_eq!(program.currency.as_str(), currency, "{key}");
        assert_eq!(
            catalog
                .program_by_name(name)
                .map(|found| found.key.as_str()),
            Some(key),
            "{name}"
        );
        assert_eq!(catalog.program_by_name(&program.name), Some(program));
        if let Some(id) = id {
            assert_eq!(catalog.program_by_external_id(id), Some(program));
        }
    }
    assert_eq!(catalog.program_by_name("AliExpress"), None);
    assert_eq!(catalog.program_by_name(""), None);
    assert_eq!(catalog.program_by_external_id("1"), None);
    assert_eq!(catalog.program("nothing"), None);
}

#[test]
fn who_is_paid_in_every_country() {
    use Eligibility::{Full, NotPaid, Reduced, Unknown};
    let catalog = Catalog::shipped();
    let outside = ["US", "PL", "UA", "CN", "BR", "IN", "TR", "XK", "ZA"];
    for on in ["1970-01-01", "2022-05-30", "2026-11-22", "9999-12-31"].map(day) {
        let of = |key: &str, country: &str| catalog.eligibility(key, Some(country), on);
        for country in ELEVEN {
            assert_eq!(of("aliexpress-ru-cis-new", country), Full, "{country}");
            assert_eq!(of("aliexpress-ww", country), NotPaid, "{country}");
            assert_eq!(of("aliexpress-tr", country), Unknown, "{country}");
            assert_eq!(of("aliexpress-in", country), Unknown, "{country}");
            assert_eq!(of("aliexpress-ru-cis", country), Unknown, "{country}");
        }
        for country in outside {
            assert_eq!(of("aliexpress-ru-cis-new", country), Reduced, "{country}");
            assert_eq!(of("aliexpress-ww", country), Full, "{country}");
            let own = |home: &str| if country == home { Full } else { Unknown };
            assert_eq!(of("aliexpress-tr", country), own("TR"), "{country}");
            assert_eq!(of("aliexpress-in", country), own("IN"), "{country}");
        }
        for program in catalog.programs() {
            assert_eq!(catalog.eligibility(&program.key, None, on), Unknown);
            for nowhere in ["", "EU", "ZZ", "RUS", "P", "A1"] {
                assert_eq!(of(&program.key, nowhere), Unknown, "{nowhere:?}");
            }
        }
        assert_eq!(of("something-else", "US"), Unknown);
        assert_eq!(
            of("aliexpress-ww", " pl"),
            Full,
            "case and blanks do not matter"
        );
    }
}

#[test]
fn the_bonus_for_new_buyers_ended_on_31_may_2022() {
    let catalog = Catalog::shipped();
    let bonus = |key: &str, on: &str| {
        let terms = catalog.terms_on(key, day(on)).into_iter();
        let mut values = terms
            .filter(|term| term.code == "newBuyerBonus")
            .map(|term| term.value.to_string());
        let value = values.next();
        assert_eq!(values.next(), None, "{key} on {on}");
        value
    };
    for (on, ww, others) in [
        ("2020-01-01", Some("true"), None),
        ("2022-05-30", Some("true"), None),
        ("2022-05-31", Some("false"), Some("false")),
        ("2026-11-22", Some("false"), Some("false")),
    ] {
        assert_eq!(bonus("aliexpress-ww", on).as_deref(), ww, "{on}");
        for key in ["aliexpress-ru-cis-new", "aliexpress-tr", "aliexpress-in"] {
            assert_eq!(bonus(key, on).as_deref(), others, "{key} on {on}");
        }
        assert_eq!(bonus("aliexpress-ru-cis", on), None);
    }
}

#[test]
fn what_holds_today() {
    let catalog = Catalog::shipped();
    let on = day("2026-11-22");
    for (key, currency) in [
        ("aliexpress-ww", "USD"),
        ("aliexpress-ru-cis-new", "RUB"),
        ("aliexpress-tr", "USD"),
        ("aliexpress-in", "USD"),
    ] {
        let terms = catalog.terms_on(key, on);
        let said: Vec<_> = terms
            .iter()
            .map(|term| (term.code.as_str(), term.value.to_string()))
            .collect();
        let wanted = [
            ("currency", currency),
            ("lostOrders", "false"),
            ("newBuyerBonus", "false"),
            ("licences", "false"),
            ("guaranteeLetters", "false"),
            ("cartInformation", "true"),
            ("mobileCounted", "true"),
            ("statsRefreshMinutes", "5"),
        ];
        assert_eq!(
            said,
            wanted.map(|(code, value)| (code, value.to_owned())),
            "{key}"
        );
        assert!(terms.iter().all(|term| !term.source.is_empty()));
    }
    assert!(catalog.terms_on("something-else", on).is_empty());
}

#[test]
fn the_currency_term_is_the_program_s_currency() {
    for program in Catalog::shipped().programs() {
        let currencies = program.terms.iter().filter(|term| term.code == "currency");
        let values: Vec<_> = currencies.map(|term| term.value.to_string()).collect();
        assert_eq!(values, [program.currency.as_str()], "{}", program.key);
        assert!(currency_name(program.currency.as_str()).is_some());
    }
}

#[test]
fn the_tree_has_no_orphans_and_ids_once() {
    let catalog = Catalog::shipped();
    let mut seen = BTreeSet::new();
    for category in catalog.categories() {
        let id = category.external_id.as_str();
        match &category.parent {
            None => {
                assert_eq!(
                    (
                        category.level,
                        category.level1.as_str(),
                        category.level2.as_str()
                    ),
                    (1, id, id)
                );
            }
            Some(parent) => {
                assert!(seen.contains(parent.as_str()), "{id} comes before {parent}");
                let above = catalog.category(parent).unwrap();
                assert_eq!(category.level, above.level + 1, "{id}");
                assert_eq!(category.level1, above.level1, "{id}");
            }
        }
        assert!(seen.insert(id), "{id} twice");
        assert_eq!(catalog.canonical(id), id, "a node is its own");
        assert_eq!(catalog.category(id), Some(category));
    }
    let unknown = &catalog.categories()[0];
    assert_eq!(
        (unknown.external_id.as_str(), unknown.name.as_str()),
        (UNKNOWN_CATEGORY, "Unknown")
    );
    assert_eq!((unknown.level, &unknown.parent), (1, &None));
}

#[test]
fn categories_that_people_ask_for() {
    let catalog = Catalog::shipped();
    for (id, name, parent, level1) in [
        ("44", "Consumer Electronics", None, "44"),
        ("100000306", "Portable Audio & Video", Some("44"), "44"),
        ("34", "Automobiles, Parts & Accessories", None, "34"),
        ("5", "Electrical Equipment & Supplies", Some("13"), "13"),
        (
            "202192403",
            "Phones & Telecommunications Accessories",
            None,
            "202192403",
        ),
        (
            "200003561",
            "Electronic Cigarettes",
            Some("unknown"),
            "unknown",
        ),
    ] {
        let category = catalog.category(id).unwrap();
        assert_eq!(category.name, name);
        assert_eq!(category.parent.as_deref(), parent, "{name}");
        assert_eq!(category.level1, level1, "{name}");
    }
    assert_eq!(catalog.category("987654321"), None);
    assert_eq!(catalog.canonical("987654321"), "987654321");
}

#[test]
fn older_ids_lead_to_the_present_tree() {
    let catalog = Catalog::shipped();
    assert_eq!(
        catalog.category_aliases(),
        [("152401", "202236005"), ("200001996", "202216001")]
    );
    for (old, node) in catalog.category_aliases() {
        assert_eq!(catalog.canonical(old), node);
        assert_eq!(
            catalog
                .category(old)
                .map(|found| found.external_id.as_str()),
            Some(node)
        );
    }
    // Both are in the present tree, with different children.
    assert_eq!(catalog.canonical("202192403"), "202192403");
}

#[test]
fn a_name_leads_to_the_category_that_alone_has_it() {
    let shipped = Catalog::shipped();
    let id = |catalog: &Catalog, name: &str| {
        let found = catalog.category_by_name(name);
        found.map(|category| category.external_id.clone())
    };
    assert_eq!(id(shipped, "Home Appliances").as_deref(), Some("6"));
    assert_eq!(id(shipped, " apparel &accessories").as_deref(), Some("3"));
    assert_eq!(id(shipped, "Trial shelf"), None);
    let twice = "id,parent,name,confidence\nunknown,,Unknown,fixed\n1,,Toys,documented\n2,,Food,documented\n\
                 3,2,toys,documented\n";
    let twice = Catalog::parse("", twice, NO_ALIASES).unwrap();
    assert_eq!(id(&twice, "Toys"), None);
    assert_eq!(id(&twice, "Food").as_deref(), Some("2"));
}

#[test]
fn a_deep_tree_knows_its_levels() {
    let catalog = Catalog::parse("", TREE, NO_ALIASES).unwrap();
    let three = catalog.category("3").unwrap();
    assert_eq!(
        (three.level, three.level1.as_str(), three.level2.as_str()),
        (3, "1", "2")
    );
}

#[test]
fn rules_change_on_their_day() {
    let programs = r#"
        [[program]]
        key = "p"
        name = "P"
        currency = "USD"
        [[rule]]
        programs = ["p"]
        countries = ["PL"]
        eligibility = "REDUCED"
        valid_to = "2024-01-31"
        source = "s"
        [[rule]]
        programs = ["p"]
        countries = ["PL", "DE"]
        eligibility = "FULL"
        valid_from = "2024-02-01"
        source = "s"
        [[rule]]
        programs = ["p"]
        all_others = true
        eligibility = "NOT_PAID"
        valid_from = "2024-01-15"
        valid_to = "2024-02-15"
        source = "s"
    "#;
    let catalog = Catalog::parse(programs, TREE, NO_ALIASES).unwrap();
    for (on, poland, germany) in [
        ("2024-01-14", "REDUCED", "UNKNOWN"),
        ("2024-01-15", "REDUCED", "NOT_PAID"),
        ("2024-01-31", "REDUCED", "NOT_PAID"),
        ("2024-02-01", "FULL", "FULL"),
        ("2024-02-16", "FULL", "FULL"),
    ] {
        assert_eq!(
            catalog.eligibility("p", Some("PL"), day(on)).as_str(),
            poland,
            "{on}"
        );
        assert_eq!(
            catalog.eligibility("p", Some("DE"), day(on)).as_str(),
            germany,
            "{on}"
        );
    }
    assert_eq!(
        catalog.eligibility("p", Some("US"), day("2024-02-15")),
        Eligibility::NotPaid
    );
    assert_eq!(
        catalog.eligibility("p", Some("US"), day("2024-02-16")),
        Eligibility::Unknown
    );
}

#[test]
fn contradictions_are_refused() {
    const P: &str = "[[program]]\nkey = \"p\"\nname = \"P\"\ncurrency = \"USD\"\n";
    let term = |rest: &str| {
        format!(
            "{P}[[term]]\nprograms = [\"p\"]\ncode = \"c\"\nvalue = 1\nsource = \"s\"\n{rest}\n"
        )
    };
    let rule = |rest: &str| {
        format!("{P}[[rule]]\nprograms = [\"p\"]\neligibility = \"FULL\"\nsource = \"s\"\n{rest}\n")
    };
    let twice = |one: String, rest: &str| {
        format!(
            "{one}{}",
            one.replace(P, "")
                .replace("valid_to = \"2024-01-02\"", rest)
        )
    };
    let read = |text: &str| Catalog::parse(text, TREE, NO_ALIASES);

    let until = term("valid_to = \"2024-01-02\"");
    assert!(read(&twice(until.clone(), "valid_from = \"2024-01-03\"")).is_ok());
    for (why, text) in [
        ("not TOML", "[[program".to_owned()),
        ("an unknown word", format!("{P}colour = 1")),
        ("a key twice", format!("{P}{P}")),
        (
            "a name twice",
            format!("{P}{}", P.replace("\"p\"", "\"q\"")),
        ),
        ("no currency", P.replace("USD", "US")),
        (
            "terms that overlap",
            twice(until, "valid_from = \"2024-01-02\""),
        ),
        (
            "a term that ends before it begins",
            term("valid_from = \"2024-01-03\"\nvalid_to = \"2024-01-02\""),
        ),
        ("no such day", term("valid_from = \"2024-02-30\"")),
        (
            "a term of no program",
            term("").replace("[\"p\"]", "[\"q\"]"),
        ),
        ("no such country", rule("countries = [\"UK\"]")),
        ("no countries", rule("")),
        (
            "countries and all others",
            rule("countries = [\"PL\"]\nall_others = true"),
        ),
        (
            "two rules for a country",
            twice(rule("countries = [\"PL\"]"), ""),
        ),
        (
            "two rules for all others",
            twice(rule("all_others = true"), ""),
        ),
        (
            "no such eligibility",
            rule("all_others = true").replace("FULL", "HALF"),
        ),
    ] {
        assert!(read(&text).is_err(), "{why}: {text}");
    }
}

#[test]
fn a_broken_tree_is_refused() {
    for (why, tree) in [
        ("a child first", TREE.replace("1,,One", "1,2,One")),
        ("an id twice", TREE.replace("3,2,Three", "1,2,Three")),
        ("no unknown node", TREE.replace("unknown,,", "other,,")),
        ("no such confidence", TREE.replace("legacy", "hearsay")),
        ("no name", TREE.replace("Three", "")),
    ] {
        assert!(Catalog::parse("", &tree, NO_ALIASES).is_err(), "{why}");
    }
    for (why, alias) in [
        ("to no node", "9,8,Nine,because\n"),
        ("from a node", "1,2,One,because\n"),
        ("without a reason", "9,1,Nine,\n"),
        ("twice", "9,1,Nine,because\n9,2,Nine,because\n"),
    ] {
        assert!(
            Catalog::parse("", TREE, &format!("{NO_ALIASES}{alias}")).is_err(),
            "{why}"
        );
    }
}

#[test]
fn eligibility_words_are_those_of_the_api() {
    let words = Eligibility::ALL.map(Eligibility::as_str);
    assert_eq!(words, ["FULL", "REDUCED", "NOT_PAID", "UNKNOWN"]);
}
