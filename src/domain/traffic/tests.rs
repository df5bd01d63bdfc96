//! The program, the link and the expectation that fit a product.

use super::*;

const RU: Uuid = Uuid::from_u128(25_179);
const WW: Uuid = Uuid::from_u128(6_115);
const TR: Uuid = Uuid::from_u128(14_289);
const OWN: Uuid = Uuid::from_u128(7);
const BLOG: Uuid = Uuid::from_u128(1);
const SHOP: Uuid = Uuid::from_u128(2);

fn program(id: Uuid, key: &str, name: &str) -> Program {
    Program {
        id,
        external_id: None,
        catalog_key: (!key.is_empty()).then(|| key.to_owned()),
        name: name.to_owned(),
        currency: None,
        hold_days: None,
        max_hold_days: None,
        cookie_days: None,
        payment_days: None,
        countries: Vec::new(),
        all_countries: None,
    }
}

fn space(id: Uuid, name: &str) -> AdSpace {
    AdSpace {
        id,
        external_id: None,
        name: name.to_owned(),
        user_space: "default".to_owned(),
        user_subid_slot: 1,
    }
}

fn code(ad_space: Uuid, program: Uuid) -> String {
    format!("code{}x{}", ad_space.as_u128(), program.as_u128())
}

fn deeplink((ad_space_id, program_id): (Uuid, Uuid), source: DeeplinkSource) -> Deeplink {
    let base = format!(
        "https://ad.admitad.com/g/{}{}/",
        code(ad_space_id, program_id),
        source.as_str().len()
    );
    Deeplink {
        ad_space_id,
        program_id,
        source,
        template: Template::new(&base, None, &[], &Hosts::default()).unwrap(),
        changed_at: None,
    }
}

fn templates(pairs: &[(Uuid, Uuid)]) -> Templates {
    Templates {
        hosts: Hosts::default(),
        all: pairs
            .iter()
            .map(|pair| deeplink(*pair, DeeplinkSource::ByHand))
            .collect(),
        programs: vec![
            program(RU, RU_AND_CIS, "AliExpress RU&CIS NEW"),
            program(WW, "aliexpress-ww", "AliExpress WW"),
            program(TR, "aliexpress-tr", "AliExpress TR"),
            program(OWN, "", "Another shop"),
        ],
        ad_spaces: vec![space(BLOG, "Blog"), space(SHOP, "Shop")],
        unmatched: Vec::new(),
    }
}

#[test]
fn words_name_an_ad_space_by_its_id_before_its_name() {
    let mut all = vec![space(BLOG, "502"), space(SHOP, "My Shop")];
    all[0].external_id = Some("501".to_owned());
    all[1].external_id = Some("502".to_owned());
    let found = |words| named_ad_space(&all, words).map(|space| space.id);
    assert_eq!(found("501"), Some(BLOG));
    assert_eq!(found("502"), Some(SHOP));
    assert_eq!(found("my SHOP"), Some(SHOP));
    assert_eq!(found("503"), None);
}

#[test]
fn words_name_a_program_by_its_ids_as_the_catalogue_knows_it_and_by_its_name() {
    let mut all = templates(&[]).programs;
    all[3].external_id = Some("77".to_owned());
    let found = |words| named_program(&all, words).map(|program| program.id);
    let ww = Catalog::shipped().program("aliexpress-ww").unwrap();
    let mut known = vec!["aliexpress-ww", "aliexpress ww", ww.name.as_str()];
    known.extend(ww.external_id.as_deref());
    for words in known {
        assert_eq!(found(words), Some(WW), "{words}");
    }
    assert_eq!(found("77"), Some(OWN));
    assert_eq!(found("ANOTHER shop"), Some(OWN));
    assert_eq!(found("a third"), None);
    // A program of the catalogue that the publisher does not have is no other one.
    let others: Vec<Program> = all.into_iter().skip(2).collect();
    assert_eq!(named_program(&others, "aliexpress-ww"), None);
    assert_eq!(named_program(&others, "6115"), None);
}

fn product() -> Product {
    Product {
        id: Uuid::from_u128(9),
        external_id: Some("1005".to_owned()),
        name: None,
        url: None,
        image_url: None,
        category_id: None,
        country: None,
        is_hot: false,
        is_priority: false,
        first_seen: Instant::MIN,
    }
}

fn question<'a>(country: Option<&'a str>, subids: &'a Subids) -> LinkQuestion<'a> {
    LinkQuestion {
        ad_space: Some(BLOG),
        program: None,
        country,
        subids,
        on: Day::parse("2026-06-01").unwrap(),
    }
}

fn asked(templates: &Templates, country: Option<&str>) -> Link {
    templates.link(&product(), &[], &question(country, &Subids::default()))
}

fn warned(link: &Link) -> Vec<&'static str> {
    link.warnings
        .iter()
        .map(|(warning, _)| warning.as_str())
        .collect()
}

#[test]
fn the_country_chooses_the_program() {
    let all = templates(&[(BLOG, RU), (BLOG, WW), (BLOG, TR), (BLOG, OWN)]);
    for (country, program) in [
        ("RU", RU),
        ("AM", RU),
        ("KZ", RU),
        ("UZ", RU),
        ("TR", TR),
        ("DE", WW),
        ("IN", WW),
        ("UA", WW),
        ("CN", WW),
    ] {
        let link = asked(&all, Some(country));
        assert_eq!(link.program_id, Some(program), "{country}");
        assert_eq!(link.reason, LinkReason::CountryPaid);
        assert_eq!(warned(&link), [""; 0], "{country}");
    }
    let link = asked(&all, None);
    assert_eq!(
        (link.program_id, link.reason),
        (Some(WW), LinkReason::CountryUnknown)
    );
    assert_eq!(warned(&link), ["COUNTRY_NOT_GIVEN"]);
}

#[test]
fn a_program_that_does_not_pay_is_never_chosen_unasked() {
    let ww = templates(&[(BLOG, WW)]);
    let link = asked(&ww, Some("RU"));
    assert_eq!(
        (link.url.as_deref(), link.reason),
        (None, LinkReason::NoProgramPays)
    );
    assert!(
        link.explanation.contains("AliExpress WW"),
        "{}",
        link.explanation
    );
    let subids = Subids::default();
    let named = LinkQuestion {
        program: Some(WW),
        ..question(Some("RU"), &subids)
    };
    let link = ww.link(&product(), &[], &named);
    assert_eq!(link.reason, LinkReason::ProgramGiven);
    assert!(link.url.is_some());
    assert_eq!(warned(&link), ["NOT_PAID"]);
    let ru = templates(&[(BLOG, RU), (BLOG, TR)]);
    assert_eq!(warned(&asked(&ru, Some("DE"))), ["REDUCED_RATE"]);
    let tr = templates(&[(BLOG, TR)]);
    assert_eq!(warned(&asked(&tr, Some("DE"))), ["ELIGIBILITY_UNKNOWN"]);
}

#[test]
fn without_a_template_it_says_what_to_do() {
    let none = asked(&templates(&[(SHOP, WW)]), Some("DE"));
    assert_eq!(none.reason, LinkReason::NoTemplate);
    assert!(
        none.explanation
            .starts_with("Blog has no deeplink template"),
        "{}",
        none.explanation
    );
    assert!(none.explanation.contains("setDeeplink"));
    let subids = Subids::default();
    let any = LinkQuestion {
        ad_space: None,
        ..question(Some("DE"), &subids)
    };
    let one = templates(&[(SHOP, WW)]).link(&product(), &[], &any);
    assert_eq!(one.ad_space_id, Some(SHOP), "the only one there is");
    let two = templates(&[(SHOP, WW), (BLOG, WW), (BLOG, RU)]).link(&product(), &[], &any);
    assert_eq!(two.reason, LinkReason::AdSpaceNeeded);
    assert!(
        two.explanation.contains("Blog") && two.explanation.contains("Shop"),
        "{}",
        two.explanation
    );
    let empty = templates(&[]).link(&product(), &[], &any);
    assert_eq!(empty.reason, LinkReason::NoTemplate);
    let unknown = LinkQuestion {
        ad_space: Some(Uuid::nil()),
        ..question(None, &subids)
    };
    assert_eq!(two.url, None);
    assert_eq!(
        templates(&[]).link(&product(), &[], &unknown).reason,
        LinkReason::Unknown
    );
}

#[test]
fn what_the_configuration_names_in_vain_is_told() {
    let all = templates(&[]);
    let of = |ad_space: &str, program: &str| ConfiguredDeeplink {
        publisher: "one".to_owned(),
        ad_space: ad_space.to_owned(),
        program: program.to_owned(),
        template: deeplink((BLOG, WW), DeeplinkSource::Configuration).template,
    };
    let place = |ad_space: &str, program: &str| {
        let place = of(ad_space, program).place(&all.ad_spaces, &all.programs);
        place.map_err(|unmatched| unmatched.to_string())
    };
    assert_eq!(place("blog", "aliexpress-ww"), Ok((BLOG, WW)));
    let told = |words: &str| Err(words.to_owned());
    assert_eq!(place("Blogg", "aliexpress-ww"), told("ad space \"Blogg\""));
    assert_eq!(place("Blog", "Ali"), told("program \"Ali\""));
    let both = "ad space \"Blogg\" and program \"Ali\"";
    assert_eq!(place("Blogg", "Ali"), told(both));

    let unmatched = |count: usize| Templates {
        unmatched: (0..count)
            .filter_map(|number| {
                let one = of(&format!("Blog {number}"), "aliexpress-ww");
                one.place(&all.ad_spaces, &all.programs).err()
            })
            .collect(),
        ..all.clone()
    };
    let ends = |count: usize, end: &str| {
        let told = asked(&unmatched(count), Some("DE")).explanation;
        assert!(told.ends_with(end), "{told}");
    };
    ends(0, "[[deeplinks]] in the configuration file");
    ends(
        1,
        "; the configuration has one for ad space \"Blog 0\", which you do not have",
    );
    ends(
        4,
        "for ad space \"Blog 0\", one for ad space \"Blog 1\", one for ad space \"Blog 2\" and 1 more, which you do not have",
    );
}

#[test]
fn the_first_source_is_used() {
    let mut all = templates(&[]);
    for source in [
        DeeplinkSource::Upstream,
        DeeplinkSource::Configuration,
        DeeplinkSource::ByHand,
    ] {
        all.all.push(deeplink((BLOG, WW), source));
        let used: Vec<_> = all.used().map(|one| one.source).collect();
        assert_eq!(used, [source]);
    }
}

#[test]
fn the_page_is_the_products_link_or_its_number() {
    let all = templates(&[(BLOG, WW), (BLOG, RU)]);
    let target = |product: &Product, country: &str| {
        all.link(product, &[], &question(Some(country), &Subids::default()))
            .target
    };
    assert_eq!(
        target(&product(), "DE").as_deref(),
        Some("https://www.aliexpress.com/item/1005.html")
    );
    assert_eq!(
        target(&product(), "RU").as_deref(),
        Some("https://aliexpress.ru/item/1005.html")
    );
    let linked = |url: &str| Product {
        url: Some(url.to_owned()),
        ..product()
    };
    assert_eq!(
        target(&linked("https://de.aliexpress.com/item/7.html"), "DE").as_deref(),
        Some("https://de.aliexpress.com/item/7.html")
    );
    // What is an affiliate link already is unwrapped.
    let wrapped = "https://alitems.com/g/someoneelse/?subid=x&ulp=https%3A%2F%2Faliexpress.com%2Fitem%2F8.html";
    assert_eq!(
        target(&linked(wrapped), "DE").as_deref(),
        Some("https://aliexpress.com/item/8.html")
    );
    // What is no page is not led to.
    assert_eq!(
        target(&linked("javascript:alert(1)"), "DE").as_deref(),
        Some("https://www.aliexpress.com/item/1005.html")
    );
    let nowhere = Product {
        external_id: None,
        ..linked("javascript:alert(1)")
    };
    let link = all.link(&nowhere, &[], &question(Some("DE"), &Subids::default()));
    assert_eq!((link.url, link.reason), (None, LinkReason::NoTarget));
}

#[test]
fn an_affiliate_link_without_a_page_is_used_as_it_is() {
    let all = templates(&[(BLOG, WW)]);
    let subids = Subids::new([None, Some("u1".to_owned()), None, None, None]).unwrap();
    let only = |code: &str| Product {
        external_id: None,
        url: Some(format!("https://alitems.com/g/{code}/?subid1=old")),
        ..product()
    };
    let own = format!("{}7", code(BLOG, WW));
    let link = all.link(&only(&own), &[], &question(Some("DE"), &subids));
    assert_eq!(link.kind, Some(LinkKind::Existing));
    assert_eq!(
        link.url,
        Some(format!("https://alitems.com/g/{own}/?subid1=u1"))
    );
    assert_eq!(warned(&link), [""; 0]);
    let link = all.link(&only("someoneelse"), &[], &question(Some("DE"), &subids));
    assert_eq!(warned(&link), ["LINK_OF_ANOTHER"]);
}

#[test]
fn a_link_around_a_short_one_leads_to_the_short_one() {
    let all = templates(&[(BLOG, WW)]);
    let subids = Subids::new([None, Some("u1".to_owned()), None, None, None]).unwrap();
    let own = format!("https://ad.admitad.com/g/{}7/", code(BLOG, WW));
    let ask = |external_id: Option<&str>, url: String| {
        let wrapped = Product {
            external_id: external_id.map(str::to_owned),
            url: Some(url),
            ..product()
        };
        all.link(&wrapped, &[], &question(Some("DE"), &subids))
    };
    let short = "ulp=https%3A%2F%2Ffas.st%2FAbCd";
    let link = ask(None, format!("{own}?{short}"));
    assert_eq!(link.kind, Some(LinkKind::Deeplink));
    assert_eq!(link.url, Some(format!("{own}?{short}&subid1=u1")));
    assert_eq!(link.target.as_deref(), Some("https://fas.st/AbCd"));
    assert_eq!(
        warned(&link),
        ["LINK_OF_ANOTHER"],
        "nobody knows whose it is"
    );
    // Where the number says which page it is, that page is led to.
    let link = ask(Some("1005"), format!("{own}?{short}"));
    assert_eq!(
        link.target.as_deref(),
        Some("https://www.aliexpress.com/item/1005.html")
    );
    assert_eq!(warned(&link), [""; 0]);
    // A short link that says where it leads is no end.
    let inner = "https%3A%2F%2Ffas.st%2FAbCd%3Fulp%3Dhttps%253A%252F%252Faliexpress.com%252Fitem%252F8.html";
    let link = ask(None, format!("{own}?ulp={inner}"));
    assert_eq!(
        link.target.as_deref(),
        Some("https://aliexpress.com/item/8.html")
    );
    assert_eq!(warned(&link), [""; 0]);
}

fn offer(affiliate_url: &str, is_hot: bool) -> ProductOffer {
    ProductOffer {
        product_id: Uuid::from_u128(9),
        feed: "hot".to_owned(),
        affiliate_url: Some(affiliate_url.to_owned()),
        price: None,
        old_price: None,
        vendor: None,
        available: None,
        is_hot,
        observed_at: Instant::MIN,
    }
}

#[test]
fn a_hot_product_goes_by_its_special_link() {
    let all = templates(&[(BLOG, WW), (BLOG, RU)]);
    let hot = Product {
        is_hot: true,
        ..product()
    };
    let subids = Subids::new([Some("a b".to_owned()), None, None, None, None]).unwrap();
    let ask = |offers: &[ProductOffer], country: &str| {
        all.link(&hot, offers, &question(Some(country), &subids))
    };
    let own = format!(
        "https://ad.admitad.com/g/{}7/?i=5&ulp=https%3A%2F%2Faliexpress.com%2Fitem%2F1005.html%3Fhot%3D1",
        code(BLOG, WW)
    );
    let other = own.replace(&code(BLOG, WW), "someoneelse");
    let link = ask(
        &[offer(&own, false), offer(&other, true), offer(&own, true)],
        "DE",
    );
    assert_eq!((link.kind, link.is_hot), (Some(LinkKind::Hot), true));
    assert_eq!(link.url, Some(format!("{own}&subid=a%20b")));
    // Another's link pays another: only its page is taken.
    let link = ask(&[offer(&other, true)], "DE");
    assert_eq!((link.kind, link.is_hot), (Some(LinkKind::Deeplink), false));
    assert_eq!(
        link.target.as_deref(),
        Some("https://aliexpress.com/item/1005.html?hot=1")
    );
    assert_eq!(warned(&link), ["LINK_OF_ANOTHER"]);
    let link = ask(&[], "DE");
    assert_eq!((link.kind, link.is_hot), (Some(LinkKind::Deeplink), false));
    assert_eq!(warned(&link), ["HOT_LINK_MISSING"]);
    // A short link that says nothing is no page of a hot product either.
    let blind = "https://ad.admitad.com/g/someoneelse/?ulp=https%3A%2F%2Ffas.st%2FAbCd";
    let link = ask(&[offer(blind, true), offer(&other, true)], "DE");
    assert_eq!(
        link.target.as_deref(),
        Some("https://aliexpress.com/item/1005.html?hot=1")
    );
    assert_eq!(
        warned(&ask(&[offer(blind, true)], "DE")),
        ["HOT_LINK_MISSING"]
    );
    // Any link does in RU&CIS NEW.
    let link = ask(&[], "RU");
    assert_eq!((link.kind, link.is_hot), (Some(LinkKind::Deeplink), true));
    assert_eq!(warned(&link), [""; 0]);
}

#[test]
fn the_program_is_known_where_the_ad_space_is_not() {
    let subids = Subids::default();
    let any = LinkQuestion {
        ad_space: None,
        ..question(Some("DE"), &subids)
    };
    let two = templates(&[(SHOP, WW), (BLOG, WW), (BLOG, RU)]);
    let of = |all: &Templates, question: &LinkQuestion<'_>| {
        all.program_for(question).map(|program| program.id)
    };
    assert_eq!(
        two.link(&product(), &[], &any).reason,
        LinkReason::AdSpaceNeeded
    );
    assert_eq!(of(&two, &any), Some(WW));
    assert_eq!(of(&templates(&[]), &any), None);
    let named = LinkQuestion {
        program: Some(TR),
        ..any
    };
    assert_eq!(of(&two, &named), Some(TR), "the one that was named");
    assert_eq!(of(&templates(&[]), &named), Some(TR));
}

#[test]
fn further_parameters_are_in_every_link_of_the_template() {
    let mut all = templates(&[(BLOG, WW)]);
    let extra = [("erid".to_owned(), "new".to_owned())];
    let base = all.all[0].template.base().to_owned();
    all.all[0].template = Template::new(&base, None, &extra, &Hosts::default()).unwrap();
    let subids = Subids::default();
    let ask = |product: &Product, offers: &[ProductOffer]| {
        let link = all.link(product, offers, &question(Some("DE"), &subids));
        (link.kind, link.url.unwrap())
    };
    let page = "ulp=https%3A%2F%2Faliexpress.com%2Fitem%2F1005.html";
    let hot = Product {
        is_hot: true,
        ..product()
    };
    let own = offer(&format!("{base}?i=5&erid=old&{page}"), true);
    let expected = format!("{base}?i=5&erid=new&{page}");
    assert_eq!(ask(&hot, &[own]), (Some(LinkKind::Hot), expected));
    let only = |url: String| Product {
        external_id: None,
        url: Some(url),
        ..product()
    };
    let own = only(format!("{base}?subid1=old"));
    let expected = format!("{base}?erid=new");
    assert_eq!(ask(&own, &[]), (Some(LinkKind::Existing), expected));
    // Another's link says what another has to say.
    let other = only("https://alitems.com/g/someoneelse/?erid=theirs".to_owned());
    let expected = "https://alitems.com/g/someoneelse/?erid=theirs".to_owned();
    assert_eq!(ask(&other, &[]), (Some(LinkKind::Existing), expected));
}

#[test]
fn a_short_link_is_no_page() {
    let all = templates(&[(BLOG, WW)]);
    let subids = Subids::default();
    let ask = |external_id: Option<&str>| {
        let short = Product {
            external_id: external_id.map(str::to_owned),
            url: Some("https://fas.st/AbCd".to_owned()),
            ..product()
        };
        all.link(&short, &[], &question(Some("DE"), &subids))
    };
    assert_eq!(
        ask(Some("1005")).target.as_deref(),
        Some("https://www.aliexpress.com/item/1005.html")
    );
    let link = ask(None);
    assert_eq!(
        (link.kind, link.url.as_deref()),
        (Some(LinkKind::Existing), Some("https://fas.st/AbCd"))
    );
    assert_eq!(warned(&link), ["LINK_OF_ANOTHER"]);
}

#[test]
fn a_link_of_another_portal_is_no_page() {
    let all = templates(&[(BLOG, WW), (BLOG, OWN)]);
    let subids = Subids::default();
    let ask = |program: Uuid, external_id: Option<&str>, url: &str| {
        let linked = Product {
            external_id: external_id.map(str::to_owned),
            url: Some(url.to_owned()),
            ..product()
        };
        let question = LinkQuestion {
            program: Some(program),
            ..question(Some("DE"), &subids)
        };
        all.link(&linked, &[], &question)
    };
    let wrapped = format!(
        "https://ad.admitad.com/g/{}7/?ulp=https%3A%2F%2Fs.click.aliexpress.com%2Fe%2F_abc",
        code(BLOG, WW)
    );
    for url in [
        "https://s.click.aliexpress.com/e/_abc",
        "https://s.click.aliexpress.com/deep_link.htm?dl_target_url=https://www.aliexpress.com/item/7.html",
        "https://s.click.aliexpress.com/item/7.html",
        "https://a.aliexpress.com/_abc",
        "https://www.aliexpress.com/store/12.html",
        "https://aliexpress.com.example.org/item/7.html",
        "https://myaliexpress.com/item/7.html",
        "https://shop.example.org/thing",
        wrapped.as_str(),
    ] {
        let link = ask(WW, Some("1005"), url);
        assert_eq!(
            link.target.as_deref(),
            Some("https://www.aliexpress.com/item/1005.html"),
            "{url}"
        );
        assert_eq!(warned(&link), [""; 0], "{url}");
        // Where no number says which page it is, it is gone through, and told.
        let link = ask(WW, None, url);
        assert_eq!(link.kind, Some(LinkKind::Deeplink), "{url}");
        assert_eq!(warned(&link), ["LINK_OF_ANOTHER"], "{url}");
    }
    for url in [
        "https://es.aliexpress.com/item/7.html",
        "https://m.aliexpress.com/item/7.html?x=1",
        "https://www.aliexpress.us/item/usb-cable/7.html",
        "http://aliexpress.com/item/7.html",
    ] {
        let link = ask(WW, Some("1005"), url);
        assert_eq!(link.target.as_deref(), Some(url));
        assert_eq!(warned(&link), [""; 0], "{url}");
    }
    // Nobody knows where the shop is of a program that the catalogue does not have.
    let target = |url: &str| ask(OWN, Some("1005"), url).target;
    for url in [
        "https://shop.example.org/thing",
        "https://aliexpress.ru/item/7.html",
    ] {
        assert_eq!(target(url).as_deref(), Some(url));
    }
    assert_eq!(
        target("https://s.click.aliexpress.com/e/_abc").as_deref(),
        Some("https://www.aliexpress.com/item/1005.html")
    );
}

#[test]
fn the_page_is_in_the_shop_of_the_program() {
    let all = templates(&[(BLOG, WW), (BLOG, RU), (BLOG, TR)]);
    let subids = Subids::default();
    let target = |url: &str, external_id: Option<&str>, country: &str| {
        let linked = Product {
            external_id: external_id.map(str::to_owned),
            url: Some(url.to_owned()),
            ..product()
        };
        let link = all.link(&linked, &[], &question(Some(country), &subids));
        assert_eq!(warned(&link), [""; 0], "{url} {country}");
        link.target.unwrap()
    };
    let (com, ru) = (
        "https://www.aliexpress.com/item/7.html",
        "https://aliexpress.ru/item/7.html",
    );
    for external_id in [Some("7"), None] {
        for country in ["DE", "TR"] {
            assert_eq!(target(ru, external_id, country), com);
            assert_eq!(target(com, external_id, country), com);
        }
        assert_eq!(target(com, external_id, "RU"), ru);
        assert_eq!(target(ru, external_id, "RU"), ru);
        let country_site = "https://es.aliexpress.com/item/7.html?x=1";
        assert_eq!(target(country_site, external_id, "KZ"), ru);
        let mobile = "https://m.aliexpress.ru/item/cable/7.html?x=1";
        assert_eq!(target(mobile, external_id, "RU"), mobile);
        assert_eq!(target(mobile, external_id, "DE"), com);
    }
    // So is that of another's special link.
    let hot = Product {
        is_hot: true,
        ..product()
    };
    let other =
        "https://alitems.com/g/someoneelse/?ulp=https%3A%2F%2Faliexpress.ru%2Fitem%2F7.html";
    let link = all.link(&hot, &[offer(other, true)], &question(Some("DE"), &subids));
    assert_eq!(link.target.as_deref(), Some(com));
    let portal =
        "https://alitems.com/g/someoneelse/?ulp=https%3A%2F%2Fs.click.aliexpress.com%2Fe%2F_abc";
    let link = all.link(&hot, &[offer(portal, true)], &question(Some("DE"), &subids));
    assert_eq!(
        link.target.as_deref(),
        Some("https://www.aliexpress.com/item/1005.html")
    );
    assert_eq!(warned(&link), ["HOT_LINK_MISSING"]);
}
