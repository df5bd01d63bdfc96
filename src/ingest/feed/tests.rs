//! What feeds say, and which are refused.

use super::*;
use crate::ingest::corpus::corpus;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Write as _;

type Read = (Vec<OfferDraft>, Vec<Reject>);

fn read_bytes(bytes: &[u8]) -> Result<Read, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let (sender, mut receiver) = mpsc::channel(1_000);
    read(file.path(), &sender)?;
    drop(sender);
    let mut all: Read = (Vec::new(), Vec::new());
    while let Ok(offers) = receiver.try_recv() {
        all.0.extend(offers.drafts);
        all.1.extend(offers.rejects);
    }
    Ok(all)
}

/// The folder of sound, damaged and hostile feeds.
const CORPUS: &str = "feeds";
const YML: &str = include_str!("../../../tests/fixtures/feeds/whole.yml");

#[test]
fn a_yml_feed_says_products_offers_and_categories() {
    let (offers, rejects) = read_bytes(YML.as_bytes()).unwrap();
    let cable = &offers[0];
    assert_eq!(
        cable.product.external_id.as_deref(),
        Some("1005000000000001")
    );
    assert_eq!(
        cable.product.url.as_deref(),
        Some("https://www.aliexpress.com/item/1005000000000001.html"),
        "the page, not the link that pays"
    );
    assert_eq!(cable.product.name.as_deref(), Some("USB-C <cable>"));
    assert_eq!(
        cable.product.image_url.as_deref(),
        Some("https://ae01.alicdn.com/kf/a.jpg")
    );
    assert!(
        cable
            .affiliate_url
            .as_deref()
            .unwrap()
            .ends_with("&subid=x")
    );
    assert_eq!(
        (cable.price_e4, cable.old_price_e4),
        (Some(35_000), Some(70_000))
    );
    assert_eq!(cable.currency, Some(Currency::USD));
    assert_eq!(
        (cable.vendor.as_deref(), cable.available),
        (Some("Acme"), Some(true))
    );
    let category = cable.category.as_ref().unwrap();
    assert_eq!(
        (category.external_id.as_str(), category.name.as_deref()),
        ("990001", Some("Cables & more"))
    );
    let phone = &offers[1];
    assert_eq!(phone.product.external_id.as_deref(), Some("77"));
    assert_eq!(
        (phone.product.name.as_deref(), phone.product.url.as_deref()),
        (Some("Phone Acme X"), None)
    );
    assert_eq!(phone.currency.unwrap().as_str(), "RUB");
    assert_eq!((phone.available, phone.rounded), (Some(false), 1));
    let reasons: Vec<_> = rejects
        .iter()
        .map(|reject| {
            (
                reject.reason.as_str(),
                reject.field.as_deref(),
                reject.place.index,
            )
        })
        .collect();
    assert_eq!(
        reasons,
        [
            ("MISSING_FIELD", Some("currencyId"), 2),
            ("BAD_VALUE", Some("price"), 3)
        ]
    );
    assert!(rejects[1].raw.contains("five"), "{}", rejects[1].raw);
}

#[test]
fn csv_packed_and_in_another_encoding_says_the_same() {
    let csv = "id;available;categoryId;currencyId;name;oldprice;picture;price;url;vendor;weather\n\
               7;true;44;USD;Кабель;;https://x/a.jpg,https://x/b.jpg;3,50;https://alitems.com/g/a/?ulp=https%3A%2F%2Faliexpress.ru%2Fitem%2F9.html;Acme;fair\n\
               8;false;Phones;RUB;Phone;;;;;;\n";
    let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode(csv);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&bytes).unwrap();
    let packed = packed.finish().unwrap();
    for bytes in [csv.as_bytes(), &bytes, &packed] {
        let (offers, rejects) = read_bytes(bytes).unwrap();
        assert_eq!(rejects, []);
        assert_eq!(
            offers[0].product.external_id.as_deref(),
            Some("9"),
            "the page's id, not the offer's"
        );
        assert_eq!(offers[0].product.name.as_deref(), Some("Кабель"));
        assert_eq!(
            offers[0].product.image_url.as_deref(),
            Some("https://x/a.jpg")
        );
        assert_eq!(offers[0].price_e4, Some(35_000));
        assert_eq!(offers[0].category.as_ref().unwrap().external_id, "44");
        assert_eq!(offers[1].product.external_id.as_deref(), Some("8"));
        assert_eq!(
            (offers[1].price_e4, offers[1].category.as_ref()),
            (None, None)
        );
    }
    let cut = read_bytes(&packed[..packed.len() - 9]);
    assert!(cut.is_err(), "{cut:?}");
}

#[test]
fn hostile_and_damaged_feeds_end_in_a_sentence() {
    let offer = "<yml_catalog><shop><offers><offer id=\"1\">";
    let deep = format!("{offer}{}", "<a>".repeat(100));
    let attributes: String = (0..100).map(|at| format!("a{at}='x' ")).collect();
    let attributes = format!("<yml_catalog {attributes}>");
    let long = format!("{offer}<name>{}", "x".repeat(1 << 20));
    let (cut, _) = YML.split_once("</offers>").unwrap();
    for (text, words) in [
        (
            "<!DOCTYPE yml_catalog [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><yml_catalog/>",
            "DOCTYPE defines",
        ),
        (
            "<!DOCTYPE yml_catalog SYSTEM \"shops.dtd\" [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><yml_catalog/>",
            "DOCTYPE defines",
        ),
        (
            "<yml_catalog><shop><name>&c;</name></shop></yml_catalog>",
            "`&c;`",
        ),
        (deep.as_str(), "32 deep"),
        (attributes.as_str(), "64 attributes"),
        (long.as_str(), "256 KiB"),
        (cut, "ends inside"),
        ("<yml_catalog><shop></yml_catalog>", "damaged"),
        ("<stats><stat/></stats>", "root is `<stats>`"),
        ("<html><body>Sign in</body></html>", "HTML"),
        ("weather;mood\nfair;good\n", "no row of headings"),
        ("", "no row of headings"),
    ] {
        let error = read_bytes(text.as_bytes()).expect_err(words);
        assert!(
            error.contains(words) && error.len() < 600,
            "{words} in {error}"
        );
    }
    let field = format!(
        "{offer}<name>{}</name></offer></offers></shop></yml_catalog>",
        "x".repeat(70_000)
    );
    let (offers, rejects) = read_bytes(field.as_bytes()).unwrap();
    assert_eq!((offers.len(), rejects[0].reason.as_str()), (0, "TOO_LONG"));
}

#[test]
fn every_feed_of_the_corpus_is_read_or_refused_as_it_should_be() {
    let expected: BTreeMap<&str, Result<(usize, usize), &str>> = BTreeMap::from([
        ("categories-in-a-circle.yml", Ok((1, 0))),
        ("cut-off.csv.gz", Err("cannot be read")),
        ("cut-off.yml", Err("ends inside")),
        ("damaged.yml", Err("damaged")),
        ("entities.yml", Err("DOCTYPE defines")),
        ("external-entity.yml", Err("DOCTYPE defines")),
        ("no-headings.csv", Err("no row of headings")),
        ("nothing.csv", Err("no row of headings")),
        ("other-root.xml", Err("root is `<stats>`")),
        ("sign-in.html", Err("HTML")),
        ("too-deep.yml", Err("32 deep")),
        ("too-many-attributes.yml", Err("64 attributes")),
        ("unknown-entity.yml", Err("`&c;`")),
        ("whole.csv", Ok((2, 0))),
        ("whole.csv.gz", Ok((2, 0))),
        ("whole.yml", Ok((2, 2))),
        ("windows-1251.csv", Ok((2, 0))),
    ]);
    let files = corpus(CORPUS);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, expected.keys().copied().collect::<Vec<_>>());
    for (name, bytes) in &files {
        match (read_bytes(bytes), expected[name.as_str()]) {
            (Ok((offers, rejects)), Ok(counts)) => {
                assert_eq!((offers.len(), rejects.len()), counts, "{name}");
            }
            (Err(said), Err(words)) => assert!(said.contains(words), "{name}: {said}"),
            (found, expected) => panic!("{name}: {found:?}, expected {expected:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_offers_or_a_sentence(bytes in proptest::collection::vec(any::<u8>(), 0..80), file in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(), cut in 0usize..60) {
        let files = corpus(CORPUS);
        let mut text = file.get(&files.into_values().collect::<Vec<_>>()).clone();
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, bytes.iter().copied());
        for input in [&text, &bytes] {
            if let Err(said) = read_bytes(input) {
                prop_assert!(!said.is_empty() && said.len() < 4_000, "{said}");
            }
        }
    }
}
