//! Keys on the command line: the commands of `docs/KEYS.md` as they are pasted, and flags that make no key.

#[cfg(unix)]
use super::Run;
use super::{Place, action, page};
#[cfg(unix)]
use std::path::Path;
#[cfg(unix)]
use std::process::{Command, Stdio};

/// The publisher of the documented commands, and a key from each of those that make one.
#[cfg(unix)]
struct Shop {
    place: Place,
    /// The commands of the first block of the page, one a line, without what is said beside them.
    commands: Vec<String>,
    secrets: [String; 3],
}

/// The commands of the first block of `docs/KEYS.md`.
#[cfg(unix)]
fn documented() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/KEYS.md");
    let text = std::fs::read_to_string(page).unwrap();
    let block = text.split("```").nth(1).unwrap();
    let block = block.strip_prefix("sh\n").unwrap().replace("\\\n", " ");
    let commands = block.lines().map(|line| line.split('#').next().unwrap());
    commands.map(|line| line.trim().to_owned()).collect()
}

/// Runs a command in a shell, as it is pasted.
#[cfg(unix)]
fn pasted(place: &Place, line: &str) -> Run {
    let script = format!("actiongraph() {{ \"$PROGRAM\" \"$@\"; }}\n{line}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(Stdio::null());
    for (name, value) in place.command(&[]).get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("PROGRAM", env!("CARGO_BIN_EXE_actiongraph"));
    let run = Run::of(shell.output().unwrap());
    assert_eq!(run.code, 0, "{line}: {run:?}");
    run
}

#[cfg(unix)]
impl Shop {
    async fn new() -> Self {
        let place = Place::new().await;
        let file = place.file("may.json", &page(&[action(1)]));
        let mut import = place.command(&["import", "--publisher", "shop"]);
        assert_eq!(Run::of(import.arg(&file).output().unwrap()).code, 0);
        let commands = documented();
        assert_eq!(commands.len(), 9, "{commands:#?}");
        let made = |number: usize| {
            let line = &commands[number];
            assert!(line.starts_with("actiongraph key create "), "{line}");
            pasted(&place, line).out.trim_end().to_owned()
        };
        let secrets = [made(0), made(1), made(2)];
        Self {
            place,
            commands,
            secrets,
        }
    }

    /// The public part of a key.
    fn prefix(&self, number: usize) -> &str {
        &self.secrets[number][3..11]
    }

    /// Runs the documented command that begins so, with the public part of a key in the place of `KEY`.
    fn run(&self, begins: &str, key: usize) -> Run {
        pasted(&self.place, &self.line(begins, key))
    }

    fn line(&self, begins: &str, key: usize) -> String {
        let begins = format!("actiongraph {begins}");
        let line = self.commands.iter().find(|line| line.starts_with(&begins));
        let key = format!(" {}", self.prefix(key));
        line.unwrap().replace(" KEY", &key)
    }
}

/// What `key show` has beside a word, in each line that begins with it.
#[cfg(unix)]
fn beside<'a>(run: &'a Run, word: &str) -> Vec<&'a str> {
    let lines = run.out.lines().filter_map(|line| line.strip_prefix(word));
    let rests = lines.filter(|rest| rest.starts_with("  "));
    rests.map(str::trim).collect()
}

#[cfg(unix)]
const BUDGET: [&str; 1] = ["20000 points, 200 a second"];

#[cfg(unix)]
const LIMITS: [&str; 3] = [
    "subid2: p7-*",
    "orders of the last 90 days",
    "user keys are hidden",
];

#[cfg(unix)]
#[tokio::test]
async fn keys_are_shown_as_the_documented_commands_made_them() {
    let shop = Shop::new().await;
    let listed = shop.run("key list", 0);
    for number in 0..3 {
        assert!(listed.out.contains(shop.prefix(number)), "{listed:?}");
    }
    let shown = shop.run("key show", 0);
    assert_eq!(beside(&shown, "publisher"), ["shop"], "{shown:?}");
    assert_eq!(beside(&shown, "label"), ["dashboard"], "{shown:?}");
    assert_eq!(beside(&shown, "state"), ["active"], "{shown:?}");
    assert_eq!(beside(&shown, "scopes"), ["read"], "{shown:?}");
    assert_eq!(beside(&shown, "expires"), ["-"], "{shown:?}");
    assert_eq!(beside(&shown, "sees"), ["everything"], "{shown:?}");
    assert!(beside(&shown, "budget").is_empty(), "{shown:?}");
    let shown = shop.run("key show", 1);
    assert_eq!(beside(&shown, "scopes"), ["read,admin"], "{shown:?}");

    let shown = shop.run("key show", 2);
    assert_eq!(beside(&shown, "limited to"), LIMITS, "{shown:?}");
    assert_eq!(beside(&shown, "budget"), BUDGET, "{shown:?}");
    assert!(beside(&shown, "sees").is_empty(), "{shown:?}");
    let moment = |word: &str| {
        let text = beside(&shown, word)[0];
        chrono::DateTime::parse_from_rfc3339(text).unwrap()
    };
    let lives = moment("expires").signed_duration_since(moment("created"));
    assert_eq!(lives.num_seconds(), 90 * 86_400, "{shown:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn limits_of_a_key_are_replaced_and_without_flags_lifted() {
    let shop = Shop::new().await;
    let prefix = shop.prefix(2);
    let limited = shop.run("key limit", 2);
    let told = format!("{prefix} is limited to\n  ad spaces: 501\n");
    assert_eq!(limited.out, told);
    let shown = shop.run("key show", 2);
    let limits = beside(&shown, "limited to");
    assert_eq!(limits, ["ad spaces: 501"], "none before is left: {shown:?}");
    // Nothing else of the key changes.
    assert_eq!(beside(&shown, "budget"), BUDGET, "{shown:?}");
    assert_eq!(beside(&shown, "label"), ["partner 7"], "{shown:?}");
    assert_ne!(beside(&shown, "expires"), ["-"], "{shown:?}");

    let line = shop.line("key limit", 2);
    let (bare, _) = line.split_once(" --").unwrap();
    let lifted = pasted(&shop.place, bare);
    assert_eq!(lifted.out, format!("{prefix} sees everything.\n"));
    let shown = shop.run("key show", 2);
    assert!(beside(&shown, "limited to").is_empty(), "{shown:?}");
    assert_eq!(beside(&shown, "sees"), ["everything"], "{shown:?}");
    assert_eq!(beside(&shown, "budget"), BUDGET, "{shown:?}");
    assert_ne!(beside(&shown, "expires"), ["-"], "{shown:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_trail_tells_what_became_of_a_key() {
    let shop = Shop::new().await;
    let key = shop.prefix(2);
    let rotated = shop.run("key rotate", 2);
    let renewed = rotated.out.trim_end();
    assert_eq!(&renewed[..12], &shop.secrets[2][..12], "as it was known");
    assert_ne!(renewed, shop.secrets[2]);
    let shown = shop.run("key show", 2);
    assert_eq!(beside(&shown, "old secret until").len(), 1, "{shown:?}");
    assert_eq!(beside(&shown, "limited to"), LIMITS, "{shown:?}");
    shop.run("key limit", 2);
    shop.run("key revoke", 2);
    let shown = shop.run("key show", 2);
    assert_eq!(beside(&shown, "state"), ["revoked"], "{shown:?}");
    assert_ne!(beside(&shown, "revoked"), ["-"], "{shown:?}");
    for arguments in [
        &["key", "limit", key, "--program", "1"][..],
        &["key", "rotate", key],
    ] {
        let refused = shop.place.run(arguments);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
        assert!(refused.err.contains("was revoked before"), "{refused:?}");
    }

    let trail = shop.run("audit", 2);
    let entries: Vec<&str> = trail.out.lines().skip(1).collect();
    let expected = [
        ("KEY_REVOKED", key),
        ("KEY_UPDATED", key),
        ("KEY_ROTATED", key),
        ("KEY_CREATED", key),
        ("KEY_CREATED", shop.prefix(1)),
        ("KEY_CREATED", shop.prefix(0)),
    ];
    assert_eq!(entries.len(), expected.len(), "{trail:?}");
    for (entry, (act, whose)) in entries.iter().zip(expected) {
        assert!(
            entry.contains(act) && entry.contains(whose),
            "the latest first: {trail:?}"
        );
        assert!(entry.contains("the command line"), "{trail:?}");
    }
    assert!(entries[1].contains("ad spaces: 501"), "{trail:?}");
    for secret in shop.secrets.iter().map(String::as_str).chain([renewed]) {
        assert!(!trail.out.contains(&secret[12..]), "{trail:?}");
        assert!(!shown.out.contains(&secret[12..]), "{shown:?}");
    }
    let one = ["audit", "--publisher", "shop", "--last", "1"];
    let last = shop.place.run(&one);
    assert_eq!(last.out.matches("KEY_").count(), 1, "{last:?}");
    assert!(last.out.contains("KEY_REVOKED"), "{last:?}");
}

#[tokio::test]
async fn flags_of_keys_that_make_no_sense_make_no_key() {
    let place = Place::new().await;
    let file = place.file("may.json", &page(&[action(1)]));
    assert_eq!(place.import(&[&file]).code, 0);
    let create = |more: &[&str]| {
        let mut arguments = vec!["key", "create", "--publisher", "my-blog"];
        arguments.extend(more);
        place.run(&arguments)
    };
    for (more, part) in [
        (&["--expires", "soon"][..], "--expires soon"),
        (&["--expires", "2020-01-31"], "expiresAt"),
        (&["--budget", "20000"], "two whole numbers"),
        (&["--subid", "p7"], "slot"),
        (&["--introspection", "perhaps"], "perhaps"),
        (&["--scope", "everything"], "there is no scope"),
        (&["--scope", "admin", "--ad-space", "501"], "limit"),
    ] {
        let refused = create(more);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{refused:?}");
        assert!(refused.err.contains(part), "{more:?}: {refused:?}");
    }
    let listed = place.run(&["key", "list"]);
    assert!(listed.err.contains("No keys."), "{listed:?}");
    let made = create(&["--introspection", "false"]);
    let shown = place.run(&["key", "show", made.out.trim_end()]);
    let line = shown
        .out
        .lines()
        .find(|line| line.starts_with("introspection"));
    assert!(
        line.is_some_and(|line| line.ends_with(" false")),
        "{shown:?}"
    );
}
