//! JSON Web Tokens: whose are taken, where their keys are, and which claim says what.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::values::is_private;
use super::{Key, Kind, Raw, key};
use crate::domain::token::{Algorithm, ClaimNames, TokenPolicy};

/// The settings.
pub(super) const KEYS: &[Key] = &[
    key(
        "jwt_issuer",
        Kind::Text,
        "\"\"",
        "Whose JSON Web Tokens are taken beside API keys: their `iss`, exactly. Without it none are.",
    ),
    key(
        "jwt_audiences",
        Kind::List,
        "[]",
        "What the tokens' `aud` calls this server: one of these, exactly.",
    ),
    key(
        "jwt_keys_url",
        Kind::Text,
        "\"\"",
        "Where the issuer publishes its keys (a JSON Web Key Set): https://, or http:// on this machine.",
    ),
    key(
        "jwt_keys_file",
        Kind::Text,
        "\"\"",
        "A file that holds them, in the place of an address; it is read again like one.",
    ),
    key(
        "jwt_algorithms",
        Kind::List,
        "[\"RS256\", \"ES256\", \"EdDSA\"]",
        "How tokens may be signed: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.",
    ),
    key(
        "jwt_leeway_seconds",
        Kind::Whole {
            least: 0,
            most: 600,
        },
        "60",
        "How far the issuer's clock and this server's may be apart.",
    ),
    key(
        "jwt_refresh_seconds",
        Kind::Whole {
            least: 1,
            most: 86_400,
        },
        "300",
        "Pause between two reads of the issuer's keys, and so how long a key that it withdrew is taken.",
    ),
    key(
        "jwt_unknown_key_seconds",
        Kind::Whole {
            least: 1,
            most: 3_600,
        },
        "30",
        "The least pause between two reads that a token with an unknown key, or a read that failed, brings about.",
    ),
    key(
        "jwt_stale_seconds",
        Kind::Whole {
            least: 1,
            most: 2_592_000,
        },
        "86400",
        "How long keys are trusted after they were last read; then all tokens are refused.",
    ),
    key(
        "jwt_allow_admin",
        Kind::Switch,
        "false",
        "Whether a token may carry the scope admin.",
    ),
    key(
        "jwt_scope_prefix",
        Kind::Text,
        "\"\"",
        "What scopes of ours begin with in tokens, such as \"actiongraph:\"; others are left alone.",
    ),
    key(
        "jwt_publisher_claim",
        Kind::Text,
        "\"publisher\"",
        "The claim that names the publisher, as the command line does.",
    ),
    key(
        "jwt_scopes_claim",
        Kind::Text,
        "\"scope\"",
        "The claim that lists scopes: words with spaces between, or a list.",
    ),
    key(
        "jwt_programs_claim",
        Kind::Text,
        "\"\"",
        "The claim that limits a token to programs: a list of ids or names.",
    ),
    key(
        "jwt_ad_spaces_claim",
        Kind::Text,
        "\"\"",
        "The claim that limits it to ad spaces: a list of ids or names.",
    ),
    key(
        "jwt_subids_claim",
        Kind::Text,
        "\"\"",
        "The claim that limits it by SubIDs: a list of {\"slot\": 2, \"values\": [], \"prefixes\": []}.",
    ),
    key(
        "jwt_not_before_claim",
        Kind::Text,
        "\"\"",
        "The claim that limits it to orders from a day on: \"2026-01-01\".",
    ),
    key(
        "jwt_last_days_claim",
        Kind::Text,
        "\"\"",
        "The claim that limits it to orders of the last so many days: a number.",
    ),
    key(
        "jwt_hide_user_keys_claim",
        Kind::Text,
        "\"\"",
        "The claim that hides SubIDs and what users are known by: true or false.",
    ),
    key(
        "jwt_hide_reward_claim",
        Kind::Text,
        "\"\"",
        "The claim that hides rewards: true or false.",
    ),
    key(
        "jwt_budget_claim",
        Kind::Text,
        "\"\"",
        "The claim that says what its subject may spend: {\"capacity\": 20000, \"refill\": 200}.",
    ),
    key(
        "jwt_required_claims",
        Kind::List,
        "[]",
        "Claims without which a token is refused, beside those of limits.",
    ),
    key(
        "jwt_unlimited_without_claim",
        Kind::Switch,
        "false",
        "Whether a token without the claim of a limit has no such limit; otherwise it is refused.",
    ),
];

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysAt {
    /// At an address.
    Address(Url),
    /// In a file.
    File(PathBuf),
}

/// What is set of JSON Web Tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// What a token must be, and what its claims mean.
    pub policy: TokenPolicy,
    /// Where the issuer's keys are.
    pub keys: KeysAt,
    /// The pause between two reads of them.
    pub refresh: Duration,
    /// The least pause between two reads that an unknown key or a failure brings about.
    pub unknown_key: Duration,
    /// How long they are trusted after they were last read.
    pub stale: Duration,
}

/// What is set of tokens, its problems among those of the other settings; none where no tokens are taken.
pub(super) fn resolve(raw: &mut Raw) -> Option<JwtSettings> {
    let issuer = filled(raw, "jwt_issuer");
    let audiences = raw.list("jwt_audiences");
    let keys = keys_at(raw);
    let algorithms = algorithms(raw);
    let seconds =
        |raw: &mut Raw, name, default| Duration::from_secs(raw.whole(name).unwrap_or(default));
    let leeway = seconds(raw, "jwt_leeway_seconds", 60);
    let refresh = seconds(raw, "jwt_refresh_seconds", 300);
    let unknown_key = seconds(raw, "jwt_unknown_key_seconds", 30);
    let stale = seconds(raw, "jwt_stale_seconds", 86_400);
    let allow_admin = raw.switch("jwt_allow_admin").unwrap_or(false);
    let scope_prefix = filled(raw, "jwt_scope_prefix").unwrap_or_default();
    let claims = claims(raw);
    let required = raw.list("jwt_required_claims");
    let unlimited = raw.switch("jwt_unlimited_without_claim");
    let (_, audiences) = audiences.unwrap_or_default();
    let Some(issuer) = issuer else {
        if !audiences.is_empty() || !matches!(keys, Ok(None)) {
            missing(
                raw,
                "jwt_issuer",
                "tokens are taken of one issuer only; name it as its tokens do",
            );
        }
        return None;
    };
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        let message = "a token that was made for somebody else must not open this server; name what its `aud` must be";
        missing(raw, "jwt_audiences", message);
    }
    if stale < refresh {
        let message = "is less than jwt_refresh_seconds, so that tokens would be refused between two reads of the keys";
        missing(raw, "jwt_stale_seconds", message);
    }
    let keys = match keys {
        Ok(Some(keys)) => keys,
        Ok(None) => {
            let message = "tokens cannot be checked without the issuer's keys; give jwt_keys_url or jwt_keys_file";
            missing(raw, "jwt_keys_url", message);
            return None;
        }
        Err(()) => return None,
    };
    let policy = TokenPolicy {
        issuer,
        audiences,
        algorithms,
        leeway,
        claims: claims?,
        required: required.unwrap_or_default().1,
        unlimited_without_claim: unlimited.unwrap_or(false),
        scope_prefix,
        allow_admin,
    };
    Some(JwtSettings {
        policy,
        keys,
        refresh,
        unknown_key,
        stale,
    })
}

/// A problem with a setting that may not have been given.
fn missing(raw: &mut Raw, name: &str, message: &str) {
    raw.problem(name, message.to_owned());
}

/// A text; none where it is empty.
fn filled(raw: &mut Raw, name: &'static str) -> Option<String> {
    let (_, text) = raw.text(name)?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Where the keys are; an error where what was given is a problem, which has been told.
fn keys_at(raw: &mut Raw) -> Result<Option<KeysAt>, ()> {
    let file = raw.path("jwt_keys_file");
    let address = raw
        .text("jwt_keys_url")
        .filter(|(_, text)| !text.trim().is_empty());
    match (address, file) {
        (None, file) => Ok(file.map(KeysAt::File)),
        (Some((place, _)), Some(_)) => {
            let message = "jwt_keys_file is given as well; give one of the two";
            raw.problem(&place, message.to_owned());
            Err(())
        }
        (Some((place, text)), None) => match Url::parse(text.trim()) {
            Ok(address) if is_private(&address) => Ok(Some(KeysAt::Address(address))),
            _ => {
                // Not repeated: it may hold a password.
                let message = "must be an address such as https://login.example/keys (http:// on this machine only, for tests): who can change the keys can make tokens";
                raw.problem(&place, message.to_owned());
                Err(())
            }
        },
    }
}

fn algorithms(raw: &mut Raw) -> Vec<Algorithm> {
    let default = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    let Some((place, names)) = raw.list("jwt_algorithms") else {
        return default.to_vec();
    };
    let mut found = Vec::new();
    for name in &names {
        match Algorithm::parse(name) {
            Some(algorithm) => found.push(algorithm),
            None => {
                let known: Vec<&str> = Algorithm::ALL.iter().map(|one| one.as_str()).collect();
                let message = format!(
                    "{name:?} is none of {}; tokens without a signature and with a shared secret are not taken",
                    known.join(", ")
                );
                raw.problem(&place, message);
            }
        }
    }
    if names.is_empty() {
        raw.problem(
            &place,
            "is empty, so that no token could be taken; name at least one".to_owned(),
        );
    }
    found
}

/// Which claim says what; none where two things would be said by one.
fn claims(raw: &mut Raw) -> Option<ClaimNames> {
    let or = |name: Option<String>, default: &str| name.unwrap_or_else(|| default.to_owned());
    let names = ClaimNames {
        publisher: or(filled(raw, "jwt_publisher_claim"), "publisher"),
        scopes: or(filled(raw, "jwt_scopes_claim"), "scope"),
        programs: filled(raw, "jwt_programs_claim"),
        ad_spaces: filled(raw, "jwt_ad_spaces_claim"),
        subids: filled(raw, "jwt_subids_claim"),
        not_before: filled(raw, "jwt_not_before_claim"),
        last_days: filled(raw, "jwt_last_days_claim"),
        hide_user_keys: filled(raw, "jwt_hide_user_keys_claim"),
        hide_reward: filled(raw, "jwt_hide_reward_claim"),
        budget: filled(raw, "jwt_budget_claim"),
    };
    let given = [
        ("jwt_publisher_claim", Some(&names.publisher)),
        ("jwt_scopes_claim", Some(&names.scopes)),
        ("jwt_programs_claim", names.programs.as_ref()),
        ("jwt_ad_spaces_claim", names.ad_spaces.as_ref()),
        ("jwt_subids_claim", names.subids.as_ref()),
        ("jwt_not_before_claim", names.not_before.as_ref()),
        ("jwt_last_days_claim", names.last_days.as_ref()),
        ("jwt_hide_user_keys_claim", names.hide_user_keys.as_ref()),
        ("jwt_hide_reward_claim", names.hide_reward.as_ref()),
        ("jwt_budget_claim", names.budget.as_ref()),
    ];
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for (setting, name) in given {
        if name.is_some_and(|name| !seen.insert(name.clone())) {
            twice.push(setting);
        }
    }
    for setting in &twice {
        let message = "names a claim that another setting names, too; each says one thing";
        missing(raw, setting, message);
    }
    twice.is_empty().then_some(names)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(text: &str) -> Result<Option<JwtSettings>, Vec<String>> {
        let mut raw = Raw::default();
        raw.add_file("actiongraph.toml", text);
        let settings = Settings::resolve(raw);
        settings
            .map(|settings| settings.jwt)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_issuer_an_audience_and_its_keys_are_enough() {
        let jwt = read(
            "jwt_issuer = \"https://login.example/\"\njwt_audiences = [\"actiongraph\"]\n\
             jwt_keys_url = \"https://login.example/keys?app=1\"",
        );
        let jwt = jwt.unwrap().unwrap();
        assert_eq!(jwt.policy.issuer, "https://login.example/");
        assert_eq!(jwt.policy.leeway, Duration::from_secs(60));
        assert_eq!(jwt.policy.claims.publisher, "publisher");
        assert_eq!(jwt.policy.claims.programs, None);
        assert!(!jwt.policy.allow_admin);
        assert!(!jwt.policy.unlimited_without_claim);
        let address = Url::parse("https://login.example/keys?app=1").unwrap();
        assert_eq!(jwt.keys, KeysAt::Address(address));
        assert_eq!(read("").unwrap(), None);
    }

    #[test]
    fn the_environment_gives_lists_with_commas() {
        let mut raw = Raw::default();
        let variables = [
            ("ACTIONGRAPH_JWT_ISSUER", "me"),
            ("ACTIONGRAPH_JWT_AUDIENCES", "a, b"),
            ("ACTIONGRAPH_JWT_KEYS_FILE", "/run/keys.json"),
            ("ACTIONGRAPH_JWT_ALGORITHMS", "PS384"),
            ("ACTIONGRAPH_JWT_ALLOW_ADMIN", "yes"),
        ];
        raw.add_environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let jwt = Settings::resolve(raw).unwrap().jwt.unwrap();
        assert_eq!(jwt.policy.audiences, ["a", "b"]);
        assert_eq!(jwt.policy.algorithms, [Algorithm::Ps384]);
        assert_eq!(jwt.keys, KeysAt::File(PathBuf::from("/run/keys.json")));
        assert!(jwt.policy.allow_admin);
    }

    #[test]
    fn what_would_open_the_door_too_wide_is_named_with_a_way_out() {
        for (text, part) in [
            (
                "jwt_audiences = [\"a\"]",
                "jwt_issuer: tokens are taken of one issuer only",
            ),
            (
                "jwt_issuer = \"i\"\njwt_keys_file = \"k\"",
                "jwt_audiences: a token that was made for somebody else",
            ),
            (
                "jwt_issuer = \"i\"\njwt_audiences = [\"a\"]",
                "jwt_keys_url: tokens cannot be checked",
            ),
            (
                "jwt_issuer = \"i\"\njwt_keys_url = \"http://login.example/\"",
                "jwt_keys_url: must be an address",
            ),
            (
                "jwt_keys_url = \"https://me:hush@login.example/\"",
                "jwt_keys_url: must be an address",
            ),
            (
                "jwt_keys_url = \"https://a.example/\"\njwt_keys_file = \"k\"",
                "jwt_keys_url: jwt_keys_file is given as well",
            ),
            ("jwt_algorithms = [\"HS256\"]", "\"HS256\" is none of RS256"),
            ("jwt_algorithms = [\"none\"]", "\"none\" is none of RS256"),
            ("jwt_algorithms = []", "jwt_algorithms: is empty"),
            (
                "jwt_leeway_seconds = 601",
                "jwt_leeway_seconds: must be a whole number from 0 to 600",
            ),
            (
                "jwt_issuer = \"i\"\njwt_stale_seconds = 10",
                "jwt_stale_seconds: is less than",
            ),
            (
                "jwt_programs_claim = \"a\"\njwt_ad_spaces_claim = \"a\"",
                "jwt_ad_spaces_claim: names a claim that another",
            ),
            ("jwt_isuer = \"i\"", "did you mean jwt_issuer?"),
        ] {
            let problems = read(text).expect_err(text);
            assert!(
                problems.iter().any(|problem| problem.contains(part)),
                "{part} in {problems:#?}"
            );
            assert!(!problems.concat().contains("hush"), "{problems:#?}");
        }
    }
}
