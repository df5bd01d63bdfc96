//! Templates of affiliate links in the configuration file, `[[deeplinks]]`, and the hosts that they may be on.

use super::{Key, Kind, Raw, key, shown};
use crate::domain::deeplink::{Hosts, Template};
use crate::domain::id::check_slug;
use crate::domain::traffic::{ConfiguredDeeplink, LinkSettings};
use std::collections::BTreeSet;

/// The name that the list has in the configuration file.
pub(super) const TABLE: &str = "deeplinks";

/// The shipped hosts, as the file spells them; a test compares them with the list.
const SHIPPED: &str = "[\"ad.admitad.com\", \"alitems.com\", \"alitems.site\", \"aflink.ru\", \"allgrad.site\", \"bednari.com\", \"dhwnh.com\", \"fas.st\", \"iytlj.com\", \"kjuzv.com\", \"lenkmio.com\", \"modato.ru\", \"pafutos.com\", \"rzekl.com\", \"tjzuh.com\", \"xpuvo.com\"]";

/// The hosts.
pub(super) const HOSTS: Key = key(
    "deeplink_hosts",
    Kind::List,
    SHIPPED,
    "The hosts that affiliate links of the network are on; templates of links are taken for these alone.",
);

/// What a template may say, an example, and what it means.
const FIELDS: &[(&str, &str, &str)] = &[
    ("publisher", "\"my-blog\"", "whose ad space it is"),
    (
        "ad_space",
        "\"1234567\"",
        "the ad space's id at the network, or its name",
    ),
    (
        "program",
        "\"6115\"",
        "the program's id at the network, or its name",
    ),
    (
        "base",
        "\"https://ad.admitad.com/g/0123456789abcdef0123456789abcd/\"",
        "the address that the network shows for both",
    ),
    (
        "target_parameter",
        "\"ulp\"",
        "the parameter that carries the target",
    ),
    (
        "parameters",
        "{ erid = \"LjN8K7\" }",
        "further parameters of every link",
    ),
];

/// Templates that were given, before they are looked at, with their places.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<(String, toml::Value)>);

impl Given {
    /// The list in a configuration file.
    pub(super) fn add_file(&mut self, place: &str, value: toml::Value) {
        match value {
            toml::Value::Array(tables) => {
                let tables = tables.into_iter().enumerate();
                self.0
                    .extend(tables.map(|(index, table)| (format!("{place}[{index}]"), table)));
            }
            other => self.0.push((place.to_owned(), other)),
        }
    }
}

/// The links, their problems among those of the other settings.
pub(super) fn resolve(raw: &mut Raw) -> LinkSettings {
    let hosts = hosts(raw);
    let tables = std::mem::take(&mut raw.deeplinks).0;
    let mut deeplinks: Vec<ConfiguredDeeplink> = Vec::new();
    let mut names = BTreeSet::new();
    for (place, value) in tables {
        let toml::Value::Table(table) = value else {
            raw.problem(&place, "must be a table, headed [[deeplinks]]".to_owned());
            continue;
        };
        if let Some(one) = deeplink(raw, &place, table, &hosts) {
            let key = (
                one.publisher.clone(),
                one.ad_space.clone(),
                one.program.clone(),
            );
            if !names.insert(key) {
                let message = format!(
                    "publisher {} has a template of ad space {} and program {} already",
                    one.publisher, one.ad_space, one.program
                );
                raw.problem(&place, message);
            }
            deeplinks.push(one);
        }
    }
    LinkSettings { hosts, deeplinks }
}

fn hosts(raw: &mut Raw) -> Hosts {
    let Some((place, names)) = raw.list("deeplink_hosts") else {
        return Hosts::default();
    };
    let mut good = Vec::new();
    for name in names {
        match Hosts::new([name.clone()]) {
            Ok(_) => good.push(name),
            Err(error) => raw.problem(&place, error.message().to_owned()),
        }
    }
    // After a problem with a host, templates are not blamed for it as well.
    match Hosts::new(good) {
        Ok(hosts) if !raw.problems.is_empty() && hosts.names().is_empty() => Hosts::default(),
        Ok(hosts) => hosts,
        Err(_) => Hosts::default(),
    }
}

fn deeplink(
    raw: &mut Raw,
    place: &str,
    mut table: toml::Table,
    hosts: &Hosts,
) -> Option<ConfiguredDeeplink> {
    let problems = raw.problems.len();
    let parameters = parameters(raw, place, table.remove("parameters"));
    let mut texts = FIELDS.iter().filter(|(field, ..)| *field != "parameters");
    let mut text = || {
        let (field, ..) = texts.next()?;
        text(raw, place, field, table.remove(*field))
    };
    let (publisher, ad_space, program) = (text(), text(), text());
    let (base, target_parameter) = (text(), text());
    for name in table.keys() {
        let known: Vec<&str> = FIELDS.iter().map(|(field, ..)| *field).collect();
        let message = format!(
            "a template has no such setting; it has {}",
            known.join(", ")
        );
        raw.problem(&format!("{place}.{name}"), message);
    }
    if let Some(Err(message)) = publisher.as_deref().map(check_slug) {
        raw.problem(&format!("{place}.publisher"), message.to_string());
    }
    let base = base?;
    let template = match Template::new(&base, target_parameter.as_deref(), &parameters, hosts) {
        Ok(template) => template,
        Err(error) => {
            let field = match error.field() {
                Some("targetParameter") => "target_parameter",
                Some(field) if field.starts_with("parameters") => "parameters",
                _ => "base",
            };
            raw.problem(&format!("{place}.{field}"), error.message().to_owned());
            return None;
        }
    };
    if raw.problems.len() > problems {
        return None;
    }
    Some(ConfiguredDeeplink {
        publisher: publisher?,
        ad_space: ad_space?,
        program: program?,
        template,
    })
}

fn text(raw: &mut Raw, place: &str, field: &str, value: Option<toml::Value>) -> Option<String> {
    let at = format!("{place}.{field}");
    match value {
        Some(toml::Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Some(toml::Value::String(_)) => {
            raw.problem(&at, "is empty".to_owned());
            None
        }
        // An id need not be quoted.
        Some(toml::Value::Integer(number)) if matches!(field, "ad_space" | "program") => {
            Some(number.to_string())
        }
        Some(other) => {
            raw.problem(&at, format!("must be a text, not {}", shown(&other)));
            None
        }
        None if field == "target_parameter" => None,
        None => {
            raw.problem(place, format!("has no {field}, which every template needs"));
            None
        }
    }
}

fn parameters(raw: &mut Raw, place: &str, value: Option<toml::Value>) -> Vec<(String, String)> {
    let at = format!("{place}.parameters");
    let table = match value {
        None => return Vec::new(),
        Some(toml::Value::Table(table)) => table,
        Some(other) => {
            let message = format!(
                "must be a table such as {{ erid = \"LjN8K7\" }}, not {}",
                shown(&other)
            );
            raw.problem(&at, message);
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::String(text) => found.push((name, text)),
            toml::Value::Integer(number) => found.push((name, number.to_string())),
            other => {
                let message = format!("must be a text, not {}", shown(&other));
                raw.problem(&format!("{at}.{name}"), message);
            }
        }
    }
    found
}

/// The part of the file that [`super::defaults`] prints.
pub(super) fn defaults() -> String {
    let mut text = String::from(
        "\n# How affiliate links are made, one table for each ad space and program, behind all other settings.\n\
         # What `setDeeplink` stores goes before it.\n# [[deeplinks]]\n",
    );
    for (field, example, help) in FIELDS {
        text.push_str(&format!("# {field} = {example}  # {help}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn file(text: &str) -> Raw {
        let mut raw = Raw::default();
        raw.add_file("actiongraph.toml", text);
        raw
    }

    #[test]
    fn templates_come_from_the_file() {
        let raw = file(
            "deeplink_hosts = [\"Go.Example\"]\n[[deeplinks]]\npublisher = \"my-blog\"\nad_space = 77\nprogram = \"AliExpress WW\"\n\
             base = \"https://go.example/g/abcdefgh/?i=4\"\nparameters = { erid = \"x\" }\n",
        );
        let links = Settings::resolve(raw).unwrap().links;
        assert_eq!(links.hosts.names(), ["go.example"]);
        let one = &links.deeplinks[0];
        assert_eq!(
            (one.ad_space.as_str(), one.program.as_str()),
            ("77", "AliExpress WW")
        );
        assert_eq!(one.template.base(), "https://go.example/g/abcdefgh/");
        let extra = [("i", "4"), ("erid", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(one.template.extra(), extra);
    }

    #[test]
    fn every_problem_of_every_template_is_listed() {
        let raw = file(
            "deeplink_hosts = [\"https://x.example\", \"localhost\"]\n\
             [[deeplinks]]\npublisher = \"My Blog\"\nad_space = \"\"\nbase = \"http://ad.admitad.com/g/abcdefgh/\"\nhost = 1\n\
             [[deeplinks]]\npublisher = \"a\"\nad_space = \"1\"\nprogram = \"2\"\nbase = \"https://ad.admitad.com/g/abcdefgh/\"\n\
             [[deeplinks]]\npublisher = \"a\"\nad_space = \"1\"\nprogram = \"2\"\nbase = \"https://ad.admitad.com/g/abcdefgh/\"\n\
             parameters = { subid1 = \"x\" }\n",
        );
        let problems: Vec<String> = Settings::resolve(raw)
            .expect_err("there are problems")
            .iter()
            .map(ToString::to_string)
            .collect();
        for part in [
            "deeplink_hosts: \"https://x.example\" is not the name of a host",
            "deeplink_hosts: \"localhost\" is not the name of a host",
            "deeplinks[0].publisher: ",
            "deeplinks[0].ad_space: is empty",
            "deeplinks[0]: has no program",
            "deeplinks[0].host: a template has no such setting",
            "deeplinks[0].base: base must begin with https://",
            "deeplinks[2].parameters: subid1 is written for each link",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(part)),
                "{part} in {problems:#?}"
            );
        }
    }

    #[test]
    fn two_of_one_name_are_one_too_many() {
        let one = "[[deeplinks]]\npublisher = \"a\"\nad_space = \"1\"\nprogram = \"2\"\nbase = \"https://ad.admitad.com/g/abcdefgh/\"\n";
        let problems = Settings::resolve(file(&format!("{one}{one}"))).expect_err("twice");
        assert!(
            problems[0]
                .to_string()
                .contains("deeplinks[1]: publisher a has a template"),
            "{problems:?}"
        );
    }

    #[test]
    fn the_printed_example_is_a_template() {
        let text: String = defaults()
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.contains(" = ") || line.starts_with("[["))
            .map(|line| format!("{line}\n"))
            .collect();
        let links = Settings::resolve(file(&text)).unwrap().links;
        assert_eq!(links.deeplinks.len(), 1, "{text}");
    }
}
