//! Links are built, unwrapped and refused, whatever their texts.

use super::*;
use proptest::prelude::*;

const BASE: &str = "https://ad.admitad.com/g/abcdefghij0123456789abcdefghij/";

fn template() -> Template {
    Template::new(BASE, None, &[], &Hosts::default()).unwrap()
}

fn subids(values: [&str; 5]) -> Subids {
    Subids::new(values.map(|value| Some(value.to_owned()))).unwrap()
}

fn refused(base: &str) -> String {
    let refused = Template::new(base, None, &[], &Hosts::default());
    refused.expect_err(base).message().to_owned()
}

#[test]
fn a_link_has_its_target_fully_encoded() {
    let target = Target::read("https://www.aliexpress.com/item/1005.html?spm=a&x=ä#top").unwrap();
    let link = template().link(&target, &subids(["blog post", "", "", "", "a&b=c"]));
    assert_eq!(
        link,
        format!(
            "{BASE}?ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F1005.html%3Fspm%3Da%26x%3D%25C3%25A4\
             &subid=blog%20post&subid4=a%26b%3Dc"
        )
    );
    let read = Affiliate::read(&link, &Hosts::default(), "ulp").unwrap();
    assert_eq!(read.target, Some(target));
    assert_eq!(read.subids[0].as_deref(), Some("blog post"));
    assert_eq!(read.subids[4].as_deref(), Some("a&b=c"));
}

#[test]
fn further_parameters_stand_before_the_target() {
    let extra = [("erid".to_owned(), "LjN8K7".to_owned())];
    let made = Template::new(
        "https://alitems.com/goto/abcdefgh?i=4",
        Some("to"),
        &extra,
        &Hosts::default(),
    )
    .unwrap();
    assert_eq!(made.code(), "abcdefgh");
    let target = Target::read("//aliexpress.ru/item/1.html").unwrap();
    assert_eq!(
        made.link(&target, &Subids::default()),
        "https://alitems.com/goto/abcdefgh/?i=4&erid=LjN8K7&to=https%3A%2F%2Faliexpress.ru%2Fitem%2F1.html"
    );
}

#[test]
fn hostile_and_wrong_bases_are_refused_in_words() {
    for (base, part) in [
        ("", "is no web address"),
        ("ad.admitad.com/g/abcdefgh/", "is no web address"),
        ("http://ad.admitad.com/g/abcdefgh/", "https://"),
        ("javascript:alert(1)", "must begin with https://"),
        ("https://evil.example/g/abcdefgh/", "deeplink_hosts"),
        (
            "https://ad.admitad.com.evil.example/g/abcdefgh/",
            "deeplink_hosts",
        ),
        (
            "https://ad.admitad.com@evil.example/g/abcdefgh/",
            "user name",
        ),
        ("https://@ad.admitad.com/g/abcdefgh/", "user name"),
        ("https://ad.admitad.com:8443/g/abcdefgh/", "names a port"),
        ("https://ad.admitad.com/g/abcdefgh/#x", "behind #"),
        ("https://ad.admitad.com/g/", "/g/<code>/"),
        ("https://ad.admitad.com/g/../abcdefgh/", "/g/<code>/"),
        ("https://ad.admitad.com/g/abc%2Fdefgh/", "/g/<code>/"),
        ("https://ad.admitad.com/x/abcdefgh/", "/g/<code>/"),
        (
            "https://ad.admitad.com\\@evil.example/g/abcdefgh/",
            "backslash",
        ),
        (
            "https://ad.admitad.com/g/abcdefgh/?ulp=x",
            "leave it out of the template",
        ),
        (
            "https://ad.admitad.com/g/abcdefgh/?subid1=x",
            "leave it out of the template",
        ),
        ("https://ad.admitad.com/g/abcd\nefgh/", "control character"),
    ] {
        let message = refused(base);
        assert!(message.contains(part), "{base}: {message}");
    }
    assert!(refused(&format!("{BASE}{}", "x".repeat(600))).contains("500"));
}

#[test]
fn all_that_is_wrong_with_a_template_is_told_with_its_place() {
    let extra = [("i", "1"), ("a b", "\n"), ("i", "2")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let base = "http://ad.admitad.com/g/abcdefgh/";
    let problems = Template::checked(base, Some("subid"), &extra, &Hosts::default()).unwrap_err();
    let places: Vec<&str> = problems.iter().filter_map(|error| error.field()).collect();
    assert_eq!(
        places,
        [
            "base",
            "targetParameter",
            "parameters.1.name",
            "parameters.1.value",
            "parameters.2.name"
        ]
    );
}

#[test]
fn parameters_are_checked() {
    let hosts = Hosts::default();
    let wrong = |target: Option<&str>, extra: &[(&str, &str)]| {
        let extra: Vec<_> = extra
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let error = Template::new(BASE, target, &extra, &hosts).unwrap_err();
        (
            error.field().unwrap().to_owned(),
            error.message().to_owned(),
        )
    };
    assert_eq!(wrong(Some("subid1"), &[]).0, "targetParameter");
    assert_eq!(wrong(Some("a b"), &[]).0, "targetParameter");
    assert_eq!(wrong(None, &[("a=b", "")]).0, "parameters.0.name");
    assert!(wrong(None, &[("i", "1"), ("i", "2")]).1.contains("twice"));
    assert!(wrong(None, &[("i", "\0")]).1.contains("control"));
    assert!(wrong(Some("to"), &[("to", "x")]).1.contains("each link"));
    let many = [("x", ""); 17];
    assert!(wrong(None, &many).1.contains("16"));
}

#[test]
fn targets_are_public_pages() {
    for hostile in [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://aliexpress.com/x",
        "https://user:pass@aliexpress.com/",
        "https://aliexpress.com:81/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0x7f000001/",
        "https://localhost/",
        "https://printer.local/",
        "https://intranet/",
        "https:///x",
        "/item/1.html",
        "",
        "https://ali\nexpress.com/",
    ] {
        assert!(Target::read(hostile).is_err(), "{hostile}");
    }
    let read = |text: &str| Target::read(text).unwrap().as_str().to_owned();
    assert_eq!(
        read(" https://AliExpress.com/a b#c "),
        "https://aliexpress.com/a%20b"
    );
    assert_eq!(read("http://пример.рф/"), "http://xn--e1afmkfd.xn--p1ai/");
    assert!(Target::read(&format!("https://a.example/{}", "x".repeat(2_000))).is_err());
    let of = |id: &str| Target::of_product(id, false).map(|target| target.as_str().to_owned());
    assert_eq!(
        of("1005").as_deref(),
        Some("https://www.aliexpress.com/item/1005.html")
    );
    assert_eq!(of("10/05"), None);
    assert_eq!(of(""), None);
}

#[test]
fn what_is_wrapped_twice_is_unwrapped_twice() {
    let hosts = Hosts::default();
    let target = Target::read("https://www.aliexpress.com/item/1.html").unwrap();
    let inner = template().link(&target, &Subids::default());
    let outer = Target::read(&inner).unwrap();
    let outer = template().link(&outer, &Subids::default());
    let read = Affiliate::read(&outer, &hosts, "ulp").unwrap();
    assert_eq!(read.target.as_ref(), Some(&target));
    // Encoded twice by whoever made it.
    let twice = format!("{BASE}?ulp=https%253A%252F%252Fwww.aliexpress.com%252Fitem%252F1.html");
    assert_eq!(
        Affiliate::read(&twice, &hosts, "ulp").unwrap().target,
        Some(target)
    );
    for none in [BASE.to_owned(), format!("{BASE}?ulp=javascript%3Aalert(1)")] {
        assert_eq!(
            Affiliate::read(&none, &hosts, "ulp").unwrap().target,
            None,
            "{none}"
        );
    }
    assert_eq!(
        Affiliate::read("https://www.aliexpress.com/item/1.html", &hosts, "ulp"),
        None
    );
}

#[test]
fn a_link_inside_that_leads_no_further_is_the_target() {
    let hosts = Hosts::default();
    let read = |inner: &str| {
        let link = template().link(&Target::read(inner).unwrap(), &Subids::default());
        let read = Affiliate::read(&link, &hosts, "ulp").unwrap();
        read.target.map(|target| target.as_str().to_owned())
    };
    for inner in [
        "https://fas.st/AbCd",
        "https://fas.st/AbCd?ulp=",
        "https://fas.st/AbCd?ulp=javascript%3Aalert(1)",
    ] {
        assert_eq!(read(inner).as_deref(), Some(inner));
    }
    // A page's own parameter is none of a link.
    let page = "https://shop.example/a?ulp=https%3A%2F%2Fshop.example%2Fb";
    assert_eq!(read(page).as_deref(), Some(page));
    // Links around links end somewhere.
    let mut link = Target::read("https://aliexpress.com/item/1.html").unwrap();
    for _ in 0..4 {
        link = Target::read(&template().link(&link, &Subids::default())).unwrap();
    }
    let read = Affiliate::read(link.as_str(), &hosts, "ulp").unwrap();
    let target = read.target.unwrap();
    assert_eq!(target.as_str(), "https://aliexpress.com/item/1.html");
}

#[test]
fn subids_of_a_given_link_are_replaced() {
    let link = "http://alitems.com/g/abcdefgh?subid1=old&i=4&subid1=older";
    let read = Affiliate::read(link, &Hosts::default(), "ulp").unwrap();
    assert_eq!(read.subids[1].as_deref(), Some("old"));
    assert_eq!(
        read.with_subids(&subids(["", "new", "", "", ""]), "ulp", &[]),
        "https://alitems.com/g/abcdefgh/?i=4&subid1=new"
    );
}

#[test]
fn a_gotolink_is_a_template() {
    let hosts = Hosts::default();
    let made = Template::of_link(&format!("{BASE}?i=4&ulp=x&subid=y"), &hosts).unwrap();
    assert_eq!(made.extra(), [("i".to_owned(), "4".to_owned())]);
    assert!(Template::of_link("https://fas.st/AbCd", &hosts).is_err());
}

#[test]
fn subids_say_field_limit_and_remedy() {
    let wrong = |slot: usize, value: String| {
        let mut values: [Option<String>; 5] = Default::default();
        values[slot] = Some(value);
        let error = Subids::new(values).unwrap_err();
        (
            error.field().unwrap().to_owned(),
            error.message().to_owned(),
        )
    };
    for (slot, name) in Subids::NAMES.iter().enumerate() {
        let longest = LONGEST_SUBIDS[slot];
        let mut fits: [Option<String>; 5] = Default::default();
        fits[slot] = Some("ж".repeat(longest));
        assert!(Subids::new(fits).is_ok(), "{name}");
        let (field, message) = wrong(slot, "ж".repeat(longest + 1));
        assert_eq!(field, format!("subids.{name}"));
        assert!(
            message.contains(&longest.to_string()) && message.contains("shorten"),
            "{message}"
        );
    }
    assert!(wrong(1, "a\0b".to_owned()).1.contains("U+0000"));
    assert!(wrong(1, "日本".to_owned()).1.contains("Latin and Cyrillic"));
    assert!(Subids::new([Some("Größe №5 — ✓ šč".to_owned()), None, None, None, None]).is_ok());
}

#[test]
fn hosts_are_bare_names() {
    for wrong in [
        "https://a.example",
        "a.example:80",
        "a.example/x",
        "localhost",
        "",
        "*.example",
    ] {
        assert!(Hosts::new([wrong.to_owned()]).is_err(), "{wrong}");
    }
    let hosts = Hosts::new([" Go.Example ".to_owned(), "go.example".to_owned()]).unwrap();
    assert_eq!(hosts.names(), ["go.example"]);
    assert!(Template::new("https://go.example/g/abcdefgh/", None, &[], &hosts).is_ok());
}

/// SubIDs that the network takes: any signs, Latin and Cyrillic letters.
fn taken() -> impl Strategy<Value = [Option<String>; 5]> {
    let value = |longest: usize| {
        proptest::option::of(proptest::collection::vec(any::<char>(), 0..=longest)).prop_map(
            |letters| {
                let good = |letter: &char| {
                    Subids::new([Some(letter.to_string()), None, None, None, None]).is_ok()
                };
                letters.map(|letters| letters.into_iter().filter(good).collect::<String>())
            },
        )
    };
    (value(50), value(50), value(50), value(50), value(120))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e])
}

proptest! {
    #[test]
    fn what_is_built_comes_back(path in ".{0,60}", query in ".{0,60}", values in taken()) {
        let text = format!("https://www.aliexpress.com/{path}?{query}");
        let (Ok(target), Ok(subids)) = (Target::read(&text), Subids::new(values)) else { return Ok(()) };
        let link = template().link(&target, &subids);
        prop_assert!(link.is_ascii());
        let read = Affiliate::read(&link, &Hosts::default(), "ulp").unwrap();
        prop_assert_eq!(read.target.as_ref(), Some(&target));
        prop_assert_eq!(&read.subids, subids.values());
        prop_assert_eq!(read.with_subids(&subids, "ulp", &[]), link);
    }

    #[test]
    fn any_text_comes_back_from_its_encoding(value in any::<String>()) {
        let mut link = format!("{BASE}?x=");
        encode_into(&mut link, &value);
        let url = Url::parse(&link).unwrap();
        prop_assert_eq!(url.query_pairs().next().unwrap().1, value);
    }

    #[test]
    fn no_text_panics(text in any::<String>(), name in any::<String>()) {
        let hosts = Hosts::default();
        let _ = Affiliate::read(&text, &hosts, &name);
        let _ = Affiliate::read(&format!("{BASE}?{text}"), &hosts, "ulp");
        let _ = Template::new(&text, Some(&name), &[(text.clone(), name.clone())], &hosts);
        let _ = Template::of_link(&format!("{BASE}?{text}"), &hosts);
        let _ = Target::read(&text);
        let _ = Hosts::new([text.clone()]);
        let _ = Subids::new([Some(text.clone()), None, None, None, Some(name.clone())]);
        let _ = text::decoded(&format!("https%{text}"));
    }

    /// Whatever stands before the path, a link never leaves the hosts.
    #[test]
    fn a_template_stays_on_its_hosts(before in "[a-z0-9@:./%#?\\\\-]{0,30}") {
        let made = Template::new(&format!("https://{before}/g/abcdefgh/"), None, &[], &Hosts::default());
        if let Ok(made) = made {
            let link = made.link(&Target::of_product("1", false).unwrap(), &Subids::default());
            let host = Url::parse(&link).unwrap().host_str().unwrap().to_owned();
            prop_assert!(SHIPPED_HOSTS.contains(&host.as_str()));
        }
    }
}
